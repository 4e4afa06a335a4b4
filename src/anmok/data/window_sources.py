"""Windows cut from whole pictures, each of its own size: from a file of records, or decoded on the way."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from anmok.core.errors import DataError, PictureError
from anmok.core.types import Pictures
from anmok.data.decoding import DecodingPool
from anmok.data.locks import share
from anmok.data.pixel_sources import VANISHED, read_into
from anmok.data.records import FILLS, PLANES, Layout, Stored

Part = Callable[[str, slice, slice], np.ndarray]  # a rectangle (rows, columns) of a picture's "pixels" or mask
_LINES_FROM = 4  # times as wide as its window, a picture is read line by line, else in whole lines at once
_AHEAD = 4  # whole pictures that are in memory at once while they are decoded on the way


class WindowSource(Protocol):
    """Whole pictures by row. `sizes` int (N, 2): height and width of each; 0 where a picture is bad."""

    sizes: np.ndarray

    def windows(self, rows: np.ndarray, corners: np.ndarray, side: int) -> Stored:
        """Squares of `side` whose upper left pixels are `corners` int (n, 2), (top, left), of the rows int (n,).

        What lies outside a picture is the mean colour, ignored, and no instance.
        """


class FiledWindows:
    """Records of whole pictures one after the other in a file, of which only windows are read. Pickles as its path."""

    def __init__(self, path: Path, layout: Layout, sizes: np.ndarray) -> None:
        self.path, self.layout, self.sizes = path, layout, sizes
        lengths = np.array([layout.length((int(h), int(w))) if h else 0 for h, w in sizes], np.int64)
        self._starts = (lengths.cumsum() - lengths).tolist()
        self._file = path.open("rb", buffering=0)  # one file, even if a newer build takes its place
        share(self._file)

    def windows(self, rows: np.ndarray, corners: np.ndarray, side: int) -> Stored:
        """See `WindowSource`. Raises `DataError` where the file is shorter than it was."""
        return _windows(
            (partial(self._part, row) for row in rows.tolist()), self.layout, self.sizes[rows], corners, side
        )

    def _part(self, row: int, name: str, down: slice, across: slice) -> np.ndarray:
        """A rectangle of one picture's pixels (h, w, C), or of one of its masks (h, w)."""
        height, width = self.sizes[row].tolist()
        start, kind, shape = self.layout.place(name, (height, width))
        step = math.prod(shape[1:]) * kind.itemsize  # bytes of a line of the picture
        pixel = step // width  # bytes
        first = self._starts[row] + start + down.start * step
        if width <= _LINES_FROM * (across.stop - across.start):
            lines = self._read(first, (down.stop - down.start) * step).view(kind).reshape(-1, *shape[1:])
            return lines[:, across]
        length = (across.stop - across.start) * pixel
        starts = range(first + across.start * pixel, first + (down.stop - down.start) * step, step)
        each = np.stack([self._read(start, length) for start in starts])
        return each.view(kind).reshape(len(each), -1, *shape[2:])

    def _read(self, offset: int, length: int) -> np.ndarray:
        found = bytearray(length)
        if read_into(self._file.fileno(), memoryview(found), offset) < length:
            raise DataError("the cache of decoded pictures was cut short", path=self.path, fix=VANISHED)
        return np.frombuffer(found, np.uint8)

    def __len__(self) -> int:
        return len(self.sizes)

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "layout": self.layout, "sizes": self.sizes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class StreamedWindows:
    """Whole pictures decoded each time a window of them is asked for, a few at a time."""

    def __init__(
        self, pictures: Pictures, locators: Sequence[Any], layout: Layout, sizes: np.ndarray, *, workers: int | None,
        timeout: float,
    ) -> None:  # fmt: skip
        self.pictures, self.locators, self.layout, self.sizes = pictures, locators, layout, sizes
        self.workers, self.timeout = workers, timeout
        self._pool: DecodingPool | None = None
        self._owner = 0

    def windows(self, rows: np.ndarray, corners: np.ndarray, side: int) -> Stored:
        """See `WindowSource`. Raises `DataError` where a picture cannot be decoded (any more)."""
        return _windows(self._parts(rows), self.layout, self.sizes[rows], corners, side)

    def _parts(self, rows: np.ndarray) -> Iterator[Part]:
        if self._pool is None or self._owner != os.getpid():
            self._pool = DecodingPool(self.pictures, self.layout, workers=self.workers, timeout=self.timeout)
            self._owner = os.getpid()
        for start in range(0, len(rows), _AHEAD):
            few = rows[start : start + _AHEAD]
            for row, found in zip(few, self._pool.map([self.locators[row] for row in few]), strict=True):
                if isinstance(found, PictureError):
                    raise DataError(f"a picture could be decoded before and no longer can: {found}", fix=VANISHED)
                yield partial(self._part, found.pixels, tuple(self.sizes[row].tolist()))

    def _part(self, record: np.ndarray, size: tuple[int, int], name: str, down: slice, across: slice) -> np.ndarray:
        start, kind, shape = self.layout.place(name, size)
        return record[start : start + math.prod(shape) * kind.itemsize].view(kind).reshape(shape)[down, across]

    def close(self) -> None:
        """End the workers; they start again when needed."""
        if self._pool is not None and self._owner == os.getpid():
            self._pool.close()
        self._pool = None

    def __len__(self) -> int:
        return len(self.sizes)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_pool": None, "_owner": 0}


def _windows(parts: Iterator[Part], layout: Layout, sizes: np.ndarray, corners: np.ndarray, side: int) -> Stored:
    n, fill = len(sizes), layout.preparation.fill
    out = {"pixels": np.full((n, side, side, len(fill)), np.array(fill, np.uint8))}
    out |= {name: np.full((n, side, side), FILLS[name], PLANES[name]) for name in layout.planes}
    for k, (part, size, corner) in enumerate(zip(parts, sizes.tolist(), corners.tolist(), strict=True)):
        here = [slice(max(start, 0), min(start + side, end)) for start, end in zip(corner, size, strict=True)]
        there = [slice(inside.start - start, inside.stop - start) for inside, start in zip(here, corner, strict=True)]
        if all(inside.start < inside.stop for inside in here):
            for name, canvas in out.items():
                canvas[k, there[0], there[1]] = part(name, *here)
    return Stored(sizes=sizes.astype(np.int32), **out)
