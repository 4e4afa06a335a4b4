"""Peak signal-to-noise ratio: the squared error between two pictures, in decibels below the brightest possible one."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.metrics._figure import Floats, picture_metric
from anmok.metrics._pictures import checked_pictures


@picture_metric("max")
def psnr(pictures: ArrayLike, references: ArrayLike) -> Floats:
    """−10 log₁₀ of each picture's mean squared error, dB (N,); infinite where pictures are equal.

    Args:
        pictures, references: (N, H, W, C), uint8 or floats in [0, 1].

    >>> psnr(np.full((1, 2, 2, 1), 0.5), np.full((1, 2, 2, 1), 0.4)).round(6)   # error 0.01
    array([20.])
    """
    given, wanted = checked_pictures(pictures, references)
    error = np.square(given - wanted).mean((1, 2, 3))
    with np.errstate(divide="ignore"):
        return -10 * np.log10(error)
