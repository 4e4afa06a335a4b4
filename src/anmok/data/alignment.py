"""How far two small grey pictures are from being one: moved and zoomed a little, sharper or softer, brighter or darker.

Distances are between pictures brought to mean 0 and length 1: 0 for equal ones, about 1.4 for unrelated ones.
"""

from __future__ import annotations

import numpy as np

SIDE = 32  # pixels a side of a thumbnail
COARSE = 16  # and of the smoothed thumbnail by which neighbours are looked for
LARGEST_CHANGE = 0.15  # of the side: what still counts as cropped a little
SOFTNESS = (0.75, 0.5)  # a copy that was once stored at these sizes has lost the detail above them
MOVED = 1.15  # moving makes strangers alike, too: a distance found that way counts for more
_MOST_PAIRS = 2000  # compared at once: bounds the memory


def resampling(size: int, stored: int, low: np.ndarray, high: np.ndarray, softness: float = 1.0) -> np.ndarray:
    """Matrices (n, size, stored) that resample [low, high) of `stored` pixels to `size`, anti-aliased.

    `low`, `high`: (n,), in pixels. `softness` widens the triangle filter.
    """
    width = ((high - low) / size)[:, None]
    centre = low[:, None] + (np.arange(size) + 0.5) * width
    reach = np.maximum(width, 1.0) * softness
    weight = 1 - np.abs(np.arange(stored) + 0.5 - centre[..., None]) / reach[..., None]
    weight = np.maximum(weight, 1e-6)
    return (weight / weight.sum(-1, keepdims=True)).astype(np.float32)


def resampled(pictures: np.ndarray, size: int, softness: float = 1.0) -> np.ndarray:
    """Pictures float32 (N, H, W) → (N, size, size), proportions ignored."""
    rows, columns = (
        resampling(size, stored, np.zeros(1), np.full(1, float(stored)), softness)[0] for stored in pictures.shape[1:]
    )
    return rows @ pictures @ columns.T


def levelled(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, …) as rows (N, values) of mean 0 and length 1: brightness and contrast no longer count."""
    rows = pictures.reshape(len(pictures), -1)
    rows = rows - rows.mean(1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def coarse(thumbnails: np.ndarray) -> np.ndarray:
    """Thumbnails (N, SIDE, SIDE) → smoothed, levelled rows (N, COARSE²)."""
    return levelled(resampled(thumbnails.astype(np.float32), COARSE, softness=1.5))


def aligned_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distance (n,) of pairs of thumbnails (n, SIDE, SIDE), after the best small move, zoom and softening.

    Move and zoom come from the tangent distance (Simard, LeCun, Denker 1993) of the smoothed thumbnails; the distance
    itself is then measured on the thumbnails, moved for real.
    """
    found = np.empty(len(first), np.float32)
    for start in range(0, len(first), _MOST_PAIRS):
        a, b = (part[start : start + _MOST_PAIRS].astype(np.float32) for part in (first, second))
        plain = _softened_distance(a, b)
        # A zoom into `a` shows `b`; where `b` shows more than `a`, the other way about.
        moved = [_softened_distance(_cropped(x, _window(x, y)), y) for x, y in ((a, b), (b, a))]
        found[start : start + len(a)] = np.minimum(plain, np.minimum(*moved) * MOVED)
    return found


def tangent_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Distance (n,) of smoothed, levelled rows (n, COARSE²) up to a small move and zoom; quick and rough."""
    starts = range(0, len(first), _MOST_PAIRS)
    parts = [_tangents(first[s : s + _MOST_PAIRS], second[s : s + _MOST_PAIRS])[1] for s in starts]
    return np.concatenate([np.zeros(0, np.float32), *parts])


def _tangents(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift right and down, zoom across and down of `first` (n, 4), in shares of the side; what they leave (n,)."""
    pictures = first.reshape(-1, COARSE, COARSE)
    down, right = np.gradient(pictures, axis=(1, 2))
    place = (np.arange(COARSE) + 0.5) / COARSE - 0.5
    basis = np.stack([right, down, place * right, place[:, None] * down], axis=1) * COARSE
    basis = basis.reshape(len(first), 4, -1)
    basis = basis - basis.mean(2, keepdims=True)
    away = (second - first)[..., None]
    gram = basis @ basis.transpose(0, 2, 1) + 1e-4 * np.eye(4, dtype=np.float32)
    change = np.linalg.solve(gram, basis @ away)
    change = np.clip(change, -LARGEST_CHANGE, LARGEST_CHANGE)
    left = away - basis.transpose(0, 2, 1) @ change
    return change[..., 0], np.linalg.norm(left[..., 0], axis=1)


def _window(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The part (n, 4: left, right, top, bottom, in shares) of `first` that `second` shows, as two steps find it."""
    window = np.tile(np.array([0.0, 1.0, 0.0, 1.0], np.float32), (len(first), 1))
    wanted, seen = coarse(second), first
    for _ in range(2):
        right, down, across, upright = _tangents(coarse(seen), wanted)[0].T
        # A point p of the answer lies at p + (right, down) + zoom · (p − centre) in what is seen now.
        step = [right - across / 2, right + across / 2, down - upright / 2, down + upright / 2]
        window = np.clip(window + np.stack(step, axis=1), -0.02, 1.02)
        window[:, 1] = np.maximum(window[:, 1], window[:, 0] + 0.5)
        window[:, 3] = np.maximum(window[:, 3], window[:, 2] + 0.5)
        seen = _cropped(first, window)
    return window


def _cropped(pictures: np.ndarray, window: np.ndarray) -> np.ndarray:
    left, right, top, bottom = window.T * SIDE
    return resampling(SIDE, SIDE, top, bottom) @ pictures @ resampling(SIDE, SIDE, left, right).transpose(0, 2, 1)


def _softened_distance(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The smallest distance with either of the two softened as a smaller copy would be.

    Softening makes strangers alike, too, so a distance found that way counts for more.
    """
    a, b = levelled(first), levelled(second)
    best = np.linalg.norm(a - b, axis=1)
    for share in SOFTNESS:
        size = round(SIDE * share)
        soft_a, soft_b = (levelled(resampled(resampled(part, size), SIDE)) for part in (first, second))
        for one, other in ((soft_a, b), (a, soft_b)):
            best = np.minimum(best, np.linalg.norm(one - other, axis=1) / share**0.25)
    return best
