"""BM3D in short: alike blocks stacked, transformed together, small coefficients dropped, then Wiener's filter.

After Dabov, Foi, Katkovnik, Egiazarian: Image Denoising by Sparse 3-D Transform-Domain Collaborative Filtering, IEEE
TIP 16(8), 2007. What differs: one transform, the DCT, along all three axes, and blocks are compared over the whole
picture. The authors' own program may not be used freely.
"""

import numpy as np
from scipy.fft import dctn, idctn

BLOCK, STEP = 8, 2  # pixels: a block's side, and from one reference block to the next
STACK, THRESHOLD = 16, 2.7  # blocks; deviations below which a coefficient counts as noise
AXES = (1, 2, 3)


def denoise(noisy: np.ndarray, sigma: float) -> np.ndarray:
    """A grey picture (H, W) in [0, 1] with noise of deviation `sigma` → an estimate of it without."""
    basic = _filtered(noisy, noisy, sigma, wiener=False)
    return np.clip(_filtered(noisy, basic, sigma, wiener=True), 0, 1)


def _filtered(noisy: np.ndarray, guide: np.ndarray, sigma: float, wiener: bool) -> np.ndarray:
    """Both steps: stacks are chosen in `guide`; the second also takes from it how strong each coefficient should be."""
    alike = _alike(guide, sigma, rough=not wiener)
    coefficients = dctn(_blocks(noisy)[alike], axes=AXES, norm="ortho")  # references, STACK, BLOCK, BLOCK
    if wiener:
        power = dctn(_blocks(guide)[alike], axes=AXES, norm="ortho") ** 2
        gain = power / (power + sigma**2)
        weight = 1 / np.maximum((gain**2).sum(AXES), 1e-9)
    else:
        gain = np.abs(coefficients) > THRESHOLD * sigma
        weight = 1 / np.maximum(gain.sum(AXES), 1)
    return _put_back(idctn(coefficients * gain, axes=AXES, norm="ortho"), alike, weight, noisy.shape)


def _blocks(picture: np.ndarray) -> np.ndarray:
    """All blocks, (places, BLOCK, BLOCK)."""
    return np.lib.stride_tricks.sliding_window_view(picture, (BLOCK, BLOCK)).reshape(-1, BLOCK, BLOCK)


def _alike(guide: np.ndarray, sigma: float, rough: bool) -> np.ndarray:
    """Of each reference block the places of those most like it, itself first, (references, STACK)."""
    blocks = dctn(_blocks(guide), axes=(1, 2), norm="ortho").reshape(-1, BLOCK**2)
    if rough:
        blocks = blocks * (np.abs(blocks) > THRESHOLD * sigma)
    across = guide.shape[1] - BLOCK + 1
    rows, columns = (np.unique([*range(0, side - BLOCK + 1, STEP), side - BLOCK]) for side in guide.shape)
    reference = (rows[:, None] * across + columns).ravel()
    sizes = np.square(blocks).sum(1)
    apart = sizes[reference][:, None] + sizes - 2 * blocks[reference] @ blocks.T
    apart[np.arange(len(reference)), reference] = -np.inf
    nearest = np.argpartition(apart, STACK - 1, axis=1)[:, :STACK]
    order = np.take_along_axis(apart, nearest, 1).argsort(1, kind="stable")
    return np.take_along_axis(nearest, order, 1)


def _put_back(stacks: np.ndarray, alike: np.ndarray, weight: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """The weighted mean of all that is said of each pixel."""
    across = shape[1] - BLOCK + 1
    rows = (alike // across)[..., None, None] + np.arange(BLOCK)[:, None]
    columns = (alike % across)[..., None, None] + np.arange(BLOCK)
    place = (rows * shape[1] + columns).ravel()
    weights = np.broadcast_to(weight[:, None, None, None], stacks.shape)
    total = np.bincount(place, (stacks * weights).ravel(), np.prod(shape))
    return (total / np.maximum(np.bincount(place, weights.ravel(), np.prod(shape)), 1e-12)).reshape(shape)
