"""Anti-aliased resizing as Pillow does it, in a quarter of the time where the package `cykooz.resizer` is installed.

Both weight the same pixels alike, first across and then down, and round in between; cykooz.resizer's weights have 15
bits, so that a half percent of the values is one level off Pillow's (decision 0014 has what was measured). Only bytes
are handed to it, never Pillow's own memory, whose layout is Pillow's affair.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from PIL import Image

from anmok.core.colour import pixels_of

try:
    import cykooz_resizer as fast
except ImportError:  # no wheel for this platform, or anmok's small distribution: Pillow alone
    fast = None

RESIZER = "pillow" if fast is None else "cykooz.resizer"  # whose bytes these are: caches are keyed by it
Box = tuple[float, float, float, float]
_WORTH = 1 << 12, 1 << 22  # pixels: fewer gain nothing, more would be held three times over
_REACH = 2  # how far a filter looks, at most, in pixels of the smaller of the two pictures
_FILTERS = {Image.Resampling.BILINEAR: "bilinear", Image.Resampling.BICUBIC: "catmull_rom"}


def resize(
    picture: Image.Image | np.ndarray, size: tuple[int, int], resample: Image.Resampling, box: Box | None = None, *,
    exact: bool = False,
) -> np.ndarray:  # fmt: skip
    """A picture, or the part of it within `box`, in another size.

    Args:
        picture: L or RGB, or uint8 (H, W, 1 or 3).
        size: (width, height) of the result.
        resample: bilinear and bicubic are anti-aliased.
        box: corners (left, top, right, bottom) of the part, in pixels; None: the whole.
        exact: by Pillow, whatever is installed.

    Returns:
        uint8 (height, width, 1 or 3).
    """
    width, height = size_of(picture)
    box = box or (0.0, 0.0, float(width), float(height))
    window = _window(box, size, (width, height))
    area = (window[2] - window[0]) * (window[3] - window[1])
    if exact or fast is None or resample not in _FILTERS or not _WORTH[0] <= area <= _WORTH[1]:
        return pixels_of(_image(picture).resize(size, resample, box=box))
    return _resized_fast(_cut(picture, window), size, _FILTERS[resample], _moved(box, window))


def size_of(picture: Image.Image | np.ndarray) -> tuple[int, int]:
    """(width, height)."""
    return (picture.shape[1], picture.shape[0]) if isinstance(picture, np.ndarray) else picture.size


def image_of(pixels: np.ndarray) -> Image.Image:
    """uint8 (H, W, 1 or 3) as Pillow's L or RGB."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _resized_fast(part: tuple[int, int, int, bytes], size: tuple[int, int], name: str, box: Box) -> np.ndarray:
    """Across, then down: in one call it would begin with down, and bicubic's overshoot be cut off elsewhere."""
    height, width, channels, content = part
    kind = fast.PixelType.U8 if channels == 1 else fast.PixelType.U8x3
    filtered = fast.ResizeAlg.convolution(getattr(fast.FilterType, name))

    def into(source: Any, size: tuple[int, int], left: float, top: float, right: float, bottom: float) -> Any:
        target = fast.ImageData(*size, kind)
        crop = fast.CropBox(left, top, right - left, bottom - top)
        fast.Resizer().resize(source, target, fast.ResizeOptions(filtered, crop_box=crop, use_alpha=False))
        return target

    source = fast.ImageData(width, height, kind, content)
    across = into(source, (size[0], height), box[0], 0, box[2], height)
    both = into(across, size, 0, box[1], size[0], box[3])
    return np.frombuffer(bytearray(both.get_buffer()), np.uint8).reshape(size[1], size[0], channels)  # writable


def _window(box: Box, size: tuple[int, int], whole: tuple[int, int]) -> tuple[int, int, int, int]:
    """The whole pixels of a picture of size `whole` that resizing `box` to `size` looks at."""
    reach = [_REACH * max(1.0, (box[axis + 2] - box[axis]) / size[axis]) + 1 for axis in (0, 1)]
    first = [max(0, math.floor(box[axis] - reach[axis])) for axis in (0, 1)]
    last = [min(whole[axis], math.ceil(box[axis + 2] + reach[axis])) for axis in (0, 1)]
    return first[0], first[1], last[0], last[1]


def _moved(box: Box, window: tuple[int, int, int, int]) -> Box:
    left, top = window[:2]
    return box[0] - left, box[1] - top, box[2] - left, box[3] - top


def _cut(picture: Image.Image | np.ndarray, window: tuple[int, int, int, int]) -> tuple[int, int, int, bytes]:
    """Height, width, channels and bytes of a window (left, top, right, bottom)."""
    left, top, right, bottom = window
    if isinstance(picture, np.ndarray):
        return bottom - top, right - left, picture.shape[2], picture[top:bottom, left:right].tobytes()
    return bottom - top, right - left, len(picture.getbands()), picture.crop(window).tobytes()


def _image(picture: Image.Image | np.ndarray) -> Image.Image:
    return image_of(picture) if isinstance(picture, np.ndarray) else picture
