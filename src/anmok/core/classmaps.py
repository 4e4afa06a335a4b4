"""From what a network says of the pixels it saw to one class for every pixel of the original picture. NumPy only."""

from __future__ import annotations

import numpy as np

from anmok.core.geometry import Geometry

AT_ONCE = 1 << 23  # numbers held while enlarging: 32 MB


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
        return scores.argmax(0).astype(np.uint8)
    (sx, sy), (ox, oy) = geometry.scale, geometry.offset
    left, right, across = _between((np.arange(width) + 0.5) * sx + ox, scores.shape[2])
    top, bottom, down = _between((np.arange(height) + 0.5) * sy + oy, scores.shape[1])
    found = np.empty(size, np.uint8)
    step = max(1, AT_ONCE // (len(scores) * max(width, scores.shape[2])))
    for start in range(0, height, step):
        rows = np.s_[start : start + step]
        share = down[rows, None]
        lines = scores[:, top[rows]] * (1 - share) + scores[:, bottom[rows]] * share  # K, rows, w
        found[rows] = (lines[:, :, left] * (1 - across) + lines[:, :, right] * across).argmax(0)
    return found


def _between(places: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For each place the cell before it, the one after, and how far it is on the way; `cells` have centres at k + ½."""
    centred = np.clip(places - 0.5, 0, cells - 1)
    before = np.floor(centred).astype(np.int64)
    after = np.minimum(before + 1, cells - 1)
    return before, after, (centred - before).astype(np.float32)
