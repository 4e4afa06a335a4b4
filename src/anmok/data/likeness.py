"""Whether two pictures that look alike are copies, or merely of one kind.

Two photographs of one edge, or two garments, may lie as near to each other as a picture and its copy. What tells them
apart: a copy agrees in its details, block by block, wherever there is detail to be seen; and it is nearer than the
other pictures around it.
"""

from __future__ import annotations

import numpy as np

from anmok.data.alignment import SIDE

BLOCK, STEP = 8, 4  # pixels of a thumbnail: details are compared within blocks, which overlap
NOISE = 1.5  # levels that re-encoding may change: less contrast than that within a block is no detail
CROWDED, LONELY = 0.12, 0.25  # distances of other pictures: nearer or farther ones change nothing any more


def agreement(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How far pairs of thumbnails, (n, SIDE, SIDE) in levels and aligned, agree in detail, and how much there is of it.

    The structural part of SSIM (Wang, Bovik, Sheikh, Simoncelli 2004) in each block, with `NOISE` for its constant.

    Returns:
        The mean over blocks with detail (n,), 1 for equal ones and 0 for unrelated ones; the share of such blocks (n,).
    """
    a, b = _equally_strong(first, second)
    mean_a, mean_b = _over_blocks(a), _over_blocks(b)
    variance_a = np.maximum(_over_blocks(a * a) - mean_a**2, 0)
    variance_b = np.maximum(_over_blocks(b * b) - mean_b**2, 0)
    shared = _over_blocks(a * b) - mean_a * mean_b
    noise = 2 * NOISE**2
    alike = (2 * shared + noise) / (variance_a + variance_b + noise)
    shown = np.maximum(variance_a, variance_b) > noise
    count = shown.sum((1, 2))
    mean = np.where(count > 0, (alike * shown).sum((1, 2)) / np.maximum(count, 1), 1.0)
    return mean, shown.mean((1, 2))


def evidence(
    distance: np.ndarray,
    agrees: np.ndarray,
    detail: np.ndarray,
    crowd: np.ndarray,
    contrast: np.ndarray,
    turned: bool,
) -> np.ndarray:
    """Above 0: a copy. All arguments and the answer are (n,).

    Args:
        distance: after alignment, see `anmok.data.alignment`.
        agrees, detail: see `agreement`.
        crowd: how near other pictures come to one of the two.
        contrast: the smaller standard deviation of the two, in levels.
        turned: whether one is mirrored or upside down: many things look like their own mirror image.
    """
    crowd = np.log(np.clip(crowd, CROWDED, LONELY) + 0.02)
    return (
        -2.60 * np.log(distance + 0.02) + 20.4 * agrees + 6.77 * detail + 4.95 * crowd
        - 0.85 * np.log(contrast) - 2.66 * turned - 16.6
    )  # fmt: skip


def _equally_strong(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both with mean 0, and the second with the first's contrast as far as a change of brightness explains it."""
    a, b = (part - part.mean((1, 2), keepdims=True) for part in (first, second))
    gain = (a.std((1, 2)) + 1) / (b.std((1, 2)) + 1)
    return a, b * np.clip(gain, 0.7, 1.4)[:, None, None]


_STARTS = range(0, SIDE - BLOCK + 1, STEP)
_BLOCKS = np.array([[start <= at < start + BLOCK for at in range(SIDE)] for start in _STARTS], np.float32) / BLOCK


def _over_blocks(values: np.ndarray) -> np.ndarray:
    """Means (n, B, B) over overlapping blocks of (n, SIDE, SIDE)."""
    return np.matmul(_BLOCKS, values) @ _BLOCKS.T
