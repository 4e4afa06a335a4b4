"""Area under the per-region overlap curve: is every defect found, the small ones too?

Bergmann, Batzner, Fauser, Sattlegger, Steger: The MVTec Anomaly Detection Dataset, IJCV 129, 2021. Pixels would count a
large defect many times; here every connected region counts once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics._figure import Floats


def region_overlap(masks: ArrayLike, scores: ArrayLike, limit: float = 0.3) -> float:
    """Mean share of each region above the threshold, averaged over false positive rates from 0 to `limit`.

    Args:
        masks: where pictures are abnormal, bool (N, H, W); regions touch also at corners.
        scores: how abnormal each pixel is, (N, H, W).
        limit: largest share of normal pixels above the threshold.

    Returns:
        In [0, 1]; half of `limit` for scores that know nothing; NaN without a region, or without a normal pixel.

    Raises:
        UsageError: shapes differ, scores are not finite, or the limit is no share.
    """
    truth, values = np.asarray(masks, dtype=bool), np.asarray(scores, dtype=np.float64)
    if truth.ndim != 3 or truth.shape != values.shape:
        raise UsageError("one score a pixel is needed", got=f"shapes {truth.shape} and {values.shape}",
                         allowed="(N, height, width) twice")  # fmt: skip
    if not np.isfinite(values).all():
        raise UsageError("scores are not finite", got=f"{int((~np.isfinite(values)).sum())} NaN or infinite")
    if not 0 < limit <= 1:
        raise UsageError("the limit is a share of the normal pixels", got=limit, allowed="above 0 to 1", fix="0.3")
    weights, regions = _weights(truth)
    if not regions or truth.all():
        return float("nan")
    from scipy.integrate import trapezoid

    false, found = _curve(truth.ravel(), weights.ravel(), values.ravel())
    at_limit = float(np.interp(limit, false, found))
    inside = false <= limit
    return float(trapezoid([*found[inside], at_limit], [*false[inside], limit]) / limit)


def _weights(truth: np.ndarray) -> tuple[Floats, int]:
    """What each abnormal pixel adds to the mean overlap: 1 / (pixels of its region · regions)."""
    from scipy.ndimage import label

    touching = np.zeros((3, 3, 3), int)
    touching[1] = 1  # within a picture, all eight neighbours; never from picture to picture
    numbers, regions = label(truth, touching)
    sizes = np.bincount(numbers.ravel(), minlength=regions + 1)
    return np.where(truth, 1 / (sizes[numbers] * max(1, regions)), 0.0), regions


def _curve(truth: np.ndarray, weights: Floats, values: Floats) -> tuple[Floats, Floats]:
    """False positive rate and mean overlap at every threshold, from none above it to all."""
    order = np.argsort(-values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(order) - 1)  # equal scores cross together
    false = np.cumsum(~truth[order])[ends] / (~truth).sum()
    found = np.cumsum(weights[order])[ends]
    return np.append(0.0, false), np.append(0.0, found)
