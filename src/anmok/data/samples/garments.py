"""The bundled garments as building material: grey pictures, and what of each is garment and what is ground."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter
from scipy import ndimage

from anmok.data import samples
from anmok.data.samples.make import read

PARTS = {"train": "train", "test": "t10k"}
SIDE = 28
_DARK = 12  # grey levels: what is darker may be ground
_LARGEST_HOLE = 30  # pixels: dark prints and seams are filled; gaps within straps and handles are larger
_DUST = 12  # pixels: smaller islands are no garments


@dataclass(frozen=True, eq=False)
class Garments:
    """N garments cut out of their black ground.

    `grey` uint8 (N, 28, 28): grey levels, carried on a little beyond the rim. `cover` uint8 (N, 28, 28): 255 inside, 0
    outside, soft in between. `plain` uint8 (N, 28, 28): the pictures as they were. `labels` int64 (N,).
    """

    grey: np.ndarray
    cover: np.ndarray
    plain: np.ndarray
    labels: np.ndarray

    def __len__(self) -> int:
        return len(self.labels)


@lru_cache(maxsize=2)
def garments(split: str) -> Garments:
    """The garments of "train" (6,000) or "test" (1,000), their files checked against their digests."""
    folder = samples.path("fashion_mnist")
    plain = read(folder / f"{PARTS[split]}-images-idx3-ubyte.gz")
    labels = read(folder / f"{PARTS[split]}-labels-idx1-ubyte.gz")
    return Garments(*_cut_out(plain), plain, labels.astype(np.int64))


def _cut_out(plain: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Grey and cover of all garments. They are looked at as one tall column, with ground running around each."""
    column = np.pad(plain, ((0, 0), (1, 1), (1, 1))).reshape(-1, SIDE + 2)
    garment = column > _DARK
    holes, _ = ndimage.label(~garment)
    garment |= (holes != holes[0, 0]) & (np.bincount(holes.ravel()) <= _LARGEST_HOLE)[holes]
    parts, _ = ndimage.label(garment, np.ones((3, 3)))
    garment &= (np.bincount(parts.ravel()) >= _DUST)[parts]
    cover, light = (_blurred(np.where(garment, value, 0)) for value in (255, column))
    grey = np.where(garment, column, np.minimum(light * 255 / np.maximum(cover, 1), 255))
    both = (part.reshape(-1, SIDE + 2, SIDE + 2)[:, 1:-1, 1:-1] for part in (grey, np.minimum(1.25 * cover, 255)))
    grey, cover = (np.ascontiguousarray(part.astype(np.uint8)) for part in both)
    return grey, cover


def _blurred(levels: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(levels.astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.6)), np.float32)
