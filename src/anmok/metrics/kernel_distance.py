"""Kernel distance of two sets of features: KID's formula (Bińkowski, Sutherland, Arbel, Gretton: Demystifying MMD GANs,
ICLR 2018). Unbiased, so that small sets do not look worse than large ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.seeds import numpy_generator
from anmok.metrics._figure import Floats, set_metric
from anmok.metrics._sets import VALUES_AT_ONCE, checked_sets
from anmok.metrics.proportion import Interval


@set_metric("min")
def kernel_distance(drawn: ArrayLike, real: ArrayLike) -> float:
    """Squared maximum mean discrepancy under (x·y / D + 1)³: 0 on average for equal distributions, then also below 0.

    Args:
        drawn, real: features (N, D) and (M, D), two or more of each.
    """
    x, y = checked_sets(drawn, real)
    n, m = len(x), len(y)
    inside = (_sums(x, x) - _own(x)).sum() / (n * (n - 1)) + (_sums(y, y) - _own(y)).sum() / (m * (m - 1))
    return float(inside - 2 * _sums(x, y).sum() / (n * m))


def kernel_distance_interval(drawn: ArrayLike, real: ArrayLike, confidence: float = 0.95) -> Interval:
    """The distance with its interval by the jackknife of both sets: each picture left out in turn (Efron, 1982).

    Unknown (NaN on both sides) where a set has but two pictures.
    """
    from scipy.special import ndtri

    x, y = checked_sets(drawn, real)
    n, m = len(x), len(y)
    inside_x, inside_y = _sums(x, x) - _own(x), _sums(y, y) - _own(y)  # of each picture with the others of its set
    across_x, across_y = _sums(x, y), _sums(y, x)
    of_x, of_y, between = inside_x.sum(), inside_y.sum(), across_x.sum()
    value = of_x / (n * (n - 1)) + of_y / (m * (m - 1)) - 2 * between / (n * m)
    if min(n, m) < 3:
        return Interval(float(value), float("nan"), float("nan"), n, "none", confidence)
    without_x = (of_x - 2 * inside_x) / ((n - 1) * (n - 2)) - 2 * (between - across_x) / ((n - 1) * m)
    without_y = (of_y - 2 * inside_y) / ((m - 1) * (m - 2)) - 2 * (between - across_y) / (n * (m - 1))
    error = np.sqrt((n - 1) * without_x.var() + (m - 1) * without_y.var()) * ndtri((1 + confidence) / 2)
    return Interval(float(value), float(value - error), float(value + error), n, "jackknife", confidence)


def kernel_distance_spread(
    drawn: ArrayLike, real: ArrayLike, subsets: int = 100, size: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Mean and standard deviation over random `subsets` of `size` pictures of each set, as KID is usually quoted."""
    x, y = checked_sets(drawn, real)
    size = min(size, len(x), len(y))
    generator = numpy_generator(seed, "kernel distance")
    figures = [
        kernel_distance(x[generator.choice(len(x), size, False)], y[generator.choice(len(y), size, False)])
        for _ in range(subsets)
    ]
    return float(np.mean(figures)), float(np.std(figures))


def _sums(x: Floats, y: Floats) -> Floats:
    """The kernel of each row of x with every row of y, summed: (N,)."""
    rows = max(1, VALUES_AT_ONCE // len(y))
    parts = [((x[i : i + rows] @ y.T / x.shape[1] + 1) ** 3).sum(1) for i in range(0, len(x), rows)]
    return np.concatenate(parts)


def _own(x: Floats) -> Floats:
    """The kernel of each row with itself."""
    return (np.square(x).sum(1) / x.shape[1] + 1) ** 3
