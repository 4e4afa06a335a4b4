"""What the generator of a damaged data set knows to be true of it: the oracle, kept while the damage is done."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

Key = str | tuple[str, int]  # a file's path below the root, or a table and the line in it
Told = tuple[tuple[str, tuple[float, ...]], ...]  # boxes: class and xyxy of each, sorted


@dataclass
class Ledger:
    """`good` items must be used with this target and these pixels (None: any), `bad` ones quarantined, and of the
    `doubtful` ones each must end somewhere. Targets are a class, boxes (`Told`), or a map of numbers that name classes.
    `files` and `rows` count what is there; None where nobody can know. `fatal` says why the data must be refused,
    `may_refuse` that it may be. Of rows of boxes, `spoilt_rows` are bad, and `lost_rows` more lost their picture.
    `path`: an archive to be read instead of the folder."""

    format: str
    good: dict[Key, tuple[str | Told | np.ndarray | None, np.ndarray | None]] = field(default_factory=dict)
    bad: set[Key] = field(default_factory=set)
    doubtful: set[Key] = field(default_factory=set)
    files: int | None = 0
    rows: int | None = None
    fatal: str | None = None
    may_refuse: bool = False
    spoilt_rows: int | None = None
    lost_rows: int = 0
    path: Path | None = None
    story: list[str] = field(default_factory=list)

    def spoil(self, key: Key, what: str) -> None:
        """A good item becomes a bad one."""
        self.good.pop(key, None)
        self.doubtful.discard(key)
        self.bad.add(key)
        self.story.append(f"{key}: {what}")


def picture(rng: np.random.Generator, side: int = 8) -> np.ndarray:
    """Distinct noise: uint8 (side, side)."""
    return rng.integers(0, 256, (side, side), dtype=np.uint8)


def encoded(pixels: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    (pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)).save(stream, kind, **options)
    return stream.getvalue()


def write(path: Path | bytes, content: bytes) -> None:
    path = os.fsencode(path)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
