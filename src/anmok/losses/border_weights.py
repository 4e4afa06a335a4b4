"""U-Net's weight map: the gaps between cells that nearly touch count most.

Ronneberger, Fischer, Brox (2015), "U-Net": w(x) = w_c(x) + w0 · exp(−(d1(x) + d2(x))² / (2σ²)), where d1 and d2 are the
distances from x to the nearest and the second nearest object, w0 = 10 and σ = 5 pixels, and w_c balances the classes.
The second term is given to the background alone, where the paper's picture of the map has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anmok.core.errors import UsageError

FAR = 6  # in σ: a pixel farther than this from two objects gets less than w0·exp(−18), which is w0 / 65 million


def border_weights(
    instances: ArrayLike, w0: float = 10.0, sigma: float = 5.0, class_weight: tuple[float, float] = (1.0, 1.0)
) -> NDArray[np.float32]:
    """The weight of every pixel, float32 (H, W).

    Args:
        instances: whole numbers (H, W); 0 is background, every other number one object.
        w0: what the narrowest gap gets beside its class's weight.
        sigma: pixels; gaps much wider than this get nothing.
        class_weight: w_c of background and of objects.

    Raises:
        UsageError: the mask is not a map of whole numbers, or σ is not positive.

    >>> border_weights([[1, 0, 2]]).round(3)          # d1 = d2 = 1: 1 + 10·exp(−4 / 50)
    array([[ 1.   , 10.231,  1.   ]], dtype=float32)
    """
    mask = np.asarray(instances)
    if mask.ndim != 2 or not np.issubdtype(mask.dtype, np.integer) or (mask < 0).any():
        raise UsageError("an instance mask is a map of whole numbers", got=f"{mask.dtype} of shape {mask.shape}",
                         allowed="integers of 0 or more, (height, width), 0 for background")  # fmt: skip
    if sigma <= 0:
        raise UsageError("σ is a distance in pixels", got=sigma, allowed="above 0", fix="sigma=5")
    first, second = two_nearest(mask, reach=FAR * sigma)
    background = mask == 0
    weights = np.where(background, *class_weight).astype(np.float64)
    with np.errstate(over="ignore"):  # infinitely far is infinitely far
        weights += np.where(background, w0 * np.exp(-((first + second) ** 2) / (2 * sigma**2)), 0.0)
    return weights.astype(np.float32)


def two_nearest(mask: NDArray, reach: float = np.inf) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance from every pixel to the nearest object and to the second nearest, pixels; inf where beyond `reach`.

    Each object is measured in its own surroundings only, so that a thousand cells cost little more than one.
    """
    from scipy.ndimage import distance_transform_edt, find_objects

    first, second = np.full(mask.shape, np.inf), np.full(mask.shape, np.inf)
    numbers, places = np.unique(mask, return_inverse=True)
    ranks = places.reshape(mask.shape) + (0 if numbers[0] == 0 else 1)  # 0 background, 1 … objects, none left out
    margin = int(min(np.ceil(reach), max(mask.shape)))
    for rank, box in enumerate(find_objects(ranks), start=1):
        wide = tuple(slice(max(0, side.start - margin), side.stop + margin) for side in box)
        distance = distance_transform_edt(ranks[wide] != rank)
        distance[distance > reach] = np.inf
        nearer = distance < first[wide]
        second[wide] = np.where(nearer, first[wide], np.minimum(second[wide], distance))
        first[wide] = np.where(nearer, distance, first[wide])
    return first, second
