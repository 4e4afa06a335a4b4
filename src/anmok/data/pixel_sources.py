"""Where a loader gets stored pictures from: `gather(rows)`, from a file, from memory, or decoded on the way."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from anmok.core.errors import DataError, PictureError
from anmok.core.preparation import Preparation
from anmok.core.types import Pictures
from anmok.data.decoding import TIMEOUT, DecodingPool
from anmok.data.locks import share
from anmok.data.records import Layout

_SEEKING = threading.Lock()
PART = 3 << 20  # bytes: what fits a processor's cache is looked through in two thirds of the time
VANISHED = "start again: pictures that cannot be read are then set aside"


def read_into(descriptor: int, place: memoryview, offset: int) -> int:
    """Fill `place` from an open file; how many bytes there were."""
    if hasattr(os, "preadv"):
        return os.preadv(descriptor, [place], offset)
    with _SEEKING:  # Windows: one position for all threads
        os.lseek(descriptor, offset, os.SEEK_SET)
        found = os.read(descriptor, len(place))
    place[: len(found)] = found
    return len(found)


def in_parts(
    gather: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, at_once: int = PART
) -> Iterator[tuple[slice, np.ndarray]]:
    """Pictures uint8 (n, S, S, C) of all rows (N,) in order, a few at a time, each part with its place among the rows.

    Args:
        gather: pictures of some rows.
        rows: whose.
        at_once: bytes of a part.
    """
    start, each = 0, 1  # the first one tells how large they are
    while start < len(rows):
        pixels = gather(rows[start : start + each])
        yield slice(start, start + len(pixels)), pixels
        start += len(pixels)
        each = max(1, at_once // max(1, pixels[0].nbytes))


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


class FiledPixels:
    """Pictures in a file of raw bytes (N, store, store, C), or records (N, bytes), read row by row.

    Read, not mapped: the kernel maps up to 2 MiB around every place a map is touched at, and all of that counts as this
    process's memory. Pickles as path and shape; while it lives, the file is marked as in use and other processes do not
    evict it.
    """

    def __init__(self, path: Path, shape: tuple[int, ...]) -> None:
        self.path, self.shape = path, shape
        self._file = self.path.open("rb", buffering=0)  # one file, even if a newer build takes its place
        share(self._file)

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """See `PixelSource`. Raises `DataError` where the file is shorter than it was."""
        found = np.empty((len(rows), *self.shape[1:]), np.uint8)
        places, length = found.reshape(len(rows), -1), int(np.prod(self.shape[1:]))
        descriptor = self._file.fileno()
        for place, row in zip(places, np.asarray(rows).tolist(), strict=True):
            if read_into(descriptor, place.data, row * length) < length:
                raise DataError("the cache of decoded pictures was cut short", path=self.path, fix=VANISHED)
        return found

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
