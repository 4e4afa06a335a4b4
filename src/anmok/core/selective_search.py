"""Selective search: where things might be, found without learning, by merging what looks alike.

Uijlings, van de Sande, Gevers, Smeulders: Selective Search for Object Recognition, IJCV 2013. The proposals of R-CNN,
SPPnet and Fast R-CNN, computed by OpenCV's contributed module. Its program numbers proposals at random; the set is the
same each time, and here so is the order. Training, prediction and the shipped model search by this file alike.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from anmok.core.errors import AnmokError, UsageError
from anmok.core.seeds import numpy_generator

WIDTH = 500  # pixels that a picture is brought to first, as R-CNN does
SMALLEST = 20  # pixels of that; narrower or lower proposals are dropped
LEAST = 5  # pixels of the searched picture: nothing smaller is proposed
MOST = 2000  # proposals a picture, as R-CNN has about


@dataclass(frozen=True)
class Search:
    """Selective search on the squares that a network sees, whose uniform border (letterboxing) is left out.

    Args:
        width: pictures are scaled to it first; None: searched as they are.
        smallest: width and height of a proposal, pixels of the scaled picture.
        most: proposals a picture, at most.
    """

    width: int | None = None
    smallest: float = LEAST
    most: int = MOST

    @classmethod
    def for_squares(cls, side: int) -> Search:
        """R-CNN's settings for large squares; smaller ones are searched as they are, for as small a part of them.

        >>> Search.for_squares(128).smallest, Search.for_squares(640).width
        (5.12, 500)
        """
        width = WIDTH if side > WIDTH else None
        return cls(width, max(LEAST, SMALLEST * (width or side) / WIDTH))

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """Proposals of a picture uint8 (H, W, 1 or 3): float32 (R, 4), xyxy in its pixels."""
        return self.fresh(pixels)

    def fresh(self, pixels: np.ndarray) -> np.ndarray:
        """The same, searched anew whatever is known."""
        top, left, seen = without_border(pixels)
        if min(seen.shape[:2]) < 2 * LEAST:
            return np.zeros((0, 4), np.float32)
        scale = 1.0 if self.width is None else seen.shape[1] / pixels.shape[1]
        width = None if self.width is None else max(1, round(self.width * scale))
        found = selective_search(seen, width=width, smallest=self.smallest, most=self.most)
        return found + np.array([left, top, left, top], np.float32)

    def every(self, pictures: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """Proposals of many pictures, in order, on all cores: the search is compiled and lets threads work."""
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            yield from pool.map(self, pictures)


def without_border(pixels: np.ndarray) -> tuple[int, int, np.ndarray]:
    """Top, left, and the picture (h, w, C) within a border of the corner's colour; nothing where all is of it."""
    inside = (pixels != pixels[:1, :1]).any(2)
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    if not len(rows):
        return 0, 0, pixels[:0, :0]
    top, left = int(rows[0]), int(columns[0])
    return top, left, pixels[top : rows[-1] + 1, left : columns[-1] + 1]


def selective_search(
    picture: np.ndarray,
    *,
    fast: bool = True,
    width: int | None = WIDTH,
    smallest: float = SMALLEST,
    most: int | None = None,
    seed: int = 0,
) -> np.ndarray:
    """Proposals for one picture.

    Args:
        picture: uint8 (H, W, 1 or 3).
        fast: the paper's fast setting (two colour spaces, two starting segmentations); else its quality setting, which
            finds nearly twice as many in four times the time.
        width: the picture is scaled to it first; None: taken as it is. On one core 500 pixels cost about 3 s, 300
            pixels about 1 s.
        smallest: width and height of a proposal, in pixels of the scaled picture.
        most: proposals at most; which ones is drawn by `seed`.

    Returns:
        float32 (R, 4): xyxy, pixels of the picture, half-open, in an order drawn by `seed`.

    Raises:
        AnmokError: OpenCV's contributed modules are not installed.
        UsageError: for anything but a uint8 picture.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3) or 0 in picture.shape:
        raise UsageError("proposals are found in pictures", got=f"{picture.dtype} {picture.shape}",
                         allowed="uint8 (height, width, 1 or 3)")  # fmt: skip
    search, resized, factor = _prepared(picture, width)
    search.setBaseImage(resized)
    search.switchToSelectiveSearchFast() if fast else search.switchToSelectiveSearchQuality()
    found = search.process().astype(np.float32).reshape(-1, 4)
    found = found[(found[:, 2:] >= smallest).all(1)]
    boxes = np.unique(np.concatenate([found[:, :2], found[:, :2] + found[:, 2:]], axis=1), axis=0)
    order = numpy_generator(seed, "selective search", len(boxes)).permutation(len(boxes))[:most]
    return (boxes[order] / factor).astype(np.float32)


def _prepared(picture: np.ndarray, width: int | None) -> tuple:
    """OpenCV's object, the scaled picture in its order of colours, and (right, down, right, down) factors."""
    cv2 = opencv()
    colours = np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture[:, :, ::-1]
    resized = np.ascontiguousarray(colours)
    if width is not None and width != picture.shape[1]:
        height = max(1, round(picture.shape[0] * width / picture.shape[1]))
        resized = cv2.resize(resized, (width, height), interpolation=cv2.INTER_LINEAR)
    down, right = resized.shape[0] / picture.shape[0], resized.shape[1] / picture.shape[1]
    search = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation()
    return search, resized, np.array([right, down, right, down], np.float32)


def opencv() -> Any:
    """The package `cv2`. Raises `AnmokError` where it, or its contributed modules, are not installed."""
    try:
        import cv2

        _ = cv2.ximgproc.segmentation.createSelectiveSearchSegmentation
    except (ImportError, AttributeError) as error:
        raise AnmokError(
            "this detector looks at proposals of selective search, which need OpenCV's contributed modules",
            got=str(error),
            fix="pip install opencv-contrib-python-headless (and uninstall other builds of opencv: they hide each "
            "other)",
        ) from error
    return cv2
