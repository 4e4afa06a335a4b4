"""Rows of tables that each name a picture and say what it shows: every one of them used, set aside or passed over."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from anmok.core.targets import Labels
from anmok.core.types import Dataset, Entry, FileAccount, Pictures, Quarantined, Skipped
from anmok.data.formats._finder import NotFound
from anmok.data.formats._labels import ANY, Label, Meaning, cleaned, meaning_of
from anmok.data.formats._rows import RowFault
from anmok.data.formats._tables import Cells, TextTable, whole_numbers
from anmok.data.names import alike_warnings, class_order
from anmok.data.walk import readable


@dataclass(frozen=True)
class Claim:
    """One row: in `table` at `line`, `picture` (a path, or the row itself) has this label, split and group."""

    table: str
    line: int
    picture: str
    label: Label
    split: str | None
    group: str | None


@dataclass
class Claims:
    """The rows of all tables of a data set, as they are read."""

    claims: list[Claim] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    marked: set[str] = field(default_factory=set)  # classes that have a column of their own
    spellings: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    def take(self, table: TextTable, line: int, cells: Cells, find: Callable[[str | None], str]) -> None:
        """A row, unless it says nothing usable.

        Args:
            cells: by the column's position.
            find: the row's split → its picture; may raise `NotFound` or `RowFault`.
        """
        shown, columns = readable(table.name), table.columns
        self.marked |= {cleaned(columns.names[at]) for at in columns.marked}
        try:
            table.check_width(cells)
            split = table.split_of(cells)
            picture = find(split)
            group = None if columns.group is None else cells[columns.group].strip() or None
            self.claims.append(Claim(shown, line, picture, self._label(table, cells), split, group))
        except (NotFound, RowFault) as fault:
            self.quarantined.append(Quarantined(shown, fault.reason, fault.fix, line))

    def _label(self, table: TextTable, cells: Cells) -> Label:
        columns = table.columns
        if columns.marked:
            return frozenset(cleaned(columns.names[at]) for at in columns.marked if _says_yes(table, at, cells[at]))
        if columns.label is None:
            return None
        label = cleaned(cells[columns.label])
        if not label:
            raise RowFault("the label is blank", "fill it in, write [] if nothing is shown, or remove the row")
        self.spellings[label].add(cells[columns.label])
        return label

    def set_aside(self, table: str, torn: Iterable[Quarantined], blank: Iterable[Skipped]) -> None:
        """Lines of a table that are no rows."""
        self.quarantined += [replace(item, path=readable(table)) for item in torn]
        self.skipped += [replace(item, path=readable(table)) for item in blank]

    def settle(self, task: str | None = None) -> Settled:
        """One claim a picture, with its label as it is meant. `task`: the one asked for, if any.

        Rows that contradict each other are all set aside: which is right cannot be known. Where a picture may show
        several classes because the user says so, its rows add up.
        """
        meaning = meaning_of([claim.label for claim in self.claims], task)
        settled = Settled(meaning, [], list(self.quarantined), list(self.skipped), self.marked, self._warnings())
        by_picture: dict[str, list[Claim]] = defaultdict(list)
        adding = task == ANY and not self.marked and meaning.separator is None
        for claim in self._meant(meaning, settled):
            by_picture[claim.picture].append(claim)
        for rows in by_picture.values():
            settled.decide(_added(rows) if adding else rows)
        return settled

    def _meant(self, meaning: Meaning, settled: Settled) -> list[Claim]:
        found = []
        for claim in self.claims:
            try:
                found.append(replace(claim, label=meaning.of(claim.label)))
            except RowFault as fault:
                settled.quarantined.append(Quarantined(claim.table, fault.reason, fault.fix, claim.line))
        if meaning.task == ANY:
            return found
        labels = whole_numbers([claim.label for claim in found])  # type: ignore[misc]
        return [replace(claim, label=label) for claim, label in zip(found, labels, strict=True)]

    def _warnings(self) -> list[str]:
        merged = [sorted(raw) for raw in self.spellings.values() if len(raw) > 1]
        return [
            f"labels {', '.join(map(repr, raw))} differ only in spaces and were read as one class" for raw in merged
        ]


@dataclass
class Settled:
    """Rows that hold, that are set aside, and that only repeat others."""

    meaning: Meaning
    claims: list[Claim]
    quarantined: list[Quarantined]
    skipped: list[Skipped]
    marked: set[str]
    warnings: list[str]

    def decide(self, rows: Sequence[Claim]) -> None:
        """The rows of one picture: the first counts, unless another contradicts it."""
        if len({row.label for row in rows}) > 1:
            self.quarantined += [_contradiction("has two labels", row, rows) for row in rows]
        elif len({row.split for row in rows}) > 1:
            self.quarantined += [_contradiction("is on two sides of the split", row, rows) for row in rows]
        else:
            first, *others = rows
            self.claims.append(first)
            self.skipped += [
                Skipped(row.table, f"repeats line {first.line} of {first.table}", row.line) for row in others
            ]

    @property
    def classes(self) -> tuple[str, ...]:
        """All that occur, and all that have a column."""
        if self.meaning.task == ANY:
            return class_order(self.marked.union(*(claim.label or () for claim in self.claims)))
        return class_order({str(claim.label) for claim in self.claims if claim.label is not None})

    def targets(self, number: Mapping[str, int]) -> list[Any]:
        """Of each claim: a class, `Labels`, or None."""
        if self.meaning.task == ANY:
            told = (claim.label for claim in self.claims)
            return [None if label is None else Labels(tuple(number[name] for name in label)) for label in told]
        return [None if claim.label is None else number[str(claim.label)] for claim in self.claims]

    def dataset(
        self, root: Path, format: str, entries: Sequence[Entry], pictures: Pictures, *, files: FileAccount,
        classes: tuple[str, ...], warnings: Iterable[str], why: Iterable[str],
    ) -> Dataset:  # fmt: skip
        """The data set of these rows, of which each is accounted for."""
        return Dataset(
            root=root,
            format=format,
            task=self.meaning.task,
            classes=classes,
            entries=entries,
            pictures=pictures,
            quarantined=tuple(self.quarantined),
            skipped=tuple(self.skipped),
            warnings=(*warnings, *self.warnings, *alike_warnings(self.classes)),
            seen=len(entries) + len(self.quarantined) + len(self.skipped),
            unit="rows",
            files=files,
            why="; ".join(part for part in (*why, self.meaning.words) if part),
        )


def _says_yes(table: TextTable, at: int, cell: str) -> bool:
    """A mark in one column. Raises `RowFault` where the cell holds none."""
    marks, name = table.columns.marks, table.columns.names[at]
    said = marks.get(cell.strip().lower())
    if said is None:
        yes, no = next(mark for mark in marks if marks[mark]), next(mark for mark in marks if not marks[mark])
        what = f"holds {cell.strip()!r}" if cell.strip() else "is blank"
        raise RowFault(f"column {name!r} {what}, neither {yes} nor {no}", f"write {yes} or {no}, or remove the row")
    return said


def _added(rows: Sequence[Claim]) -> list[Claim]:
    """Rows that each name one class of a picture, as if each named all of them."""
    names = [row.label for row in rows if isinstance(row.label, frozenset)]
    return [replace(row, label=frozenset().union(*names)) for row in rows] if names else list(rows)


def _contradiction(what: str, row: Claim, rows: Sequence[Claim]) -> Quarantined:
    told = ", ".join(f"{_shown(other.label)} ({other.split or 'no split'}) in line {other.line}" for other in rows[:4])
    reason = f"{readable(row.picture)} {what}: {told}"
    return Quarantined(row.table, reason, "keep the row that is right and remove the others", row.line)


def _shown(label: Label) -> str:
    return " and ".join(map(repr, sorted(label))) or "nothing" if isinstance(label, frozenset) else repr(label)
