"""What rows of tables say about pictures, and what is left when they contradict each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from anmok.core.types import Quarantined, Skipped
from anmok.data.walk import readable


@dataclass(frozen=True)
class Claim:
    """One row: in `table` at `line`, the picture `path` has this label, split and group."""

    table: str
    line: int
    path: str
    label: str | None
    split: str | None
    group: str | None


@dataclass
class Settled:
    """Rows that hold, that are set aside, and that only repeat others."""

    claims: list[Claim] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def settle(claims: Iterable[Claim]) -> Settled:
    """One claim a picture. Rows that contradict each other are all set aside: which is right cannot be known."""
    by_path: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        by_path[claim.path].append(claim)
    settled = Settled()
    for path, rows in by_path.items():
        if len({row.label for row in rows}) > 1:
            settled.quarantined += [_contradiction(path, "has two labels", row, rows) for row in rows]
        elif len({row.split for row in rows}) > 1:
            settled.quarantined += [_contradiction(path, "is on two sides of the split", row, rows) for row in rows]
        else:
            first, *others = rows
            settled.claims.append(first)
            settled.skipped += [
                Skipped(row.table, f"repeats line {first.line} of {first.table}", row.line) for row in others
            ]
    return settled


def _contradiction(path: str, what: str, row: Claim, rows: Sequence[Claim]) -> Quarantined:
    told = ", ".join(f"{other.label!r} ({other.split or 'no split'}) in line {other.line}" for other in rows[:4])
    reason = f"{readable(path)} {what}: {told}"
    return Quarantined(row.table, reason, "keep the row that is right and remove the others", row.line)
