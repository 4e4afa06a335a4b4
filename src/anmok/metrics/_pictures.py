"""What metrics of picture against picture have in common: one check of what arrives, and one scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics._figure import Floats


def checked_pictures(pictures: ArrayLike, references: ArrayLike) -> tuple[Floats, Floats]:
    """Both as float64 (N, H, W, C) in [0, 1]: uint8 is divided by 255, floats are taken as they are.

    Raises:
        UsageError: shapes differ or are no pictures, or floats lie outside [0, 1].
    """
    given, wanted = _unit(pictures), _unit(references)
    if given.shape != wanted.shape:
        raise UsageError("pictures do not fit what they are compared with", got=given.shape, allowed=wanted.shape)
    return given, wanted


def _unit(values: ArrayLike) -> Floats:
    array = np.asarray(values)
    if array.ndim != 4 or 0 in array.shape:
        raise UsageError("pictures come as a batch", got=f"shape {array.shape}", allowed="(N, height, width, channels)")
    if array.dtype == np.uint8:
        return array / 255.0
    unit = array.astype(np.float64)
    if not (np.isfinite(unit).all() and unit.min() >= 0 and unit.max() <= 1):
        raise UsageError("intensities are out of range", got=f"{unit.min():g} to {unit.max():g}",
                         allowed="uint8, or floats in [0, 1]", fix="np.clip(pictures, 0, 1)")  # fmt: skip
    return unit
