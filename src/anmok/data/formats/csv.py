"""Tables of paths and labels: one CSV, or a folder of pictures with one table or one a split.

Columns go by any name; which is which is told from their content, or by the user. Paths may start from the table's
folder or anywhere below the root, may lack their suffix, and may carry Windows' slashes.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from anmok.core.errors import DataError, UsageError
from anmok.core.registry import register
from anmok.core.types import Dataset, Entry, FileAccount, Quarantined, Skipped
from anmok.data.formats import _text_table as text_table
from anmok.data.formats._claims import Claim, Settled, settle
from anmok.data.formats._columns import decide
from anmok.data.formats._finder import Finder, NotFound
from anmok.data.formats._tables import TextTable, choose, table_names, whole_numbers
from anmok.data.names import alike_warnings, class_order, split_named
from anmok.data.source import Recognition, Source
from anmok.data.stores import FilePictures
from anmok.data.walk import readable


@dataclass(frozen=True)
class Table(TextTable):
    """A table that names pictures, and the finder that knows where they are."""

    finder: Finder = field(kw_only=True)


@register("format", name="csv")
class Csv:
    """Tables with a column of paths and, if not only for prediction, one of labels."""

    tasks = ("classify",)

    def recognise(self, source: Source) -> Recognition:
        """Sure where a table's column names files that exist."""
        try:
            tables = _tables(source)
        except UsageError as error:
            return Recognition(0.0, str(error))
        if not tables:
            return Recognition(0.0, "no table that names pictures")
        best = max(tables, key=lambda table: (table.columns.label is not None, table.columns.share))
        why = f"table {readable(best.name)}: {best.columns.words}"
        if not best.columns.share:
            return Recognition(0.6 if not source.is_folder else 0.3, f"{why}, though no such picture was found")
        known = best.columns.label is not None or not source.is_folder
        return Recognition((0.9 if known else 0.65) if best.columns.share >= 0.5 else 0.55, why)

    def read(self, source: Source) -> Dataset:
        """Every row whose picture exists becomes an entry, called by the picture's path.

        Raises:
            DataError: no usable row, no way to tell the label's column or the table, a table that is no text.
            UsageError: an option names a column that is not there.
        """
        tables, warnings = choose(source, _tables(source))
        reading = _Reading(tables)
        settled = reading.settled
        if not settled.claims:
            raise _nothing_usable(source, tables[0], settled)
        labels = [claim.label for claim in settled.claims if claim.label is not None]
        classes = class_order(labels)
        number = {name: index for index, name in enumerate(classes)}
        entries = [
            Entry(
                id=readable(claim.path),
                locator=claim.path,
                target=None if claim.label is None else number[claim.label],
                split=claim.split,
                group=claim.group,
                origin=f"{claim.table}:{claim.line}",
            )
            for claim in settled.claims
        ]
        root = tables[0].finder.root
        return Dataset(
            root=root,
            format="csv",
            task="classify",
            classes=classes,
            entries=entries,
            pictures=FilePictures(root),
            quarantined=tuple(settled.quarantined),
            skipped=tuple(settled.skipped),
            warnings=(*warnings, *reading.warnings, *alike_warnings(classes)),
            seen=len(entries) + len(settled.quarantined) + len(settled.skipped),
            unit="rows",
            files=_file_account(source, tables, reading.named),
            why="; ".join(map(str, tables)),
        )


def _tables(source: Source) -> list[Table]:
    """The tables at the top of the folder, or the one given, that name pictures."""
    options = source.options
    found: list[Table] = []
    problem = None
    for name in table_names(source):
        start = text_table.head(source.root / name)
        if start is None:
            continue
        dialect, rows = start
        finder = Finder(source, source.root, name[: name.rfind("/") + 1])
        if options.pictures is not None:
            finder = Finder(Source(options.pictures, options), options.pictures)
        try:
            columns = decide(rows, finder, options)
        except UsageError as error:
            problem = error
            continue
        if columns.path is not None:
            found.append(Table(name, source.root / name, dialect, columns, finder=finder))
    if problem and not found:
        raise problem
    return found


