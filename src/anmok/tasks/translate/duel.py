"""Two runs that translate the same pictures: is one better, or may the difference be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.metrics.bootstrap import mean_interval
from anmok.metrics.proportion import Interval
from anmok.tasks.translate.measuring import Measured, Way

DECIDES = ("error", "cycle")  # the first that both were measured by, on the first way


@dataclass(frozen=True)
class Duel:
    """What came of it. `rows`: of each figure both means and the interval of their difference, first minus second."""

    names: tuple[str, str]
    pictures: int
    rows: Mapping[str, tuple[float, float, Interval]]
    notes: Sequence[str]

    @property
    def verdict(self) -> str:
        """By the error against partners, where these are known: which is better, or that nothing tells them apart."""
        name, (first, second, gap) = next(
            (name, row) for wish in DECIDES for name, row in self.rows.items() if name.startswith(wish)
        )
        told = (
            f"{name.replace('_', ' ')} {first:.4f} against {second:.4f}, difference {gap.low:+.4f} to {gap.high:+.4f}"
        )
        if not (gap.low > 0 or gap.high < 0):
            one, other = self.names
            return f"On these {self.pictures:,} pictures nothing tells {one} and {other} apart: {told}."
        better, other = self.names if gap.high < 0 else self.names[::-1]
        return f"{better} translates nearer than {other}: {told}."

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        figures = {name: {"values": [first, second], "difference": asdict(gap)}
                   for name, (first, second, gap) in self.rows.items()}  # fmt: skip
        return {"runs": list(self.names), "pictures": self.pictures, "figures": figures, "verdict": self.verdict}


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers to the same pictures; `second` may list them in another order.

    Raises:
        DataError: they answered other pictures, or by nothing that both were measured by.
    """
    others = {way.way: way for way in second.ways}
    rows: dict[str, tuple[float, float, Interval]] = {}
    for way in first.ways:
        if way.way in others:
            rows |= {f"{name}_{way.way}": row for name, row in _rows(way, others[way.way])}
    if not any(name.startswith(DECIDES) for name in rows):
        raise DataError("nothing was measured of both runs", got=f"{len(first.ids)} and {len(second.ids)} pictures")
    return Duel(names, len(first.ids), rows, [])


def _rows(one: Way, other: Way) -> list[tuple[str, tuple[float, float, Interval]]]:
    place = {name: k for k, name in enumerate(other.ids)}
    if set(place) != set(one.ids):
        raise DataError("these runs were not measured on the same pictures", got=f"{len(one.ids)} and {len(other.ids)}")
    order = np.array([place[name] for name in one.ids])
    found = []
    for name in one.values:
        if name in other.values:
            a, b = one.values[name], other.values[name][order]
            found.append((name, (float(a.mean()), float(b.mean()), mean_interval(a - b))))
    return found
