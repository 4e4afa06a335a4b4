"""Odd but legal pictures, on which careless pipelines part ways: what an export is compared on, whatever its data.

Sizes, orientations, colour modes, depths, alphas, encodings and extremes, all drawn from one seed; and a few files that
must be refused alike. Rectangles, discs and gradients in every colour: a swapped channel or a shifted mean changes
the answers, which it may not on grey photographs.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageCms, ImageDraw

_SIZES = ((2, 2), (3, 5), (17, 1), (1, 40), (33, 47), (256, 256), (257, 255), (640, 480), (480, 641), (9, 1500))
_PLAIN = {"black": (0, 0, 0), "white": (255, 255, 255), "red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}
_HUGE = (4000, 3000)
_ORIENTATION = 0x0112


def make_odd_pictures(folder: Path, seed: int = 0, *, huge: bool = True) -> list[Path]:
    """Write the pictures into `folder` and return their paths, in a fixed order.

    Args:
        huge: two of 12 megapixels among them.
    """
    made = []
    for name, image, options in _pictures(np.random.default_rng(seed), huge):
        path = folder / name
        image.save(path, **options)
        made.append(path)
    return made + _refused(folder)


def scene(rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """A coloured picture of (width, height): a gradient, shapes in front, a little noise."""
    width, height = size
    corners = rng.uniform(0, 255, (2, 2, 3)).astype(np.uint8)
    image = Image.fromarray(corners).resize(size, Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(image)
    for _ in range(6):
        x, y = rng.uniform(-0.2, 0.8, 2) * size
        w, h = rng.uniform(0.1, 0.6, 2) * size
        shape = draw.ellipse if rng.random() < 0.5 else draw.rectangle
        shape((x, y, x + w, y + h), fill=tuple(int(v) for v in rng.integers(0, 256, 3)))
    grain = rng.integers(-12, 13, (min(height, 512), min(width, 512), 3))
    grain = np.tile(grain, (-(-height // len(grain)), -(-width // grain.shape[1]), 1))[:height, :width]
    return Image.fromarray(np.clip(np.asarray(image) + grain, 0, 255).astype(np.uint8))


def _pictures(rng: np.random.Generator, huge: bool) -> Iterator[tuple[str, Image.Image, dict[str, Any]]]:
    """Name, picture, and how to save it."""
    for width, height in _SIZES:
        yield f"size_{width}x{height}.png", scene(rng, (width, height)), {"compress_level": 1}
    for name, colour in _PLAIN.items():
        yield f"plain_{name}.png", Image.new("RGB", (64, 48), colour), {}
    for turn in range(1, 9):
        exif = Image.Exif()
        exif[_ORIENTATION] = turn
        yield f"exif_{turn}.jpg", scene(rng, (320, 200)), {"exif": exif}
    yield from _modes(scene(rng, (300, 220)), rng)
    yield from _encodings(scene(rng, (250, 187)))
    if huge:
        large = scene(rng, _HUGE)
        yield "huge.jpg", large, {"quality": 85}
        yield "huge_grey.jpg", large.convert("L"), {"quality": 85}


def _modes(rgb: Image.Image, rng: np.random.Generator) -> Iterator[tuple[str, Image.Image, dict[str, Any]]]:
    grey = np.asarray(rgb.convert("L"))
    alpha = Image.fromarray(rng.integers(0, 256, (22, 30), dtype=np.uint8)).resize(rgb.size)
    see_through = rgb.copy()
    see_through.putalpha(alpha)
    yield "grey.jpg", Image.fromarray(grey), {}
    yield "one_bit.png", rgb.convert("1"), {}
    yield "alpha.png", see_through, {}
    yield "grey_alpha.png", see_through.convert("LA"), {}
    yield "palette.png", rgb.quantize(64), {}
    yield "palette_alpha.png", rgb.quantize(64), {"transparency": 3}
    yield "sixteen_bits.png", Image.fromarray(grey.astype(np.uint16) * 257), {}
    yield "sixteen_bits.tif", Image.fromarray(grey.astype(np.uint16) * 200 + 1000), {}
    yield "floats.tif", Image.fromarray(grey.astype(np.float32) / 255), {}
    yield "cmyk.jpg", rgb.convert("CMYK"), {}
    yield "cmyk.tif", rgb.convert("CMYK"), {}
    yield "ycbcr.tif", rgb.convert("YCbCr"), {}
    srgb, lab = ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB")
    transform = ImageCms.buildTransform(srgb, lab, "RGB", "LAB")
    converted = ImageCms.applyTransform(rgb, transform)
    if converted is not None:  # never without inPlace
        yield "lab.tif", converted, {}
    yield "profile.jpg", rgb, {"icc_profile": ImageCms.ImageCmsProfile(srgb).tobytes()}


def _encodings(rgb: Image.Image) -> Iterator[tuple[str, Image.Image, dict[str, Any]]]:
    yield "progressive.jpg", rgb, {"progressive": True}
    yield "coarse.jpg", rgb, {"quality": 5}
    yield "full_colour.jpg", rgb, {"quality": 95, "subsampling": 0}
    yield "animation.gif", rgb.quantize(32), {"save_all": True, "append_images": [rgb.rotate(90).quantize(32)]}
    yield "lossy.webp", rgb, {"quality": 80}
    yield "lossless.webp", rgb, {"lossless": True}
    yield "plain.bmp", rgb, {}
    yield "plain.ppm", rgb, {}
    yield "wrong_ending.gif", rgb, {"format": "JPEG"}


def _refused(folder: Path) -> list[Path]:
    """Files that nobody may answer for: cut off, empty, text, a single pixel."""
    made = [folder / name for name in ("cut_off.png", "empty.jpg", "text.png", "one_pixel.png")]
    whole = (folder / "size_640x480.png").read_bytes()
    for path, content in zip(made[:3], (whole[: len(whole) // 2], b"", b"no picture\n"), strict=True):
        path.write_bytes(content)
    Image.new("RGB", (1, 1), "red").save(made[3])
    return made
