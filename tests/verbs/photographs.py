"""A small labelled set of real photographs, cut from scikit-image's pictures, in folders a person would have."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image
from skimage import data

SOURCES = {"커피": data.coffee, "cat": data.chelsea, "rocket": data.rocket}


def write_photographs(root: Path, each: int = 14, side: int = 48, seed: int = 0) -> Path:
    """`each` crops a class as JPEG and PNG files under `root/<class>/`; the first class has a Korean name."""
    generator = np.random.default_rng(seed)
    for name, source in SOURCES.items():
        picture = Image.fromarray(source())
        folder = root / name
        folder.mkdir(parents=True)
        for number in range(each):
            size = int(generator.integers(120, 240))
            left, top = (int(generator.integers(0, room - size)) for room in picture.size)
            crop = picture.crop((left, top, left + size, top + size)).resize((side, side))
            crop.save(folder / f"사진 {number:02d}.{'jpg' if number % 2 else 'png'}")
    return root
