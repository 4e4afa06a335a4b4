"""U-Net's weight map: the gaps between cells that nearly touch count most.

Ronneberger, Fischer, Brox (2015), "U-Net": w(x) = w_c(x) + w0 · exp(−(d1(x) + d2(x))² / (2σ²)), where d1 and d2 are the
distances from x to the nearest and the second nearest object, w0 = 10 and σ = 5 pixels, and w_c balances the classes.
The second term is given to the background alone, where the paper's picture of the map has it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anmok.core.errors import UsageError
from anmok.core.instances import instance_map, two_nearest

FAR = 6  # in σ: a pixel farther than this from an object gets less than w0·exp(−18), which is w0 / 65 million


def border_weights(
    instances: ArrayLike, w0: float = 10.0, sigma: float = 5.0, class_weight: tuple[float, float] = (1.0, 1.0)
) -> NDArray[np.float32]:
    """The weight of every pixel, float32 (H, W); what `place_weight` of the losses takes.

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
    if sigma <= 0:
        raise UsageError("σ is a distance in pixels", got=sigma, allowed="above 0", fix="sigma=5")
    mask = instance_map(instances)
    first, second = two_nearest(mask, reach=FAR * sigma)
    gaps = w0 * np.exp(-((first + second) ** 2) / (2 * sigma**2))
    return np.where(mask == 0, class_weight[0] + gaps, class_weight[1]).astype(np.float32)