@dataclass
class _Reading:
    """All rows of the chosen tables, turned into claims and settled."""

    tables: Sequence[Table]
    quarantined: list[Quarantined] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    named: set[str] = field(default_factory=set)
    spellings: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))

    @cached_property
    def settled(self) -> Settled:
        """The rows that hold, and all others with their reasons."""
        settled = settle(self._all_claims())
        settled.quarantined[:0] = self.quarantined
        settled.skipped[:0] = self.skipped
        merged = [sorted(raw) for raw in self.spellings.values() if len(raw) > 1]
        self.warnings += [
            f"labels {', '.join(map(repr, raw))} differ only in spaces and were read as one class" for raw in merged
        ]
        return settled

    def _all_claims(self) -> list[Claim]:
        claims = [claim for table in self.tables for claim in self._claims(table)]
        whole = whole_numbers([claim.label for claim in claims])
        return [replace(claim, label=label) for claim, label in zip(claims, whole, strict=True)]

    def _claims(self, table: Table) -> Iterator[Claim]:
        _, rows = text_table.read(table.file)
        self.quarantined += [replace(item, path=readable(table.name)) for item in rows.torn]
        self.skipped += [replace(item, path=readable(table.name)) for item in rows.blank]
        for line, cells in rows.rows[table.columns.has_header :]:
            try:
                claim = self._claim(table, line, cells)
            except NotFound as problem:
                self.quarantined.append(Quarantined(readable(table.name), problem.reason, problem.fix, line))
                continue
            yield claim

    def _claim(self, table: Table, line: int, cells: list[str]) -> Claim:
        """What a row says. Raises `NotFound` with the reason where it says nothing usable."""
        columns, width = table.columns, len(table.columns.names)
        if len(cells) < width or any(cell.strip() for cell in cells[width:]):
            fix = "quote cells that hold the delimiter, fill in what is missing, or remove the row"
            raise NotFound(f"{len(cells)} cells where the table has {width} columns", fix)
        split = table.split
        if columns.split is not None and cells[columns.split].strip():
            split = split_named(cells[columns.split])
            if split is None:
                raise NotFound(f"unknown split {cells[columns.split]!r}", "write train, val or test")
        path = table.finder.find(cells[columns.path or 0], split)
        self.named.add(path)
        label = None
        if columns.label is not None:
            raw = cells[columns.label]
            label = readable(unicodedata.normalize("NFC", raw.strip()))
            if not label:
                raise NotFound(f"the label of {path!r} is blank", "fill it in or remove the row")
            self.spellings[label].add(raw)
        group = None if columns.group is None else cells[columns.group].strip() or None
        return Claim(readable(table.name), line, path, label, split, group)


def _nothing_usable(source: Source, table: Table, settled: Settled) -> DataError:
    reasons = Counter(re.sub(r"'.*'", "…", item.reason) for item in settled.quarantined)
    first = next((f"line {item.line}: {item.reason}" for item in settled.quarantined), "no rows at all")
    return DataError(
        "no row of the table can be used",
        path=table.file,
        got=f"{sum(reasons.values())} rows set aside, the first in {first}",
        allowed=f"rows that name pictures below {table.finder.root}",
        fix="--pictures with the folder that the paths start from",
    )


def _file_account(source: Source, tables: Sequence[Table], named: set[str]) -> FileAccount:
    if not source.is_folder or source.options.pictures is not None:
        return FileAccount(seen=len(tables) + len(named), used=len(tables) + len(named))
    tree, used = source.tree, named | {table.name for table in tables}
    _, others, foreign = source.sorted_files
    reasons = {item.path: item for item in others}
    shown = {readable(path) for path in used}
    aside = [item for item in foreign if item.path not in shown]
    set_aside = {item.path for item in aside}
    passed = [
        reasons.get(name, Skipped(name, "no row names it"))
        for name in map(readable, tree.files)
        if name not in shown and name not in set_aside
    ]
    used_files = len(used & set(tree.files))
    return FileAccount(tree.seen, used_files, (*tree.quarantined, *aside), (*tree.skipped, *passed))
