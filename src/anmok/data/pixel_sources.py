"""Where a loader gets stored pictures from: `gather(rows)`, from a mapped file, from memory, or decoded on the way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Protocol

import numpy as np

from anmok.core.errors import DataError, PictureError
from anmok.core.preparation import Preparation
from anmok.core.types import Pictures
from anmok.data.decoding import TIMEOUT, DecodingPool
from anmok.data.locks import share
from anmok.data.records import Layout

VANISHED = "start again: pictures that cannot be read are then set aside"
_RESIDENT = 64 << 20  # bytes read through one mapping before it is renewed


class PixelSource(Protocol):
    """Stored pictures by row. Rows are positions in the entries that the source was built from."""

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Pictures uint8 (n, store, store, C) of the rows int (n,), in their order; a copy."""

    def __len__(self) -> int: ...


class ArrayPixels:
    """Pictures that lie in memory at the right size already: rows `order` of `array` (N, store, store, C)."""

    def __init__(self, array: np.ndarray, order: np.ndarray) -> None:
        self.array = array
        in_order = len(order) == len(array) and bool((order == np.arange(len(array))).all())
        self.order = None if in_order else order

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """See `PixelSource`."""
        return self.array[rows if self.order is None else self.order[rows]]

    def __len__(self) -> int:
        return len(self.array) if self.order is None else len(self.order)


class MappedPixels:
    """Pictures in a file of raw bytes (N, store, store, C), or records (N, bytes), read through a memory map.

    Pages that were read count as this process's memory until they are unmapped, so the map is renewed from time to
    time: memory does not grow with the number of pictures. Pickles as path and shape; while it lives, the file is
    marked as in use and other processes do not evict it.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path, self.shape = path, shape
        self._pixels: np.ndarray | None = None
        self._in_use: IO[bytes] | None = None
        self._read = 0
        self._open()

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """See `PixelSource`."""
        pixels = self._open()
        found = pixels[rows]
        self._read += found.nbytes
        if self._read > _RESIDENT:
            self._pixels, self._read = None, 0
        return found

    def _open(self) -> np.ndarray:
        if self._pixels is None:
            if self._in_use is None:
                self._in_use = self.path.open("rb")
                share(self._in_use)
            # From the open file, not its path: it stays the same one even if a newer build took its place.
            self._pixels = np.asarray(np.memmap(self._in_use, dtype=np.uint8, mode="r", shape=self.shape))
        return self._pixels

    def __len__(self) -> int:
        return self.shape[0]

    def __getstate__(self) -> dict[str, Any]:
        return {"path": self.path, "shape": self.shape}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(**state)  # type: ignore[misc]


class StreamedPixels:
    """Pictures decoded each time they are asked for, by a pool of workers that starts with the first.

    Pickled, or inherited by a fork, it starts workers of its own.
    """

    def __init__(
        self,
        pictures: Pictures,
        locators: Sequence[str | int],
        preparation: Preparation | Layout,
        *,
        workers: int | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self.pictures, self.locators, self.preparation = pictures, locators, preparation
        self.workers, self.timeout = workers, timeout
        self._pool: DecodingPool | None = None
        self._owner = 0

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """See `PixelSource`. Raises `DataError` where a picture cannot be decoded (any more)."""
        out = np.empty((len(rows), *self.preparation.shape), dtype=np.uint8)
        found = self._open().map([self.locators[row] for row in rows])
        for place, picture in enumerate(found):
            if isinstance(picture, PictureError):
                raise DataError(f"a picture could be decoded before and no longer can: {picture}", fix=VANISHED)
            out[place] = picture.pixels
        return out

    def _open(self) -> DecodingPool:
        if self._pool is None or self._owner != os.getpid():
            self._pool = DecodingPool(self.pictures, self.preparation, workers=self.workers, timeout=self.timeout)
            self._owner = os.getpid()
        return self._pool

    def close(self) -> None:
        """End the workers; they start again when needed."""
        if self._pool is not None and self._owner == os.getpid():
            self._pool.close()
        self._pool = None

    def __len__(self) -> int:
        return len(self.locators)

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_pool": None, "_owner": 0}
