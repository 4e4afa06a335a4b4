"""Where an original picture's pixels lie in what is cached and in what a network sees, and the way back."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Geometry:
    """A map along the axes: new = old · scale + offset, each (x, y), in pixels whose corners are whole numbers.

    Resizing, cropping, letterboxing and cutting a window are of this kind; so is one after the other.
    """

    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)

    def points(self, points: np.ndarray) -> np.ndarray:
        """Points (…, 2) as (x, y) → moved, float64."""
        return np.asarray(points, np.float64) * self.scale + self.offset

    def boxes(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (M, 4), xyxy → moved, float32. They may reach outside; nothing is clipped.

        >>> Geometry((0.5, 0.5), (0, 8)).boxes(np.array([[0, 0, 64, 32]])).tolist()
        [[0.0, 8.0, 32.0, 24.0]]
        """
        return self.points(np.reshape(boxes, (-1, 2, 2))).reshape(-1, 4).astype(np.float32)

    def inverse(self) -> Geometry:
        """The way back."""
        (sx, sy), (ox, oy) = self.scale, self.offset
        return Geometry((1 / sx, 1 / sy), (-ox / sx, -oy / sy))

    def then(self, other: Geometry) -> Geometry:
        """This map first, `other` after it."""
        (sx, sy), (ox, oy) = other.scale, other.offset
        return Geometry((self.scale[0] * sx, self.scale[1] * sy), (self.offset[0] * sx + ox, self.offset[1] * sy + oy))

    def matrix(self) -> np.ndarray:
        """float64 (2, 3), to be applied to (x, y, 1)."""
        return np.array([[self.scale[0], 0, self.offset[0]], [0, self.scale[1], self.offset[1]]], np.float64)


def resample_mask(mask: np.ndarray, geometry: Geometry, size: tuple[int, int], fill: int) -> np.ndarray:
    """A mask (H, W) seen through `geometry` in a picture of `size` (height, width); ids are taken, never mixed.

    Each new pixel takes the id under its centre; where there is none, `fill`.
    """
    back = geometry.inverse()
    x = np.floor((np.arange(size[1]) + 0.5) * back.scale[0] + back.offset[0]).astype(np.int64)
    y = np.floor((np.arange(size[0]) + 0.5) * back.scale[1] + back.offset[1]).astype(np.int64)
    known_x, known_y = (x >= 0) & (x < mask.shape[1]), (y >= 0) & (y < mask.shape[0])
    moved = mask[np.ix_(np.clip(y, 0, mask.shape[0] - 1), np.clip(x, 0, mask.shape[1] - 1))]
    if not (known_x.all() and known_y.all()):
        moved[~known_y] = fill
        moved[:, ~known_x] = fill
    return moved
