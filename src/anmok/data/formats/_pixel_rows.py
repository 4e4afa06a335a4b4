"""Rows of a table of pixels, block by block: fast where all is well, and to the line where it is not."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from anmok.core.errors import DataError
from anmok.core.types import Quarantined, Skipped
from anmok.data.formats._pixel_columns import PixelColumns
from anmok.data.formats._text_table import Dialect, opened
from anmok.data.walk import readable

_BLOCK = 16 * 2**20  # bytes read at a time
_MOST_BAD = 1000  # rows; beyond that, a table of mostly bad ones is refused


@dataclass
class PixelRows:
    """What a table of pixels holds: `pixels` uint8 (N, H, W, C), and the cells of the other columns, by position."""

    pixels: np.ndarray
    lines: np.ndarray
    cells: dict[int, list[str]]
    quarantined: list[Quarantined] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)


def read_pixels(path: Path, name: str, dialect: Dialect, found: PixelColumns) -> PixelRows:
    """All rows of the table at `path`, called `name` where rows are set aside.

    Raises:
        DataError: the file cannot be read, or nearly all of its rows are wrong.
    """
    reader = _Reader(path, readable(name), dialect, found)
    for first_line, block in _blocks(path, dialect.first_line + found.columns.has_header):
        reader.take(first_line, block)
    return reader.result()


def _blocks(path: Path, first_line: int) -> Iterator[tuple[int, bytes]]:
    """Whole lines from `first_line` on, each block with the number of its first line."""
    line, rest = 1, b""
    with opened(path) as file:
        while True:
            read = file.read(_BLOCK)
            block = rest + read
            if read:
                cut = block.rfind(b"\n") + 1
                block, rest = block[:cut], block[cut:]
            skip = min(max(first_line - line, 0), block.count(b"\n"))
            for _ in range(skip):
                block = block[block.index(b"\n") + 1 :]
            if line + skip >= first_line and block:
                yield line + skip, block
            line += skip + block.count(b"\n")
            if not read:
                return


class _Reader:
    def __init__(self, path: Path, name: str, dialect: Dialect, found: PixelColumns) -> None:
        self.path, self.name, self.found = path, name, found
        self.width = len(found.columns.names)
        columns = found.columns
        told = (columns.label, columns.split, columns.group, *columns.marked)
        self.kept = list(dict.fromkeys(at for at in told if at is not None))
        self.count = math.prod(found.shape)
        pixel = pa.string() if found.packed else pa.uint8() if found.whole else pa.float32()
        self.names = [f"c{at}" for at in range(self.width)]
        pixels = set(found.pixels)
        types = {name: pixel if at in pixels else pa.string() for at, name in enumerate(self.names)}
        wanted = [self.names[at] for at in (*found.pixels, *self.kept)]
        self.convert = arrow_csv.ConvertOptions(column_types=types, null_values=[], include_columns=wanted)
        self.parse = arrow_csv.ParseOptions(delimiter=dialect.delimiter, ignore_empty_lines=False)
        encoding = "utf-8" if dialect.encoding.startswith("utf-8") else dialect.encoding
        self.encoding = encoding
        self.pixels: list[np.ndarray] = []
        self.lines: list[np.ndarray] = []
        self.cells: dict[int, list[str]] = {at: [] for at in self.kept}
        self.quarantined: list[Quarantined] = []
        self.skipped: list[Skipped] = []
        self.used = 0

    def take(self, first_line: int, block: bytes) -> None:
        """Add the rows of a block; where it cannot be read as a whole, halve it until the bad lines stand alone."""
        options = arrow_csv.ReadOptions(
            column_names=self.names, block_size=len(block) + 1, use_threads=False, encoding=self.encoding
        )
        count = block.count(b"\n") + (not block.endswith(b"\n"))
        try:
            table = arrow_csv.read_csv(io.BytesIO(block), options, self.parse, self.convert)
            if table.num_rows != count:
                raise pa.ArrowInvalid("a row spans lines")
        except (pa.ArrowInvalid, UnicodeDecodeError) as error:
            if count == 1:
                self._set_aside(first_line, block, str(error))
                return
            middle = len(block) // 2
            middle = block.find(b"\n", middle) + 1 or block.rfind(b"\n", 0, middle) + 1
            if middle in (0, len(block)):
                middle = block.rfind(b"\n", 0, len(block) - 1) + 1
            self.take(first_line, block[:middle])
            self.take(first_line + block.count(b"\n", 0, middle), block[middle:])
            return
        self._add(first_line, table)

    def _add(self, first_line: int, table: pa.Table) -> None:
        lines = np.arange(first_line, first_line + table.num_rows)
        if self.found.packed:
            numbers, good = self._unpacked(table, lines)
        else:
            numbers = np.empty((table.num_rows, self.count), np.uint8 if self.found.whole else np.float32)
            for at in range(self.count):
                numbers[:, at] = table.column(at).to_numpy()
            good = np.ones(len(lines), bool)
        if not self.found.whole:
            numbers *= self.found.scale
            with np.errstate(invalid="ignore"):
                fits = (numbers >= 0) & (numbers <= 255)
            if self.found.scale == 1:
                fits = np.logical_and(fits, numbers == np.rint(numbers))
            bad = good & ~fits.all(axis=1)
            for line in lines[bad]:
                self._quarantine(int(line), f"a pixel is no number that fits {self._allowed()}")
            good = good & ~bad
            numbers = np.rint(np.where(good[:, None], numbers, 0)).astype(np.uint8)
        self.pixels.append(numbers[good])
        self.lines.append(lines[good])
        self.used += int(good.sum())
        for offset, at in enumerate(self.kept):
            cells = table.column(len(self.found.pixels) + offset).to_pylist()
            self.cells[at] += [cell for cell, keep in zip(cells, good, strict=True) if keep]

    def _unpacked(self, table: pa.Table, lines: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Numbers (n, pixels) of cells that hold a whole picture each, and which of these could be read (n,)."""
        cells = table.column(0)
        kind = pa.uint8() if self.found.whole else pa.float32()
        parts = pc.utf8_split_whitespace(pc.utf8_trim_whitespace(cells)).combine_chunks()
        counts = pc.list_value_length(parts).to_numpy(zero_copy_only=False)
        good = counts == self.count
        numbers = np.zeros((len(lines), self.count), np.uint8 if self.found.whole else np.float32)
        for place in np.flatnonzero(~good):
            if not any(str(cell).strip() for cell in table.slice(place, 1).to_pylist()[0].values()):
                self.skipped.append(Skipped(self.name, "a blank line", int(lines[place])))
            else:
                told = f"{counts[place]:,} numbers where a picture has {self.count:,}"
                self._quarantine(int(lines[place]), told)
        try:
            numbers[good] = parts.filter(pa.array(good)).flatten().cast(kind).to_numpy().reshape(-1, self.count)
            return numbers, good
        except pa.ArrowInvalid:  # somewhere stands what is no such number: each row is tried alone
            for place in np.flatnonzero(good):
                try:
                    numbers[place] = parts[int(place)].values.cast(kind).to_numpy()
                except pa.ArrowInvalid as error:
                    self._bad_pixel(int(lines[place]), str(error))
                    good[place] = False
        return numbers, good

    def _allowed(self) -> str:
        return "0 to 1" if self.found.scale == 255 else "whole numbers from 0 to 255"

    def _set_aside(self, line: int, row: bytes, problem: str) -> None:
        text = row.decode(self.encoding, "replace").strip()
        if not text.strip(",;\t| "):
            self.skipped.append(Skipped(self.name, "a blank line", line))
            return
        cells = text.count(self.parse.delimiter) + 1
        if cells != self.width:
            self._quarantine(line, f"{cells} cells where the table has {self.width} columns")
        else:
            self._bad_pixel(line, problem.splitlines()[0].rpartition("CSV conversion error to ")[2])

    def _bad_pixel(self, line: int, detail: str) -> None:
        self._quarantine(line, f"a pixel does not fit {self._allowed()}: {detail}")

    def _quarantine(self, line: int, reason: str) -> None:
        self.quarantined.append(Quarantined(self.name, reason, "correct or remove the row", line))
        if len(self.quarantined) > max(_MOST_BAD, 2 * self.used):
            raise DataError(
                "most rows are no pictures",
                path=self.path,
                line=line,
                got=reason,
                allowed=f"{self.count} pixels a row, {self._allowed()}",
                fix="see how the table was written",
            )

    def result(self) -> PixelRows:
        """Everything taken so far, in one piece."""
        flat = np.concatenate(self.pixels) if self.pixels else np.empty((0, self.count), np.uint8)
        lines = np.concatenate(self.lines) if self.lines else np.empty(0, np.int64)
        pixels = flat.reshape(-1, *self.found.shape)
        return PixelRows(pixels, lines, self.cells, self.quarantined, self.skipped)
