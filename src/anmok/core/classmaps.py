"""From what a network says of the pixels it saw to one class for every pixel of the original picture. NumPy only."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import NamedTuple

import numpy as np

from anmok.core.geometry import Geometry
from anmok.core.preparation import Preparation, fit_picture
from anmok.core.tiling import blend, plan_tiles, read_tile

AT_ONCE = 1 << 23  # numbers held while enlarging: 32 MB
LARGEST_TILE = 512  # pixels a side
OVERLAP = 0.25  # of the side that the network learned on

Ask = Callable[[np.ndarray], np.ndarray]
"""Squares uint8 (n, S, S, C) → probabilities float32 (n, K, S, S)."""


class ClassMap(NamedTuple):
    """A picture's answer: class ids uint8 (H, W), and bool (H, W), where no seam was answered (None: none learned)."""

    mask: np.ndarray
    inside: np.ndarray | None


@dataclass(frozen=True)
class Mapper:
    """From a network that answers squares to class maps of whole pictures in their own size, whoever computes it.

    Args:
        ask: the network, as torch or another engine computes it.
        preparation: what pictures go through before it.
        classes: how many it tells apart, at most 255.
        seams: its last score is that of seams between touching objects.
    """

    ask: Ask
    preparation: Preparation
    classes: int
    seams: bool = False

    def fitted(self, seen: np.ndarray, sizes: Sequence[tuple[int, int]]) -> Iterator[ClassMap]:
        """Of pictures that the network sees whole: `seen` uint8 (n, size, size, C), `sizes` of the originals."""
        for scores, size in zip(self.ask(seen), sizes, strict=True):
            where = self.preparation.geometry(size, seen=True)
            inside = class_map(scores, where, size) < self.classes if self.seams else None
            yield ClassMap(class_map(scores[: self.classes], where, size), inside)

    def tiled(self, pixels: np.ndarray, batch: int) -> ClassMap:
        """Of one picture uint8 (H, W, C) seen tile by tile at its own size, at most `batch` tiles at once."""
        pixels = fit_picture(pixels, self.preparation)
        side = tile_side(self.preparation)
        size = (pixels.shape[0], pixels.shape[1])
        tiles = plan_tiles(size, side, min(round(self.preparation.size * OVERLAP), side // 2))
        at_once = max(1, min(batch, (2 * LARGEST_TILE // side) ** 2))
        found, inside = np.empty(size, np.uint8), np.empty(size, bool) if self.seams else None

        def answers() -> Iterator[np.ndarray]:
            for start in range(0, len(tiles), at_once):
                yield from self.ask(np.stack([read_tile(pixels, tile) for tile in tiles[start : start + at_once]]))

        for block in blend(tiles, size, answers()):
            found[block.rows, block.columns] = likeliest(block.values[: self.classes])
            if inside is not None:
                inside[block.rows, block.columns] = block.values.argmax(0) < self.classes
        return ClassMap(found, inside)


def tile_side(preparation: Preparation) -> int:
    """Side of the tiles that a network which learned on windows of `preparation.size` pixels answers."""
    return max(preparation.size, min(2 * preparation.size, LARGEST_TILE))


def class_map(scores: np.ndarray, geometry: Geometry, size: tuple[int, int]) -> np.ndarray:
    """The likeliest class of each original pixel: uint8 (height, width) of `size`.

    Scores are interpolated bilinearly before the classes are compared, so that outlines stay smooth however much larger
    the original is; some rows at a time, so that memory holds no enlarged scores.

    Args:
        scores: (K, h, w), of what the network saw; K at most 255.
        geometry: where original pixels lie in it.
        size: height and width of the original.
    """
    height, width = size
    if geometry == Geometry() and scores.shape[1:] == size:
        return likeliest(scores)
    (sx, sy), (ox, oy) = geometry.scale, geometry.offset
    left, right, across = _between(width, sx, ox, scores.shape[2])
    top, bottom, down = _between(height, sy, oy, scores.shape[1])
    found = np.empty(size, np.uint8)
    step = max(1, AT_ONCE // (len(scores) * max(width, scores.shape[2])))
    for start in range(0, height, step):
        rows = np.s_[start : start + step]
        share = down[rows, None]
        lines = scores[:, top[rows]] * (1 - share) + scores[:, bottom[rows]] * share  # K, rows, w
        found[rows] = likeliest(lines[:, :, left] * (1 - across) + lines[:, :, right] * across)
    return found


def likeliest(scores: np.ndarray) -> np.ndarray:
    """The class with the largest score, of equal ones the first: (K, h, w) → uint8 (h, w).

    As `scores.argmax(0)`, class after class: a map at a time stays in the processor's cache.
    """
    found, best = np.zeros(scores.shape[1:], np.uint8), scores[0].copy()
    for number in range(1, len(scores)):
        found[scores[number] > best] = number
        np.maximum(best, scores[number], out=best)
    return found


def _between(length: int, scale: float, offset: float, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each of `length` original pixels the cell before its centre, the one after, how far it is on the way.

    Cells have their centres at k + ½. Those whose centre lies beside the picture, in its padding, are never asked.
    """
    first, last = max(0, ceil(offset - 0.5)), min(cells - 1, floor(offset + length * scale - 0.5))
    centred = np.clip((np.arange(length) + 0.5) * scale + offset - 0.5, first, max(first, last))
    before = np.floor(centred).astype(np.int64)
    after = np.minimum(before + 1, cells - 1)
    return before, after, (centred - before).astype(np.float32)
