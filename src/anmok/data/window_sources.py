"""Windows cut from whole pictures, each of its own size: from a mapped file of records, or decoded on the way."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from anmok.core.errors import DataError, PictureError
from anmok.core.types import Pictures
from anmok.data.decoding import DecodingPool
from anmok.data.locks import share
from anmok.data.pixel_sources import VANISHED
from anmok.data.records import FILLS, PLANES, Layout, Stored

_RESIDENT = 64 << 20  # bytes read through one mapping before it is renewed
_AHEAD = 4  # whole pictures that are in memory at once while they are decoded on the way


class WindowSource(Protocol):
    """Whole pictures by row. `sizes` int (N, 2): height and width of each; 0 where a picture is bad."""

    sizes: np.ndarray

    def windows(self, rows: np.ndarray, corners: np.ndarray, side: int) -> Stored:
        """Squares of `side` whose upper left pixels are `corners` int (n, 2), (top, left), of the rows int (n,).

        What lies outside a picture is the mean colour, ignored, and no instance.
        """


class MappedWindows:
    """Records of whole pictures one after the other in a file. Pickles as path, layout and sizes."""

    def __init__(self, path: Path, layout: Layout, sizes: np.ndarray) -> None:
        self.path, self.layout, self.sizes = path, layout, sizes
        lengths = np.array([layout.length((int(h), int(w))) if h else 0 for h, w in sizes], np.int64)
        self._starts = np.concatenate([[0], lengths.cumsum()])
        self._records: np.ndarray | None = None
        self._in_use: IO[bytes] | None = None
        self._read = 0
        self._open()

    def windows(self, rows: np.ndarray, corners: np.ndarray, side: int) -> Stored:
        """See `WindowSource`."""
        records = self._open()
        cut = _windows(
            (records[self._starts[row] : self._starts[row + 1]] for row in rows), self.layout, self.sizes[rows],
            corners, side,
        )  # fmt: skip
        self._read += len(rows) * self.layout.length((side, side))
        if self._read > _RESIDENT:
            self._records, self._read = None, 0
        return cut

    def _open(self) -> np.ndarray:
        if self._records is None:
            if self._in_use is None:
                self._in_use = self.path.open("rb")
                share(self._in_use)
            self._records = np.asarray(np.memmap(self._in_use, np.uint8, mode="r", shape=(int(self._starts[-1]),)))
        return self._records

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
        return _windows(self._records(rows), self.layout, self.sizes[rows], corners, side)

    def _records(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        if self._pool is None or self._owner != os.getpid():
            self._pool = DecodingPool(self.pictures, self.layout, workers=self.workers, timeout=self.timeout)
            self._owner = os.getpid()
        for start in range(0, len(rows), _AHEAD):
            for found in self._pool.map([self.locators[row] for row in rows[start : start + _AHEAD]]):
                if isinstance(found, PictureError):
                    raise DataError(f"a picture could be decoded before and no longer can: {found}", fix=VANISHED)
                yield found.pixels

    def close(self) -> None:
        """End the workers; they start again when needed."""
        if self._pool is not None and self._owner == os.getpid():
            self._pool.close()
        self._pool = None

    def __len__(self) -> int:
        return len(self.sizes)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_pool": None, "_owner": 0}


def _windows(
    records: Iterator[np.ndarray], layout: Layout, sizes: np.ndarray, corners: np.ndarray, side: int
) -> Stored:
    n, channels = len(sizes), layout.preparation.channels
    pixels = np.empty((n, side, side, channels), np.uint8)
    pixels[:] = layout.preparation.fill
    planes = {name: np.full((n, side, side), FILLS[name], PLANES[name]) for name in layout.planes}
    for k, (record, (height, width), (top, left)) in enumerate(
        zip(records, sizes.tolist(), corners.tolist(), strict=True)
    ):
        here = np.s_[max(top, 0) : max(top + side, 0), max(left, 0) : max(left + side, 0)]
        whole, masks = layout.whole_parts(record, (height, width))
        for target, part in ((pixels, whole), *((planes[name], masks[name]) for name in layout.planes)):
            window = part[here]
            down, right = max(-top, 0), max(-left, 0)
            target[k, down : down + window.shape[0], right : right + window.shape[1]] = window
    return Stored(pixels, sizes.astype(np.int32), **planes)
