"""Kernel distance of two sets of features: KID's formula (Bińkowski, Sutherland, Arbel, Gretton: Demystifying MMD GANs,
ICLR 2018). Unbiased, so that small sets do not look worse than large ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.seeds import numpy_generator
from anmok.metrics._figure import Floats, set_metric
from anmok.metrics._sets import VALUES_AT_ONCE, checked_sets


@set_metric("min")
def kernel_distance(drawn: ArrayLike, real: ArrayLike) -> float:
    """Squared maximum mean discrepancy under (x·y / D + 1)³: 0 on average for equal distributions, then also below 0.

    Args:
        drawn, real: features (N, D) and (M, D), two or more of each.
    """
    x, y = checked_sets(drawn, real)
    n, m = len(x), len(y)
    return (
        _similarity(x, x, without_itself=True) / (n * (n - 1))
        + _similarity(y, y, without_itself=True) / (m * (m - 1))
        - 2 * _similarity(x, y) / (n * m)
    )


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


def _similarity(x: Floats, y: Floats, without_itself: bool = False) -> float:
    """The kernel summed over all pairs; without the pairs of a row with itself where x is y."""
    width = x.shape[1]
    rows = max(1, VALUES_AT_ONCE // len(y))
    total = sum(float(((x[i : i + rows] @ y.T / width + 1) ** 3).sum()) for i in range(0, len(x), rows))
    return total - float((((x * x).sum(1) / width + 1) ** 3).sum()) if without_itself else total
