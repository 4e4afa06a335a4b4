"""Where pixels come from: files below a folder, files anywhere, or the rows of an array.

Beside what the protocol `Pictures` asks for, all of them have `decode(locator, at_least)`: workers use it to read large
JPEGs at reduced size, with the same result wherever a file is met; and `frame(locator)`, which decodes nothing. Files
have `load(locator, preparation)` as well: decoded and fitted in one go, which spares two copies.
"""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.pictures import MAX_PIXELS, Decoded, decode_with_notes, load_picture, read_frame
from anmok.core.preparation import Preparation
from anmok.core.seen import Seen
from anmok.core.targets import Frame


@dataclass(frozen=True)
class FilePictures:
    """Picture files below `root`; a locator is a path below it, with forward slashes.

    Links inside the folder are followed wherever its owner made them point; a locator that climbs out of the folder
    by `..`, or is absolute, is refused.
    """

    root: Path
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(self.root))

    def path(self, locator: str | int) -> Path:
        """Where the file lies. Raises `PictureError` where that is outside the root."""
        plain = posixpath.normpath(str(locator))
        outside = PurePosixPath(plain).is_absolute() or plain.split("/")[0] == ".."
        if os.name == "nt":
            windows = PureWindowsPath(plain)
            outside = outside or bool(windows.drive or windows.root) or ".." in windows.parts
        if outside or plain == "." or "\0" in plain:
            raise PictureError(
                "the path leaves the data folder" if outside else "this is no path of a file",
                path=str(locator).replace("\0", "\\0"),
                allowed=f"paths below {self.root}",
                fix="move the picture into the folder, or correct the path",
            )
        return self.root / plain

    def read(self, locator: str | int) -> np.ndarray:
        """Pixels uint8 (H, W, 1 or 3) in full. Raises `PictureError`."""
        return self.decode(locator).pixels

    def decode(self, locator: str | int, at_least: int | None = None) -> Decoded:
        """As `anmok.core.pictures.decode_with_notes`. Raises `PictureError`."""
        return decode_with_notes(self.path(locator), at_least=at_least, max_pixels=self.max_pixels)

    def load(self, locator: str | int, preparation: Preparation | Seen) -> Decoded:
        """As `anmok.core.pictures.load_picture`. Raises `PictureError`."""
        return load_picture(self.path(locator), preparation, max_pixels=self.max_pixels)

    def frame(self, locator: str | int) -> Frame:
        """Size and orientation, from the header. Raises `PictureError`."""
        return read_frame(self.path(locator), max_pixels=self.max_pixels)

    def identity(self, locator: str | int) -> bytes:
        """Size and time of the last change. Raises `PictureError` where the file is gone."""
        return _size_and_time(self.path(locator))


@dataclass(frozen=True)
class PathPictures:
    """Picture files that the user named, wherever they lie; a locator is the path itself."""

    max_pixels: int = MAX_PIXELS

    def read(self, locator: str | int) -> np.ndarray:
        """Pixels uint8 (H, W, 1 or 3) in full. Raises `PictureError`."""
        return self.decode(locator).pixels

    def decode(self, locator: str | int, at_least: int | None = None) -> Decoded:
        """As `anmok.core.pictures.decode_with_notes`. Raises `PictureError`."""
        return decode_with_notes(str(locator), at_least=at_least, max_pixels=self.max_pixels)

    def load(self, locator: str | int, preparation: Preparation | Seen) -> Decoded:
        """As `anmok.core.pictures.load_picture`. Raises `PictureError`."""
        return load_picture(str(locator), preparation, max_pixels=self.max_pixels)

    def frame(self, locator: str | int) -> Frame:
        """Size and orientation, from the header. Raises `PictureError`."""
        return read_frame(str(locator), max_pixels=self.max_pixels)

    def identity(self, locator: str | int) -> bytes:
        """Size and time of the last change. Raises `PictureError` where the file is gone."""
        return _size_and_time(Path(str(locator)))


def _size_and_time(path: Path) -> bytes:
    try:
        found = path.stat()
    except OSError as error:
        raise PictureError(f"the file cannot be read: {error.strerror}", path=path, fix="check the path") from error
    return f"{found.st_size}:{found.st_mtime_ns}".encode()


@dataclass(frozen=True, eq=False)
class ArrayPictures:
    """Pictures already decoded: `array` uint8 (N, H, W, C) with C 1 or 3; a locator is a row, counted from 0.

    `digest` names the content (of the table or archive that the array came from).
    """

    array: np.ndarray
    digest: str | bytes

    in_memory = True  # nothing to decode: needs no decoding workers

    def __post_init__(self) -> None:
        array = self.array
        if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] not in (1, 3):
            raise ValueError(f"array must be uint8 (N, H, W, 1 or 3), got {array.dtype} {array.shape}")

    def read(self, locator: str | int) -> np.ndarray:
        """Pixels uint8 (H, W, C): a view of the row. Raises `PictureError` where there is no such row."""
        if not isinstance(locator, int | np.integer) or not 0 <= locator < len(self.array):
            allowed = f"rows 0 to {len(self.array) - 1}"
            raise PictureError("there is no such row", got=repr(locator), allowed=allowed, fix="correct the row number")
        return self.array[locator]

    def decode(self, locator: str | int, at_least: int | None = None) -> Decoded:
        """The row, with the size and channels it has; `at_least` changes nothing."""
        pixels = self.read(locator)
        return Decoded(pixels, (), (pixels.shape[0], pixels.shape[1]), pixels.shape[2])

    def frame(self, locator: str | int) -> Frame:
        """The row's size. Raises `PictureError` where there is no such row."""
        return self.decode(locator).frame

    def identity(self, locator: str | int) -> bytes:
        """The digest and the row."""
        digest = self.digest if isinstance(self.digest, bytes) else self.digest.encode()
        return digest + f":{locator}".encode()
