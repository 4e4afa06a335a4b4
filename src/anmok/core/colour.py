"""Any mode of a decoded picture → uint8 grey or sRGB. The rules are those of `anmok.core.pictures`."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageCms

TIFF_BITS, TIFF_PHOTOMETRIC, WHITE_IS_ZERO = 258, 262, 0

_BAND = 1 << 22  # pixels turned into an array at once
_GREY = {"1", "L", "LA", "La"}
_LARGE = {"I", "F", "I;16", "I;16B", "I;16L", "I;16N"}  # more than 8 bits a sample


class NotAPictureError(ValueError):
    """The pixels mean nothing as a picture: NaN, infinity, or a mode without a rule."""


def plain_picture(image: Image.Image) -> tuple[Image.Image, list[str]]:
    """A loaded picture as L or RGB in sRGB, not yet turned by its orientation, and notes for the user."""
    notes: list[str] = []
    profile = image.info.get("icc_profile")
    if image.mode in _LARGE:
        colour, alpha = _eight_bits(image, notes)
    else:
        colour, alpha = _split_alpha(image)
    if colour.mode == "LAB":
        lab = ImageCms.buildTransform(ImageCms.createProfile("LAB"), ImageCms.createProfile("sRGB"), "LAB", "RGB")
        colour = _apply(lab, colour)
    elif profile:
        colour = _from_profile(colour, profile, notes)
    if colour.mode not in ("L", "RGB"):
        colour = colour.convert("RGB")
    if alpha is not None:
        white = Image.new(colour.mode, colour.size, "white")
        white.paste(colour, mask=alpha)
        colour = white
    return colour, notes


def channels_of(mode: str) -> int | None:
    """Channels that `plain_picture` gives to a picture of this mode; None for palettes, whose colours may all be grey.

    >>> channels_of("CMYK"), channels_of("I;16"), channels_of("P")
    (3, 1, None)
    """
    return None if mode in ("P", "PA") else 1 if mode in _GREY | _LARGE else 3


def pixels_of(image: Image.Image) -> np.ndarray:
    """uint8 (H, W, 1 or 3) of L or RGB, band by band: Pillow's own way holds two more copies of the picture."""
    width, height = image.size
    pixels = np.empty((height, width, len(image.getbands())), np.uint8)
    rows = max(1, _BAND // width)
    for top in range(0, height, rows):
        bottom = min(top + rows, height)
        band = image if rows >= height else image.crop((0, top, width, bottom))
        pixels[top:bottom] = np.asarray(band).reshape(bottom - top, width, -1)
    return pixels


def channel_mean(pixels: np.ndarray) -> np.ndarray:
    """uint8 (…, C) → float32 (…): the mean of the channels, in a fifth of the time that NumPy takes for so short an
    axis.

    >>> channel_mean(np.array([[[10, 20, 33]], [[255, 255, 255]]], np.uint8)).tolist()
    [[21.0], [255.0]]
    """
    total = pixels[..., 0].astype(np.uint16)
    for channel in range(1, pixels.shape[-1]):
        total += pixels[..., channel]
    return np.asarray(total / np.float32(pixels.shape[-1]), np.float32)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """The picture without transparency (L, RGB, CMYK, LAB …), and its transparency as L, or None."""
    if image.mode in ("P", "PA"):
        grey = _grey_palette(image)
        image = image.convert("RGBA" if "transparency" in image.info or image.mode == "PA" else "RGB")
        if grey:
            alpha = image.getchannel("A") if image.mode == "RGBA" else None
            return image.getchannel("G"), alpha
    elif image.mode in ("1", "L", "RGB") and "transparency" in image.info:
        return _colour_key(image)
    elif image.mode == "La":
        image = image.convert("LA")
    elif image.mode == "RGBa":
        image = image.convert("RGBA")
    if image.mode == "LA":
        return image.getchannel("L"), image.getchannel("A")
    if image.mode == "RGBA":
        return image.convert("RGB"), image.getchannel("A")
    return (image.convert("L") if image.mode == "1" else image), None


def _grey_palette(image: Image.Image) -> bool:
    """Whether every colour that a palette picture really uses is a shade of grey."""
    palette = np.array(image.getpalette("RGB") or [], dtype=np.uint8).reshape(-1, 3)
    indices = image.getchannel("P") if image.mode == "PA" else image
    used = [index for index, count in enumerate(indices.histogram()[:256]) if count]
    colours = palette[[index for index in used if index < len(palette)]]
    return bool((colours == colours[:, :1]).all())


def _colour_key(image: Image.Image) -> tuple[Image.Image, Image.Image]:
    """Pictures of which one colour is declared transparent (tRNS of a PNG)."""
    key = image.info["transparency"]
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > 255:
        key = tuple(part >> 8 for part in key)  # declared for 16 bits a channel, of which Pillow kept the high byte
    colour = image.convert("L") if image.mode == "1" else image
    if isinstance(key, int) and image.mode == "1":
        key = 255 if key else 0
    values = np.asarray(colour)
    hit = (values == np.array(key)).reshape(*values.shape[:2], -1).all(axis=2)
    return colour, Image.fromarray(np.where(hit, 0, 255).astype(np.uint8))


def _eight_bits(image: Image.Image, notes: list[str]) -> tuple[Image.Image, Image.Image | None]:
    """Grey pictures of 16-bit, 32-bit or float samples on the scale 0 … 255, and their transparency."""
    tags = getattr(image, "tag_v2", {})
    values = np.asarray(image)
    key = image.info.get("transparency")
    alpha = None if not isinstance(key, int) else Image.fromarray(np.where(values == key, 0, 255).astype(np.uint8))
    bits = tags.get(TIFF_BITS)
    full = 4095 if bits == (12,) or bits == 12 else 65535
    scaled = _scale_floats(values, notes) if image.mode == "F" else _scale_integers(values, full, notes)
    # Pillow inverts "white is zero" for up to 8 bits a sample and leaves wider ones as they are stored.
    inverted = tags.get(TIFF_PHOTOMETRIC) == WHITE_IS_ZERO
    return Image.fromarray(255 - scaled if inverted else scaled), alpha


def _scale_integers(values: np.ndarray, full: int, notes: list[str]) -> np.ndarray:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65535:
        return _stretch(values, low, high, notes)
    if full == 65535 and 255 < high < 4096:
        notes.append("16-bit samples that all lie below 4096 (perhaps 12-bit data): scaled by the full range, so dark")
    table = np.rint(np.minimum(np.arange(65536) * (255 / full), 255)).astype(np.uint8)
    return table[values]


def _scale_floats(values: np.ndarray, notes: list[str]) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    if not np.isfinite(low) or not np.isfinite(high):  # the minimum of anything with a NaN is NaN
        raise NotAPictureError("some of its pixels are NaN or infinite")
    for top in (1.0, 255.0, 65535.0):
        if low >= 0 and high <= top:
            return np.rint(values * np.float32(255 / top)).astype(np.uint8)
    return _stretch(values, low, high, notes)


def _stretch(values: np.ndarray, low: float, high: float, notes: list[str]) -> np.ndarray:
    notes.append("samples outside 0 … 65535: stretched from their own minimum and maximum to 0 … 255")
    span = np.float64(high) - np.float64(low)
    return np.rint((values.astype(np.float64) - low) * (255 / span if span else 0)).astype(np.uint8)


def _from_profile(colour: Image.Image, profile: bytes, notes: list[str]) -> Image.Image:
    """The picture in sRGB by its own ICC profile; a profile that is broken or meant for other modes is ignored."""
    if colour.mode not in ("L", "RGB", "CMYK"):
        colour = colour.convert("RGB")
    try:
        transform, mode = _transform(profile, colour.mode)
        if transform is None:
            return colour
        converted = _apply(transform, colour.convert(mode))
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        notes.append("its colour profile is broken or made for another kind of picture, and was ignored")
        return colour
    return converted.getchannel("G") if colour.mode == "L" else converted


def _apply(transform: ImageCms.ImageCmsTransform, image: Image.Image) -> Image.Image:
    converted = ImageCms.applyTransform(image, transform)
    if converted is None:  # never without inPlace
        raise ValueError("the colour transform gave no picture")
    return converted


@lru_cache(maxsize=32)
def _transform(profile: bytes, mode: str) -> tuple[ImageCms.ImageCmsTransform | None, str]:
    """The transform from `profile` to sRGB with the mode it takes; None where it moves no colour by over one level."""
    from io import BytesIO

    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    if mode == "L" and source.profile.xcolor_space.strip() == "RGB":
        mode = "RGB"  # many tools write an RGB profile into grey pictures
    transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    if mode == "CMYK":
        return transform, mode
    steps = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(steps, steps, steps), axis=-1).reshape(27, 27, 3)
    probe = Image.fromarray(cube if mode == "RGB" else np.arange(256, dtype=np.uint8).reshape(16, 16))
    before = np.asarray(probe.convert("RGB")).astype(np.int16)
    moved = np.abs(np.asarray(_apply(transform, probe)) - before).max()
    return (None if moved <= 1 else transform), mode
