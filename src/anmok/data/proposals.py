"""Proposals for whole data sets: found once, kept on the disk by what the pictures show, and moved with the pictures.

<cache>/proposals/<two letters>/<key>.f32     float32 (R, 4), raw; the key follows from pixels and settings
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from anmok.core.errors import UnwrittenError
from anmok.core.files import write_atomic
from anmok.core.preparation import centre_crop
from anmok.core.selective_search import Search
from anmok.core.targets import Objects
from anmok.data.labelled_sources import LabelledSource
from anmok.data.places import cache_folder

FORMAT = 1  # another one where the same settings find other proposals
KEPT = 1 << 30  # bytes on the disk; the least recently used go


class KeptSearch(Search):
    """`Search` that looks on the disk first, and keeps what it finds there."""

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Proposals of a picture uint8 (H, W, 1 or 3): float32 (R, 4), xyxy in its pixels; looked up, or found."""
        kept = cache_folder("proposals") / self._place(pixels)
        with suppress(OSError, ValueError):
            boxes = np.frombuffer(kept.read_bytes(), np.float32).reshape(-1, 4)
            os.utime(kept)
            if np.isfinite(boxes).all():
                return boxes.copy()
        found = self.fresh(pixels)
        with suppress(OSError, UnwrittenError):  # a full or read-only disk costs time, not answers
            kept.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(kept, [found.tobytes()], sync_folder=False)
        return found

    def _place(self, pixels: np.ndarray) -> Path:
        digest = hashlib.blake2b(json.dumps([FORMAT, pixels.shape, asdict(self)]).encode(), digest_size=16)
        digest.update(np.ascontiguousarray(pixels).data)
        key = digest.hexdigest()
        return Path(key[:2]) / f"{key}.f32"


def sweep_kept(limit: int = KEPT) -> None:
    """Delete the proposals that were not used for longest, until the rest fits into `limit` bytes."""
    with suppress(OSError):
        files = [(path, path.stat()) for path in cache_folder("proposals").glob("*/*.f32")]
        over = sum(status.st_size for _, status in files) - limit
        for path, status in sorted(files, key=lambda one: one[1].st_mtime):
            if over <= 0:
                return
            path.unlink()
            over -= status.st_size


class Proposals(Sequence[Objects]):
    """The proposals of stored pictures, in the pixels of the originals, where training moves them with the objects.

    Args:
        search: how they are found.
        source: whole pictures, see `anmok.data.labelled_sources.for_judging`.
        rows: which of them.
    """

    def __init__(self, search: Search, source: LabelledSource, rows: np.ndarray) -> None:
        self.search, self.source, self.rows = search, source, rows
        self._found: list[Objects | None] = [None] * len(rows)

    def __len__(self) -> int:
        return len(self._found)

    def __getitem__(self, row: int) -> Objects:  # type: ignore[override]
        """One picture's proposals as objects of class 0; searched when first asked for."""
        known = self._found[row]
        if known is None:
            preparation = self.source.layout.preparation
            stored, _ = self.source.gather(self.rows[row : row + 1], None)
            height, width = stored.sizes[0].tolist()
            boxes = self.search(centre_crop(stored.pixels, preparation.size)[0])
            back = preparation.geometry((height, width), seen=True).inverse().boxes(boxes)
            known = self._found[row] = Objects(back, np.zeros(len(back), np.int64))
        return known

    def find(self, on_progress: Callable[[int, int], None] = lambda done, total: None) -> None:
        """Search all pictures now, on all cores."""
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            for done, _ in enumerate(pool.map(self.__getitem__, range(len(self))), 1):
                on_progress(done, len(self))
        sweep_kept()
