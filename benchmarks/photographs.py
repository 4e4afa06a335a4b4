"""JPEG photographs of 640 × 480 to measure with, made from the pictures inside scikit-image's wheel.

There are a dozen photographs and micrographs in it. Each file is a crop of one of them at a random place and scale,
mirrored or not, in another light, saved as cameras do (quality 90, colour at half resolution). So they decode like
photographs and are no two alike; they say nothing about ImageNet, and no figure from them is quoted as if they did.
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

SIZE = (640, 480)
SOURCES = ("astronaut.png", "brick.png", "camera.png", "chelsea.png", "coffee.png", "coins.png", "grass.png",
           "gravel.png", "hubble_deep_field.jpg", "ihc.png", "motorcycle_left.png", "retina.jpg",
           "rocket.jpg")  # fmt: skip
CLASSES = ("astronaut", "brick", "chelsea", "coffee", "coins", "grass", "gravel", "rocket")
WIDE, NARROW = (0.5, 1.0), (0.12, 0.4)  # shares of a source that a photograph shows


def make_photographs(
    folder: Path, count: int, seed: int = 0, sources: tuple[str, ...] = SOURCES, shown: tuple[float, float] = WIDE
) -> list[Path]:
    """Write `count` photographs into `folder`, unless they are there, and return their paths in order."""
    from skimage import data

    there = sorted(folder.glob("*.jpg"))
    if len(there) == count:
        return there
    folder.mkdir(parents=True, exist_ok=True)
    wheel = Path(data.__file__).parent
    pictures = [Image.open(wheel / name).convert("RGB") for name in sources]
    rng, made = np.random.default_rng(seed), []
    for number in range(count):
        path = folder / f"{number:05d}_{Path(sources[number % len(sources)]).stem}.jpg"
        _another(pictures[number % len(sources)], rng, shown).save(path, quality=90)
        made.append(path)
    return made


def class_folders(folder: Path, train: int, test: int, seed: int = 0) -> tuple[Path, Path]:
    """`train/<class>/…` and `test/<class>/…`, narrow photographs of eight sources, a class each, in equal parts.

    They are crops of a fifth of a source or so at random places, so that a class is known by what it is made of, not
    by the whole picture.
    """
    sources = tuple(name for name in SOURCES if Path(name).stem in CLASSES)
    for number, path in enumerate(make_photographs(folder / "all", train + test, seed, sources, NARROW)):
        place = folder / ("train" if number < train else "test") / path.stem.split("_", 1)[1] / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if not place.exists():
            os.link(path, place)
    return folder / "train", folder / "test"


def _another(picture: Image.Image, rng: np.random.Generator, shown: tuple[float, float]) -> Image.Image:
    """The same subject from elsewhere and in another light."""
    scale = rng.uniform(*shown) * min(picture.width / SIZE[0], picture.height / SIZE[1])
    width, height = SIZE[0] * scale, SIZE[1] * scale
    left, top = rng.uniform(0, picture.width - width), rng.uniform(0, picture.height - height)
    crop = picture.resize(SIZE, Image.Resampling.BICUBIC, box=(left, top, left + width, top + height))
    if rng.random() < 0.5:
        crop = ImageOps.mirror(crop)
    for change in (ImageEnhance.Brightness, ImageEnhance.Color, ImageEnhance.Contrast):
        crop = change(crop).enhance(rng.uniform(0.7, 1.3))
    return crop
