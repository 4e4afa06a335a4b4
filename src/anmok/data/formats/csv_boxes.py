"""Tables with a box a row: path, x1, y1, x2, y2, class, or x, y, width, height, under the names people give these.

Boxes are half-open and in pixels; where all of a table's are within [0, 1] and not all whole, they are shares of the
picture's sides. A row without a box says that nothing is in its picture.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from anmok.core.errors import DataError, UsageError
from anmok.core.registry import register
from anmok.core.types import Dataset, Quarantined
from anmok.data.formats import _csv_boxes_write
from anmok.data.formats import _text_table as text_table
from anmok.data.formats._assembly import Found, Labelled, assemble
from anmok.data.formats._box_columns import BoxColumns, named_columns, unnamed_columns
from anmok.data.formats._class_map import listed_classes
from anmok.data.formats._columns import Columns, decide, label_column, plain
from anmok.data.formats._finder import Finder, NotFound
from anmok.data.formats._labels import cleaned
from anmok.data.formats._rows import RowFault, RowLedger, Told
from anmok.data.formats._tables import TextTable, table_names
from anmok.data.formats._words import split_in_path
from anmok.data.names import split_in_file_name
from anmok.data.source import ReadOptions, Recognition, Source
from anmok.data.walk import readable

_LONE = "object"  # the class where a table has no column for one
_FLAGS = {"difficult": ("difficult", "is_difficult"), "crowd": ("iscrowd", "is_crowd", "crowd", "isgroupof")}


@dataclass(frozen=True)
class Table(TextTable):
    """A table of boxes: `boxes` and `flags` are its columns, and the finder knows where the pictures are."""

    finder: Finder = field(kw_only=True)
    boxes: BoxColumns = field(kw_only=True)
    flags: dict[str, int] = field(default_factory=dict, kw_only=True)

    def __str__(self) -> str:
        return f"{super().__str__()}, boxes as {self.boxes.words}"


@register("format", name="csv_boxes")
class CsvBoxes:
    """Tables with columns of paths and boxes."""

    tasks = ("detect",)
    write = staticmethod(_csv_boxes_write.write)

    def recognise(self, source: Source) -> Recognition:
        """Sure where a table has columns of a box beside one that names files that exist."""
        try:
            tables = _tables(source)
        except UsageError as error:
            return Recognition(0.0, str(error))
        if not tables:
            return Recognition(0.0, "no table of boxes")
        best = max(tables, key=lambda table: table.columns.share)
        known = best.columns.share >= 0.5
        return Recognition(
            0.97 if known else 0.6, str(best) + ("" if known else ", though few of the pictures are there")
        )

    def read(self, source: Source) -> Dataset:
        """Every picture that rows name becomes an entry with those of its boxes that hold.

        Raises:
            DataError: nothing usable, or a table that is no text.
            UsageError: an option names a column that is not there.
        """
        tables = _tables(source)
        if not tables:
            raise DataError("no table with columns of a box", path=source.path,
                            allowed="columns such as path, x1, y1, x2, y2, label")  # fmt: skip
        return assemble(source, _Reading(source, tables).found("; ".join(map(str, tables))))


def _tables(source: Source) -> list[Table]:
    """The tables at the top of the folder, or the one given, whose rows name pictures and boxes."""
    found, problem, options = [], None, source.options
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
        body = [cells for _, cells in rows[columns.has_header :] if len(cells) >= len(columns.names)]
        boxes = _box_columns(columns, body)
        if columns.path is None or boxes is None:
            continue
        flags = _flag_columns(columns) if columns.has_header else {}
        columns = _with_label(columns, boxes, flags, body, options)
        split = split_in_file_name(name.rpartition("/")[2])
        found.append(Table(name, source.root / name, dialect, columns, split, finder=finder, boxes=boxes, flags=flags))
    if problem and not found:
        raise problem
    return found


def _box_columns(columns: Columns, body: Sequence[list[str]]) -> BoxColumns | None:
    if columns.path is None:
        return None
    if columns.has_header:
        return named_columns(columns.names)
    return unnamed_columns([[cells[at] for cells in body] for at in range(len(columns.names))], columns.path)


def _flag_columns(columns: Columns) -> dict[str, int]:
    heads = [plain(name) for name in columns.names]
    return {flag: heads.index(name) for flag, names in _FLAGS.items() for name in names if name in heads}


def _with_label(
    columns: Columns, boxes: BoxColumns, flags: dict[str, int], body: Sequence[list[str]], options: ReadOptions
) -> Columns:
    """The columns with that of the label looked for among those that are neither box nor anything else."""
    if options.label_column is not None:
        return columns
    taken = {columns.path, columns.split, columns.group, *boxes.at, *(boxes.size or ()), *flags.values()}
    if not columns.has_header:
        behind = boxes.at[-1] + 1
        return replace(columns, label=behind if behind < len(columns.names) else None, doubtful=())
    cells = [[row[at].strip() for row in body] for at in range(len(columns.names))]
    rest = [at for at in range(len(columns.names)) if at not in taken and any(cells[at])]
    label, doubtful = label_column(columns.names, cells, rest)
    return replace(columns, label=label, doubtful=doubtful)


class _Reading:
    """All rows of the tables."""

    def __init__(self, source: Source, tables: Sequence[Table]) -> None:
        self.source, self.tables, self.ledger = source, tables, RowLedger()
        self.labelled: dict[str, Labelled] = {}
        self.torn: dict[str, set[str | None]] = {}
        self.lost: list[Quarantined] = []
        self.warnings: list[str] = []

    def found(self, why: str) -> Found:
        """What `assemble` needs."""
        told: Counter[bool] = Counter()
        for table in self.tables:
            self._read(table)
            told[table.columns.label is not None] += 1
        if told[False]:
            self.warnings.append(f"no column tells classes: every box is of one, {_LONE!r}")
        for path in [path for path, splits in self.torn.items() if len(splits) > 1]:
            one = self.labelled.pop(path)
            reason = f"rows put it into {' and '.join(sorted(str(split) for split in self.torn[path]))}"
            self.lost.append(Quarantined(readable(path), reason, "keep the rows of one part"))
            self.ledger.skip_all(one.file, one.rows)
        names = {str(row.label) for one in self.labelled.values() for row in one.rows}
        classes, listed = listed_classes(self.source, names)
        used = {table.name for table in self.tables} | ({listed} if listed else set())
        return Found(
            "csv_boxes", self.tables[0].finder.root, classes, list(self.labelled.values()), self.ledger, used, why,
            pictures_lost=self.lost, warnings=self.warnings,
        )  # fmt: skip

    def _read(self, table: Table) -> None:
        _, rows = text_table.read(table.file)
        shown = readable(table.name)
        body = rows.rows[table.columns.has_header :]
        self.ledger.seen += len(body) + len(rows.torn) + len(rows.blank)
        self.ledger.quarantined += [replace(item, path=shown) for item in rows.torn]
        self.ledger.skipped += [replace(item, path=shown) for item in rows.blank]
        before = {path: len(one.rows) for path, one in self.labelled.items()}
        for line, cells in body:
            try:
                self._take(table, shown, line, cells)
            except (RowFault, NotFound) as fault:
                self.ledger.quarantined.append(Quarantined(shown, fault.reason, fault.fix, line))
        fresh = [row for path, one in self.labelled.items() for row in one.rows[before.get(path, 0) :]]
        values = [value for row in fresh for value in row.box or ()]
        shares = bool(values) and min(values) >= 0 and max(values) <= 1 and any(value % 1 for value in values)
        for path, one in self.labelled.items():
            one.shares = shares if path not in before else one.shares

    def _take(self, table: Table, shown: str, line: int, cells: list[str]) -> None:
        """One row. Raises `RowFault` or `NotFound` where it says nothing usable."""
        columns = table.columns
        table.check_width(cells)
        split = table.split_of(cells)
        path = table.finder.find(cells[columns.path or 0], split)
        box = table.boxes.read(cells)
        label = _LONE
        if columns.label is not None and box is not None:
            label = cleaned(cells[columns.label])
            if not label:
                raise RowFault(f"the label of the box in {readable(path)} is blank", "fill it in or remove the row")
        if path not in self.labelled:
            split_told = split or split_in_path(path.rpartition("/")[0])
            self.labelled[path] = Labelled(path, shown, [], table.boxes.stated(cells), split_told)
        self.torn.setdefault(path, set()).add(split)
        if box is None:
            self.ledger.skip(shown, line, "it says that nothing is in the picture")
            return
        flags = {name: cells[at].strip().lower() in ("1", "true", "yes") for name, at in table.flags.items()}
        self.labelled[path].rows.append(Told(line, label, box, file=shown, **flags))  # type: ignore[arg-type]
