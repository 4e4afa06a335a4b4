"""Tables of pixels: a picture a row, as in Kaggle's `label,pixel0,…,pixel783`, of any square size, grey or colour.

Labels may stand anywhere or be missing. Without a header they stand first. Colour is stored pixel by pixel (channels
last). Fractions of one are scaled to 0…255. A folder may hold one table, or one for each part of a split.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from anmok.core.errors import DataError, UsageError
from anmok.core.registry import register
from anmok.core.types import Dataset, Entry, FileAccount, Quarantined, Skipped
from anmok.data.formats import _text_table as text_table
from anmok.data.formats._pixel_columns import PixelColumns, find_pixels
from anmok.data.formats._pixel_rows import PixelRows, read_pixels
from anmok.data.formats._tables import TextTable, choose, table_names, whole_numbers
from anmok.data.known import known_classes
from anmok.data.names import alike_warnings, class_order, split_named
from anmok.data.source import Recognition, Source
from anmok.data.stores import ArrayPictures
from anmok.data.walk import readable

_HEAD = 8 * 2**20  # bytes: a row of pixels is long


@dataclass(frozen=True)
class PixelTable(TextTable):
    """A table whose rows are pictures."""

    found: PixelColumns = field(kw_only=True)

    def __str__(self) -> str:
        height, width, channels = self.found.shape
        text = f"table {readable(self.name)}: a picture of {height} x {width} x {channels} a row"
        words = ", ".join(filter(None, (self.columns.words, self.dialect.words)))
        return f"{text}, {words}" if words else text


@register("format", name="csv_pixels")
class CsvPixels:
    """Tables with one column a pixel."""

    tasks = ("classify",)

    def recognise(self, source: Source) -> Recognition:
        """Sure where as many columns of numbers as a square has pixels are named alike, or stand there alone."""
        try:
            tables = _tables(source)
        except UsageError as error:
            return Recognition(0.0, str(error))
        if not tables:
            return Recognition(0.0, "no table of pixels")
        return Recognition(0.95, "; ".join(map(str, tables)))

    def read(self, source: Source) -> Dataset:
        """Every row becomes an entry, called by its table and line.

        Raises:
            DataError: no usable row, tables of different shapes, no way to tell the label's column.
            UsageError: an option names a column that is not there.
        """
        tables, warnings = choose(source, _tables(source))
        shapes = {table.found.shape for table in tables}
        if len(shapes) > 1:
            raise DataError("the tables' pictures differ in shape", path=source.path, got="; ".join(map(str, tables)))
        blocks = [read_pixels(table.file, table.name, table.dialect, table.found) for table in tables]
        rows = _Rows(tables, blocks)
        if not rows.used:
            first = f"line {rows.quarantined[0].line}: {rows.quarantined[0].reason}" if rows.quarantined else "no rows"
            raise DataError("no row of the table can be used", path=source.path, got=first)
        labels = whole_numbers([label for _, label, _, _ in rows.used])
        present = class_order({label for label in labels if label is not None})
        names, how = _known(source, tables, present)
        number = {label: int(label) if how else index for index, label in enumerate(present)}
        entries = [
            Entry(name, place, None if label is None else number[label], split, group)
            for place, ((name, _, split, group), label) in enumerate(zip(rows.used, labels, strict=True))
        ]
        pixels, brightened = _brighten(rows.pixels)
        return Dataset(
            root=source.root,
            format="csv_pixels",
            task="classify",
            classes=names or present,
            entries=entries,
            pictures=ArrayPictures(pixels, hashlib.blake2b(pixels.data).digest()),
            quarantined=tuple(rows.quarantined),
            skipped=tuple(rows.skipped),
            warnings=(*warnings, *brightened, *alike_warnings(present)),
            seen=len(entries) + len(rows.quarantined) + len(rows.skipped),
            unit="rows",
            files=_file_account(source, {table.name for table in tables}),
            why="; ".join([*map(str, tables), *filter(None, [how])]),
        )


def _tables(source: Source) -> list[PixelTable]:
    """The tables of pixels at the top of the folder, or the one given."""
    tables, problem = [], None
    for name in table_names(source):
        start = text_table.head(source.root / name, count=50, limit=_HEAD)
        if start is None:
            continue
        dialect, rows = start
        try:
            found = find_pixels(rows, source.options)
        except UsageError as error:
            problem = error
            continue
        if found is not None:
            tables.append(PixelTable(name, source.root / name, dialect, found.columns, found=found))
    if problem and not tables:
        raise problem
    return tables


class _Rows:
    """The rows of all tables: those used as (id, label, split, group) beside their pixels, and the others."""

    def __init__(self, tables: Sequence[PixelTable], blocks: Sequence[PixelRows]) -> None:
        self.quarantined: list[Quarantined] = [item for block in blocks for item in block.quarantined]
        self.skipped: list[Skipped] = [item for block in blocks for item in block.skipped]
        self.used: list[tuple[str, str | None, str | None, str | None]] = []
        kept = []
        for table, block in zip(tables, blocks, strict=True):
            places = []
            for place, row in enumerate(self._rows_of(table, block)):
                if isinstance(row, Quarantined):
                    self.quarantined.append(row)
                else:
                    self.used.append(row)
                    places.append(place)
            kept.append(block.pixels if len(places) == len(block.pixels) else block.pixels[places])
        self.pixels = kept[0] if len(kept) == 1 else np.concatenate(kept)

    @staticmethod
    def _rows_of(
        table: PixelTable, block: PixelRows
    ) -> Iterator[tuple[str, str | None, str | None, str | None] | Quarantined]:
        name, columns = readable(table.name), table.columns
        nothing = [""] * len(block.lines)
        labels, splits, groups = (
            nothing if at is None else block.cells[at] for at in (columns.label, columns.split, columns.group)
        )
        for line, raw, part, group in zip(block.lines.tolist(), labels, splits, groups, strict=True):
            label = readable(unicodedata.normalize("NFC", raw.strip()))
            split = split_named(part) if part.strip() else table.split
            if columns.label is not None and not label:
                yield Quarantined(name, "the label is blank", "fill it in or remove the row", line)
            elif part.strip() and split is None:
                yield Quarantined(name, f"unknown split {part!r}", "write train, val or test", line)
            else:
                yield f"{name}:{line}", label or None, split, group.strip() or None


def _known(source: Source, tables: Sequence[PixelTable], present: Sequence[str]) -> tuple[tuple[str, ...], str]:
    """Class names that are known for numbered classes, and how."""
    if not present or not all(label.isdigit() and str(int(label)) == label for label in present):
        return (), ""
    values = [int(label) for label in present]
    return known_classes(source.path, values, files=[table.name for table in tables])


def _brighten(pixels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Pictures of zeros and ones only become black and white."""
    if pixels.max() > 1:
        return pixels, []
    return pixels * np.uint8(255), ["all pixels are 0 or 1: they were read as black and white"]


def _file_account(source: Source, used: set[str]) -> FileAccount:
    if not source.is_folder:
        return FileAccount(seen=1, used=1)
    tree = source.tree
    others = [Skipped(readable(path), "not one of the tables read") for path in tree.files if path not in used]
    return FileAccount(tree.seen, len(used), tree.quarantined, (*tree.skipped, *others))
