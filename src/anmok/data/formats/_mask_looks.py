"""What masks hold, before anything is made of it: their sizes, and each value or colour with its pixels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.stored import read_stored
from anmok.data.stores import FilePictures

_THREADS = 4  # Pillow decodes without holding up the other threads
_FEW = 50  # masks for which threads are not worth starting
_MOST_COLOURS = 4096  # distinct colours of one file beyond which it is no mask


@dataclass(frozen=True)
class Look:
    """One mask. `values`: value → pixels, of files with one channel (greys count as such); else `colours`: 0xrrggbb →
    pixels. `shown`: value → the colour that it stands for, where the file has a palette."""

    size: tuple[int, int]
    values: dict[int, int] | None
    colours: dict[int, int]
    lossy: bool
    shown: dict[int, int] | None = None


@dataclass
class Looks:
    """All masks of a data set: what could be read, and why the others could not."""

    read: dict[str, Look]
    broken: dict[str, PictureError]

    @property
    def values(self) -> Counter[int]:
        """Pixels by value, over all masks that have values."""
        return _sum(look.values for look in self.read.values() if look.values is not None)

    @property
    def colours(self) -> Counter[int]:
        """Pixels by colour shown, over all masks."""
        return _sum(shown_colours(look) for look in self.read.values())

    @property
    def lossy(self) -> int:
        """Masks compressed with loss."""
        return sum(look.lossy for look in self.read.values())

    @property
    def has_colours(self) -> bool:
        """Whether only colours tell the classes: masks without values, or one value in two colours by two palettes."""
        told: dict[int, int] = {}
        pairs = [pair for look in self.read.values() for pair in (look.shown or {}).items()]
        differ = any(told.setdefault(value, colour) != colour for value, colour in pairs)
        return differ or any(look.values is None for look in self.read.values())


def shown_colours(look: Look) -> dict[int, int]:
    """0xrrggbb → pixels."""
    if look.values is None:
        return look.colours
    shown: Counter[int] = Counter()
    for value, pixels in look.values.items():
        shown[look.shown[value] if look.shown is not None else min(value, 255) * 0x010101] += pixels
    return shown


def look_at(root: Path, paths: Sequence[str]) -> Looks:
    """Read masks and count what is in them."""
    store, looks = FilePictures(root), Looks({}, {})

    def look(path: str) -> Look | PictureError:
        try:
            return _look(store.path(path))
        except PictureError as error:
            return error

    with ThreadPoolExecutor(_THREADS) as threads:
        several = (threads.map if len(paths) > _FEW else map)(look, paths)
        for path, found in zip(paths, several, strict=True):
            if isinstance(found, PictureError):
                looks.broken[path] = found
            else:
                looks.read[path] = found
    return looks


def _look(path: Path) -> Look:
    stored = read_stored(path)
    values = stored.values
    height, width = values.shape[:2]
    if values.ndim == 3 and (values[..., :1] == values[..., 1:]).all():
        values = values[..., 0]
    if values.ndim == 2:
        counts = np.bincount(values.ravel())
        found = {int(value): int(counts[value]) for value in np.flatnonzero(counts)}
        if stored.palette is None:
            return Look((height, width), found, {}, stored.lossy)
        codes = _codes(stored.palette)
        shown = {value: int(codes[value]) for value in found}
        return Look((height, width), found, {}, stored.lossy, shown)
    distinct, pixels = np.unique(_codes(values).ravel(), return_counts=True)
    if len(distinct) > _MOST_COLOURS and not stored.lossy:
        raise PictureError("this is no mask but a picture", path=path, got=f"{len(distinct):,} colours",
                           allowed=f"{_MOST_COLOURS:,} colours", fix="put a mask in its place")  # fmt: skip
    return Look((height, width), None, dict(zip(distinct.tolist(), pixels.tolist(), strict=True)), stored.lossy)


def _codes(colours: np.ndarray) -> np.ndarray:
    wide = colours.astype(np.int32)
    return (wide[..., 0] << 16) | (wide[..., 1] << 8) | wide[..., 2]


def _sum(counts: Iterable[dict[int, int]]) -> Counter[int]:
    total: Counter[int] = Counter()
    for one in counts:
        total.update(one)
    return total
