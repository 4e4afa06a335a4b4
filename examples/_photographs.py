"""Photographs for the chapters that need some: crops of the pictures that scikit-image brings along.

Many crops of few photographs are easier than life: what is measured on them says how things work, not how well they
will work on yours.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

WIDTH, HEIGHT = 320, 240


def write_crops(folder: Path, names: Sequence[str], each: int, seed: int = 0) -> Path:
    """`each` crops of each photograph, lit differently, as `folder/<name>/000.jpg` …; names as in `skimage.data`."""
    try:
        from skimage import data
    except ModuleNotFoundError:
        raise SystemExit("the photographs are scikit-image's: pip install scikit-image, or --data FOLDER") from None
    generator = np.random.default_rng(seed)
    for name in names:
        photograph = Image.fromarray(getattr(data, name)()).convert("RGB")
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            side = int(generator.uniform(0.4, 0.8) * min(photograph.size))
            left, top = (int(generator.integers(0, room - side)) for room in photograph.size)
            crop = photograph.crop((left, top, left + side, top + side)).resize((WIDTH, HEIGHT))
            lit = ImageEnhance.Brightness(crop).enhance(float(generator.uniform(0.6, 1.4)))
            lit.save(place / f"{number:03d}.jpg", quality=88)
    return folder
