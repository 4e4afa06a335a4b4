"""Picture files as they are stored: palette indices, 16 bits, colours, with nothing scaled, composited or converted.

For masks, whose numbers mean classes. The same files are read as by `anmok.core.pictures`, by the same decoders.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from anmok.core.errors import PictureError
from anmok.core.orientation import UPRIGHT, turn_array
from anmok.core.pictures import MAX_PIXELS, opened, recognised

_ORIENTATION = 0x0112
_VALUES = ("L", "P", "1", "I;16", "I;16L", "I;16B", "I;16N", "I", "F", "LA", "La", "PA")


@dataclass(frozen=True)
class StoredPicture:
    """What a file holds, upright.

    `values`: uint8 or uint16 (H, W), or uint8 (H, W, 3) of colours; 1 bit is 0 and 255. `palette`: uint8 (256, 3), the
    colours that the values stand for, or None. `lossy`: compressed so that values are only near what they were.
    """

    values: np.ndarray
    palette: np.ndarray | None
    lossy: bool

    @property
    def colours(self) -> np.ndarray:
        """uint8 (H, W, 3): what is shown."""
        if self.palette is not None:
            return self.palette[self.values]
        return self.values if self.values.ndim == 3 else np.repeat(self.values[..., None], 3, axis=2)


def read_stored(source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS) -> StoredPicture:
    """The stored values of a picture file. Raises `PictureError` for whatever is wrong with it."""
    with opened(source) as (file, path):
        kind, image = recognised(file, path, max_pixels)
        image.load()
        values, palette = _values(image, path)
        if kind != "TIFF":  # Pillow turned that one already
            values = np.ascontiguousarray(turn_array(values, _orientation(image)))
        return StoredPicture(values, palette, kind == "JPEG" or _is_lossy_webp(kind, source))


def _values(image: Image.Image, path: Path | None) -> tuple[np.ndarray, np.ndarray | None]:
    if image.mode not in _VALUES:
        return np.array(image.convert("RGB")), None
    if image.mode == "1":
        return np.array(image).astype(np.uint8) * 255, None
    values = np.array(image)
    values = values[..., 0] if values.ndim == 3 else values
    if image.mode in ("P", "PA"):
        told = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        palette = np.zeros((256, 3), np.uint8)
        palette[: len(told)] = told
        return values, palette
    if values.dtype == np.uint8:
        return values, None
    whole = bool(np.isfinite(values).all() and (values == np.floor(values)).all())
    if not (whole and 0 <= values.min() <= values.max() < 65536):
        raise PictureError(
            "these numbers are no class numbers", path=path, got=f"values from {values.min():g} to {values.max():g}",
            allowed="whole numbers from 0 to 65535", fix="save it with 8 or 16 bits",
        )  # fmt: skip
    return values.astype(np.uint16), None


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, UPRIGHT))
    except Exception:  # as in `anmok.core.pictures`: broken EXIF means no orientation
        return UPRIGHT


def _is_lossy_webp(kind: str, source: Path | str | bytes) -> bool:
    if kind != "WEBP":
        return False
    if isinstance(source, bytes):
        return source[12:16] == b"VP8 "
    with Path(source).open("rb") as file:
        return file.read(16)[12:] == b"VP8 "
