"""Pictures that are two: the halves of files, each a picture of its own."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.pictures import Decoded
from anmok.data.stores import FilePictures

_SIDES = ("#left", "#right")


def half(path: str, side: int) -> str:
    """The locator of the left (0) or right (1) half of a file."""
    return path + _SIDES[side]


@dataclass(frozen=True)
class SideBySide:
    """Halves of picture files; a locator is what `half` makes of a path below the root."""

    files: FilePictures

    def read(self, locator: str | int) -> np.ndarray:
        """Pixels uint8 (H, W, 1 or 3) of the half, in full. Raises `PictureError`."""
        return self.decode(locator).pixels

    def decode(self, locator: str | int, at_least: int | None = None) -> Decoded:
        """As `FilePictures.decode`, of the half. Raises `PictureError`."""
        path, side = _apart(locator)
        found = self.files.decode(path, at_least)
        width = found.pixels.shape[1] // 2
        pixels = found.pixels[:, side * width : (side + 1) * width]
        height, both = found.original_size
        return replace(found, pixels=np.ascontiguousarray(pixels), original_size=(height, both // 2))

    def identity(self, locator: str | int) -> bytes:
        """That of the file, and the side. Raises `PictureError` where the file is gone."""
        path, side = _apart(locator)
        return self.files.identity(path) + _SIDES[side].encode()


def _apart(locator: str | int) -> tuple[str, int]:
    """(path, 0 or 1). Raises `PictureError` where the locator names no half."""
    path, mark, side = str(locator).rpartition("#")
    if mark + side not in _SIDES:
        raise PictureError("this names no half of a picture", path=str(locator), allowed=" or ".join(_SIDES))
    return path, _SIDES.index(mark + side)
