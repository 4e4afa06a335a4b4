"""How far two small grey pictures are from being one: moved and zoomed a little, sharper or softer, brighter or darker.

Distances are between pictures brought to mean 0 and length 1: 0 for equal ones, about 1.4 for unrelated ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import affine_grid, grid_sample

SIDE = 32  # pixels a side of a thumbnail
COARSE = 16  # and of the smoothed thumbnail by which neighbours are looked for
LARGEST_CHANGE = 0.15  # of the side: what still counts as cropped a little
SOFTNESS = (0.75, 0.5)  # a copy that was once stored at these sizes has lost the detail above them
MOVED = 1.15  # moving makes strangers alike, too: a distance found that way counts for more
_AT_ONCE = 2000  # pictures whose tangents are held


def resampling(size: int, stored: int, softness: float = 1.0) -> np.ndarray:
    """The matrix (size, stored) that resamples `stored` pixels to `size`, anti-aliased by a triangle filter.

    `softness` widens the filter.
    """
    width = stored / size
    centre = (np.arange(size) + 0.5) * width
    reach = max(width, 1.0) * softness
    weight = np.maximum(1 - np.abs(np.arange(stored) + 0.5 - centre[:, None]) / reach, 1e-6)
    return (weight / weight.sum(1, keepdims=True)).astype(np.float32)


def transformed(pictures: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Pictures (N, H, W) → (N, R, C), by matrices (R, H) and (C, W) along each axis."""
    wide = (pictures.reshape(-1, pictures.shape[2]) @ columns.T).reshape(len(pictures), -1, len(columns))
    return np.matmul(rows, wide)


def resampled(pictures: np.ndarray, size: int, softness: float = 1.0) -> np.ndarray:
    """Pictures float32 (N, H, W) → (N, size, size), proportions ignored."""
    return transformed(pictures, *(resampling(size, stored, softness) for stored in pictures.shape[1:]))


def levelled(pictures: np.ndarray) -> np.ndarray:
    """Pictures (N, …) as rows (N, values) of mean 0 and length 1: brightness and contrast no longer count."""
    rows = pictures.reshape(len(pictures), -1)
    rows = rows - rows.mean(1, keepdims=True)
    return rows / np.maximum(_lengths(rows), 1e-6)[:, None]


def coarse(thumbnails: np.ndarray) -> np.ndarray:
    """Thumbnails (N, SIDE, SIDE) → smoothed, levelled rows (N, COARSE²)."""
    return levelled(resampled(thumbnails.astype(np.float32), COARSE, softness=1.5))


def inset(thumbnails: np.ndarray, share: float) -> np.ndarray:
    """The middle of thumbnails (N, SIDE, SIDE), without this share of the side at each border, enlarged again."""
    return _cropped(thumbnails.astype(np.float32), _borders(len(thumbnails), share))


@dataclass(frozen=True)
class Aligned:
    """Pairs as they are nearest to each other: `distance` (n,), and both (n, SIDE, SIDE), one moved or softened."""

    distance: np.ndarray
    first: np.ndarray
    second: np.ndarray


def align(first: np.ndarray, second: np.ndarray, margin: float = 0.0) -> Aligned:
    """Pairs of thumbnails (n, SIDE, SIDE) after the best small move, zoom and softening of one of them.

    Move and zoom come from the tangent distance (Simard, LeCun, Denker 1993) of the smoothed thumbnails; the distance
    itself is then measured on the thumbnails, moved for real.

    Args:
        margin: the second is held to show the first without this share of its side at each border, rather than all.
    """
    a, b = first.astype(np.float32), second.astype(np.float32)
    tried = [_softened(_zoomed(a, b, margin), b, MOVED)]
    if not margin:  # a zoom into the first shows the second; where the second shows more, the other way about
        tried += [_softened(a, b), _softened(a, _zoomed(b, a), MOVED)]
    return _nearest(tried)


