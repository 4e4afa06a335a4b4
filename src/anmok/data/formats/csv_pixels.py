"""Tables of pixels: a picture a row, as in Kaggle's `label,pixel0,…,pixel783`, of any square size, grey or colour.

All pixels of a picture may stand in one cell, with spaces between them: `emotion,pixels,Usage`, as FER2013 has it
(Goodfellow et al., "Challenges in Representation Learning", 2013). Labels may stand anywhere, in one column or in one
for each class, or be missing. Without a header they stand first. Colour is stored pixel by pixel (channels last).
Fractions of one are scaled to 0…255. A folder may hold one table, or one for each part of a split; each may be a .gz.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from anmok.core.errors import DataError, UsageError
from anmok.core.registry import register
from anmok.core.types import Dataset, Entry, FileAccount, Skipped
from anmok.data.formats import _text_table as text_table
from anmok.data.formats._claims import Claim, Claims, Settled
from anmok.data.formats._columns import plain
from anmok.data.formats._labels import ONE
from anmok.data.formats._pixel_columns import PixelColumns, find_pixels
from anmok.data.formats._tables import TextTable, choose, table_names
from anmok.data.known import known_classes
from anmok.data.source import Recognition, Source
from anmok.data.stores import ArrayPictures
from anmok.data.walk import readable

if TYPE_CHECKING:
    from anmok.data.formats._pixel_rows import PixelRows

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
    """Tables with one column a pixel, or all pixels in one."""

    tasks = ("classify", "multilabel")

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
        from anmok.data.formats._pixel_rows import read_pixels  # and with it PyArrow, which no other format needs

        claims, blocks = Claims(), []
        for table in tables:
            blocks.append(read_pixels(table.file, table.name, table.dialect, table.found))
            _take(table, blocks[-1], claims)
        settled = claims.settle(source.options.task)
        if not settled.claims:
            lost = settled.quarantined
            first = f"line {lost[0].line}: {lost[0].reason}" if lost else "no rows"
            raise DataError("no row of the table can be used", path=source.path, got=first)
        names, how = _known(source, tables, settled)
        present = settled.classes
        number = {label: int(label) if how else index for index, label in enumerate(present)}
        entries = [
            Entry(claim.picture, place, target, claim.split, claim.group)
            for place, (claim, target) in enumerate(zip(settled.claims, settled.targets(number), strict=True))
        ]
        pixels, brightened = _brighten(_pixels_of(settled.claims, tables, blocks))
        files = _file_account(source, {table.name for table in tables})
        return settled.dataset(
            source.root, "csv_pixels", entries, ArrayPictures(pixels, hashlib.blake2b(pixels.data).digest()),
            files=files, classes=names or present, warnings=(*warnings, *brightened), why=(*map(str, tables), how),
        )  # fmt: skip


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


def _take(table: PixelTable, block: PixelRows, claims: Claims) -> None:
    """What the rows of a table say beside their pixels. A row is a picture, called by its table and line."""
    claims.set_aside(table.name, block.quarantined, block.skipped)
    columns = zip(*block.cells.values(), strict=True) if block.cells else iter([()] * len(block.lines))
    for line, cells in zip(block.lines.tolist(), columns, strict=True):

        def itself(split: str | None, line: int = line) -> str:
            return f"{readable(table.name)}:{line}"

        claims.take(table, line, dict(zip(block.cells, cells, strict=True)), itself)


def _pixels_of(claims: Sequence[Claim], tables: Sequence[PixelTable], blocks: Sequence[PixelRows]) -> np.ndarray:
    """The pictures of these rows, in their order: uint8 (N, H, W, C)."""
    kept = {(claim.table, claim.line) for claim in claims}
    parts = []
    for table, block in zip(tables, blocks, strict=True):
        chosen = np.array([(readable(table.name), line) in kept for line in block.lines.tolist()], bool)
        parts.append(block.pixels if chosen.all() else block.pixels[chosen])
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _known(source: Source, tables: Sequence[PixelTable], settled: Settled) -> tuple[tuple[str, ...], str]:
    """Class names that are known for numbered classes, and how."""
    present = settled.classes
    if settled.meaning.task != ONE or not present:
        return (), ""
    if not all(label.isdigit() and str(int(label)) == label for label in present):
        return (), ""
    values = [int(label) for label in present]
    columns = {plain(table.columns.names[at]) for table in tables if (at := table.columns.label) is not None}
    return known_classes(source.path, values, files=[table.name for table in tables], columns=columns)


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
