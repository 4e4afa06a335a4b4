"""The folder of pixel caches: names, limits, building under a lock, atomic publication, eviction.

<folder>/<key>/pixels.u8     raw bytes (N, store, store, C), or records (see `anmok.data.records`)
<folder>/<key>/about.json    what was found while decoding; without pixels.u8, all that is kept
<folder>/<key>.lock          held by the process that builds this one
<folder>/<key>.partial-…/    being built; removed by whoever holds the lock next
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from anmok.data.locks import exclusive

PIXELS, ABOUT = "pixels.u8", "about.json"
_GIB = 1 << 30
_LOOK = 0.05  # seconds between two looks at what another process builds
_STALLED = 60.0  # seconds without a new byte after which another process's build is not waited for


def cache_folder() -> Path:
    """`ANMOK_CACHE`, else the platform's folder for a user's caches; made by the first build."""
    chosen = os.environ.get("ANMOK_CACHE")
    if chosen:
        return Path(chosen).expanduser()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA", "~\\AppData\\Local"))
    elif sys.platform == "darwin":
        base = Path("~/Library/Caches")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache")
    return base.expanduser() / "anmok" / "pixels"


@dataclass(frozen=True)
class PixelCache:
    """All caches in one folder.

    Args:
        folder: where they lie.
        limit: bytes that one cache may take; None takes 8 GiB, or 20 % of the free disk if that is less.
        total: bytes that all together may take before the least recently used are removed; None takes 16 GiB, or twice
            `limit` if that is more.
    """

    folder: Path
    limit: int | None = None
    total: int | None = None

    def room(self) -> int:
        """Bytes that a new cache may take."""
        if self.limit is not None:
            return self.limit
        existing = next((path for path in (self.folder, *self.folder.absolute().parents) if path.exists()), Path())
        return min(8 * _GIB, shutil.disk_usage(existing).free // 5)

    def find(self, key: str) -> tuple[dict[str, Any] | None, Path, int]:
        """What is known about `key`, its pixel file, and how many bytes that has: -1 without one. Counts as a use."""
        about = self.folder / key / ABOUT
        pixels = self.folder / key / PIXELS
        try:
            known = json.loads(about.read_bytes())
            size = pixels.stat().st_size if pixels.is_file() else -1
        except (OSError, ValueError):
            return None, pixels, -1
        with contextlib.suppress(OSError):  # a read-only cache serves as well
            os.utime(about)
        return known, pixels, size

    @contextmanager
    def building(self, key: str, on_wait: Callable[[int], None]) -> Iterator[None]:
        """Hold the lock of `key`, after waiting for another process that is building it and gets on.

        A build that stands still is not waited for: both then build, and the first to finish is kept.

        Args:
            on_wait: called with the bytes that the other has written so far.

        Raises:
            OSError: the folder cannot be written to.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        waited, seen = time.monotonic(), -1
        while True:
            with exclusive(self.folder / f"{key}.lock") as mine:
                if mine:
                    for left in self.folder.glob(f"{key}.partial-*"):
                        shutil.rmtree(left, ignore_errors=True)
                    yield
                    return
            size = sum(_size(part) for part in self.folder.glob(f"{key}.partial-*"))
            on_wait(size)
            if size != seen:
                waited, seen = time.monotonic(), size
            if time.monotonic() - waited > _STALLED:
                yield
                return
            time.sleep(_LOOK)

    def evict(self, keep: str) -> None:
        """Remove the least recently used caches, and what killed builds left, until all fit the total limit."""
        total = self.total if self.total is not None else max(16 * _GIB, 2 * (self.limit or 0))
        for left in self.folder.glob("*.partial-*"):
            self._remove(left, left.name.split(".")[0])
        caches = sorted((path for path in self.folder.iterdir() if (path / ABOUT).is_file()), key=_last_use)
        sizes = {path: _size(path) for path in caches}
        for path in caches:
            if sum(sizes.values()) <= total:
                break
            if path.name != keep and self._remove(path, path.name):
                del sizes[path]

    def _remove(self, path: Path, key: str) -> bool:
        with contextlib.suppress(OSError), exclusive(self.folder / f"{key}.lock") as unused:
            if unused and not _in_use(path / PIXELS):
                shutil.rmtree(path)
                return True
        return False


class Draft:
    """A cache while it is being written, row by row; nothing of it stays unless it is published whole.

    The first failure of the disk ends it: all was discarded then, `trouble` says why, and further calls do nothing.
    """

    def __init__(self, cache: PixelCache, key: str, row_bytes: int, *, with_pixels: bool) -> None:
        self.trouble: OSError | None = None
        self._final = cache.folder / key
        self._folder = cache.folder / f"{key}.partial-{os.getpid()}-{secrets.token_hex(4)}"
        self._blank = bytes(row_bytes)
        self._pixels: IO[bytes] | None = None
        try:
            self._folder.mkdir()
            if with_pixels:
                self._pixels = (self._folder / PIXELS).open("wb", buffering=1 << 20)
        except OSError as error:
            self._give_up(error)

    def write(self, pixels: np.ndarray | None) -> None:
        """Append a row; None, for a picture that is set aside, appends a blank one."""
        if self._pixels is None:
            return
        try:
            self._pixels.write(self._blank if pixels is None else np.ascontiguousarray(pixels).reshape(-1).data)
        except OSError as error:
            self._give_up(error)

    def publish(self, about: dict[str, Any]) -> Path | None:
        """Move what there is to its final place for good; the pixel file's path, or None without pixels."""
        if self.trouble is not None:
            return None
        try:
            if self._pixels is not None:
                _sync(self._pixels)
                self._pixels.close()
            with (self._folder / ABOUT).open("wb") as file:
                file.write(json.dumps(about, indent=1).encode())
                _sync(file)
            _replace(self._folder, self._final)
        except OSError as error:
            self._give_up(error)
            return None
        return None if self._pixels is None else self._final / PIXELS

    def discard(self) -> None:
        """Leave nothing behind. Harmless after `publish`."""
        if self._pixels is not None:
            with contextlib.suppress(OSError):  # flushing the rest to a full disk
                self._pixels.close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _give_up(self, error: OSError) -> None:
        self.trouble = error
        self.discard()
        self._pixels = None


def _replace(folder: Path, final: Path) -> None:
    """Rename; what is there already is stale (the caller looked under the lock) and makes room."""
    _sync_folder(folder)
    try:
        folder.rename(final)
    except OSError:
        old = final.with_name(f"{folder.name}-old")
        final.rename(old)
        folder.rename(final)
        shutil.rmtree(old, ignore_errors=True)
    _sync_folder(final.parent)


def _sync(file: IO[bytes]) -> None:
    file.flush()
    os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "nt":
        return  # folders cannot be opened there
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _size(folder: Path) -> int:
    total = 0
    for path in folder.glob("*"):
        with contextlib.suppress(OSError):
            total += path.stat().st_size
    return total


def _last_use(folder: Path) -> float:
    try:
        return (folder / ABOUT).stat().st_mtime
    except OSError:
        return 0.0


def _in_use(pixels: Path) -> bool:
    if not pixels.exists():
        return False
    with exclusive(pixels) as alone:
        return not alone