def tangent_distance(rows: np.ndarray, others: np.ndarray, pairs: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Distance (n,) of smoothed, levelled rows, (N, COARSE²) each, up to a small move and zoom; quick and rough.

    Args:
        pairs: positions (n, 2) in `rows` and `others`, ordered by the first.
        axes: (COARSE², D) orthonormal: the few dimensions in which distances are measured.
    """
    found = np.empty(len(pairs), np.float32)
    seen = others @ axes
    for start in range(0, len(rows), _AT_ONCE):
        low, high = np.searchsorted(pairs[:, 0], (start, start + _AT_ONCE))
        part = rows[start : start + _AT_ONCE]
        basis, solver = _tangents(part)
        basis, part = basis @ axes, part @ axes
        at, other = pairs[low:high, 0] - start, pairs[low:high, 1]
        away = seen[other] - part[at]
        moved = np.matmul(basis[at], away[..., None])
        change = np.clip(np.matmul(solver[at], moved)[..., 0], -LARGEST_CHANGE, LARGEST_CHANGE)
        found[low:high] = _lengths(away - np.matmul(change[:, None], basis[at])[:, 0])
    return found


def _tangents(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What a shift right and down, a zoom across and down do to rows: (n, 4, COARSE²); and the inverse Gram matrices.

    Changes are in shares of the side.
    """
    pictures = rows.reshape(-1, COARSE, COARSE)
    down, right = np.gradient(pictures, axis=(1, 2))
    place = ((np.arange(COARSE) + 0.5) / COARSE - 0.5).astype(np.float32)
    basis = np.stack([right, down, place * right, place[:, None] * down], axis=1) * COARSE
    basis = basis.reshape(len(rows), 4, -1)
    basis -= basis.mean(2, keepdims=True)
    return basis, np.linalg.inv(basis @ basis.transpose(0, 2, 1) + 1e-4 * np.eye(4, dtype=np.float32))


def _zoomed(first: np.ndarray, second: np.ndarray, margin: float = 0.0) -> np.ndarray:
    """The part of `first` that `second` shows, as two steps find it, enlarged to a thumbnail."""
    window, wanted = _borders(len(first), margin), coarse(second)
    seen = _cropped(first, window) if margin else first
    for _ in range(2):
        rows = coarse(seen)
        basis, solver = _tangents(rows)
        change = np.matmul(solver, np.matmul(basis, (wanted - rows)[..., None]))[..., 0]
        right, down, across, upright = np.clip(change, -LARGEST_CHANGE, LARGEST_CHANGE).T
        # A point p of the answer lies at p + (right, down) + zoom · (p − centre) in what is seen now.
        step = [right - across / 2, right + across / 2, down - upright / 2, down + upright / 2]
        window = np.clip(window + np.stack(step, axis=1), -0.02, 1.02)
        window[:, 1::2] = np.maximum(window[:, 1::2], window[:, ::2] + 0.5)
        seen = _cropped(first, window)
    return seen


def _borders(count: int, share: float) -> np.ndarray:
    """Windows (count, 4: left, right, top, bottom, in shares of the side) without `share` at each border."""
    return np.tile(np.array([share, 1 - share, share, 1 - share], np.float32), (count, 1))


def _cropped(pictures: np.ndarray, window: np.ndarray) -> np.ndarray:
    left, right, top, bottom = window.T
    map_ = np.zeros((len(pictures), 2, 3), np.float32)  # from the answer's [−1, 1] to the picture's
    map_[:, 0, 0], map_[:, 0, 2] = right - left, right + left - 1
    map_[:, 1, 1], map_[:, 1, 2] = bottom - top, bottom + top - 1
    grid = affine_grid(torch.from_numpy(map_), [len(pictures), 1, SIDE, SIDE], align_corners=False)
    stack = torch.from_numpy(np.ascontiguousarray(pictures))[:, None]
    return grid_sample(stack, grid, padding_mode="border", align_corners=False)[:, 0].numpy()


def _softened(first: np.ndarray, second: np.ndarray, counts: float = 1.0) -> Aligned:
    """The pairs with either of the two softened as a smaller copy would be, whichever is nearest.

    Softening makes strangers alike, too, so a distance found that way counts for more; and all count `counts` times.
    """
    tried = [Aligned(counts * _lengths(levelled(first) - levelled(second)), first, second)]
    for share in SOFTNESS:
        down, up = resampling(round(SIDE * share), SIDE), resampling(SIDE, round(SIDE * share))
        soften = up @ down
        for a, b in ((transformed(first, soften, soften), second), (first, transformed(second, soften, soften))):
            tried.append(Aligned(counts * _lengths(levelled(a) - levelled(b)) / share**0.25, a, b))
    return _nearest(tried)


def _nearest(tried: list[Aligned]) -> Aligned:
    """Of several ways to bring pairs together, the one with the smallest distance for each pair."""
    best, *others = tried
    for other in others:
        nearer = other.distance < best.distance
        shaped = nearer[:, None, None]
        best = Aligned(
            np.where(nearer, other.distance, best.distance),
            np.where(shaped, other.first, best.first),
            np.where(shaped, other.second, best.second),
        )
    return best


def _lengths(rows: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", rows, rows))
