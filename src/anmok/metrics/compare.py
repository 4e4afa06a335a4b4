"""Two runs on the same pictures: is one better, or is the difference chance?

McNemar's test in its mid-p form (Fagerland, Lydersen & Laake 2013) looks at the pictures where exactly one of the two
is right; a paired interval says how large the difference is. Other metrics are compared by the paired bootstrap.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anmok.core.errors import UsageError
from anmok.metrics.bootstrap import bootstrap
from anmok.metrics.proportion import Interval


@dataclass(frozen=True)
class Comparison:
    """Accuracy of A minus accuracy of B on the same pictures.

    `only_a`, `only_b`: pictures that only A, only B answered rightly. `p_value`: how often chance alone would part the
    two at least this far. `difference`: with its 95 % interval.
    """

    accuracy_a: float
    accuracy_b: float
    only_a: int
    only_b: int
    p_value: float
    difference: Interval
    verdict: str


def mcnemar(only_a: int, only_b: int) -> float:
    """Two-sided mid-p value of McNemar's test; 1 where the two never differ.

    >>> round(mcnemar(1, 5), 4)   # exact: 2·(1 + 6)/64 = 0.2188; minus P(X = 1) = 6/64
    0.125
    """
    from scipy.stats import binom

    both = only_a + only_b
    if both == 0:
        return 1.0
    fewer = min(only_a, only_b)
    exact = min(1.0, 2 * float(binom.cdf(fewer, both, 0.5)))
    if only_a == only_b:
        return float(1 - binom.pmf(fewer, both, 0.5))
    return exact - float(binom.pmf(fewer, both, 0.5))


def paired_difference(only_a: int, only_b: int, n: int, confidence: float = 0.95) -> Interval:
    """(only_a − only_b) / n with its score interval (Tango 1998), which holds where few pictures differ.

    >>> str(paired_difference(30, 10, 1000))
    '0.0200 [0.0080, 0.0336]'
    """
    if n < 1 or min(only_a, only_b) < 0 or only_a + only_b > n:
        raise UsageError("differing pictures are counted among all", got=f"{only_a} + {only_b} of {n}")
    from scipy.special import ndtri

    z, value = float(ndtri((1 + confidence) / 2)), (only_a - only_b) / n

    def score(difference: float) -> float:
        """How many standard errors the observed difference lies above this one: falls as it grows."""
        linear = (2 * n - only_a + only_b) * difference - only_a - only_b
        constant = -only_b * difference * (1 - difference)
        only_b_share = (np.sqrt(linear**2 - 8 * n * constant) - linear) / (4 * n)
        variance = n * (2 * only_b_share + difference * (1 - difference))
        return (only_a - only_b - n * difference) / np.sqrt(max(variance, 1e-300))

    low = _where_falls_to(score, z, -1.0, value)
    high = _where_falls_to(score, -z, value, 1.0)
    return Interval(value, low, high, n, "score", confidence)


def paired_bootstrap(
    figure: Callable[[NDArray, NDArray], float],
    targets: ArrayLike,
    scores_a: ArrayLike,
    scores_b: ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
) -> Interval:
    """The interval of any metric's difference, A minus B, the same pictures drawn for both.

    >>> from anmok.metrics.accuracy import accuracy
    >>> right, wrong = [[0.9, 0.1]] * 50, [[0.9, 0.1]] * 40 + [[0.1, 0.9]] * 10
    >>> str(paired_bootstrap(accuracy, np.zeros(50, int), right, wrong))
    '0.2000 [0.1200, 0.3200]'
    """
    return bootstrap(
        lambda truths, a, b: figure(truths, a) - figure(truths, b),
        targets, scores_a, scores_b, resamples=resamples, seed=seed,
    )  # fmt: skip


def compare(
    right_a: ArrayLike, right_b: ArrayLike, alpha: float = 0.05, names: tuple[str, str] = ("A", "B")
) -> Comparison:
    """Judge two runs by which of the same pictures each answered rightly: bool (N,) twice. `names`: in the verdict.

    >>> right_a, right_b = np.ones(200, bool), np.ones(200, bool)
    >>> right_b[:3] = False
    >>> compare(right_a, right_b).verdict
    'A is right in 1.5 more pictures of 100, but the difference may be chance (p = 0.12).'
    """
    first, second = np.asarray(right_a, dtype=bool), np.asarray(right_b, dtype=bool)
    if first.ndim != 1 or first.shape != second.shape or not first.size:
        raise UsageError("both runs answer the same pictures", got=f"{first.shape} and {second.shape} answers",
                         fix="evaluating both on one data set")  # fmt: skip
    only_a, only_b = int((first & ~second).sum()), int((second & ~first).sum())
    p_value = mcnemar(only_a, only_b)
    difference = paired_difference(only_a, only_b, len(first))
    if p_value >= alpha:
        # Test and interval approximate differently; at the border they must not contradict each other.
        difference = replace(difference, low=min(difference.low, 0.0), high=max(difference.high, 0.0))
    return Comparison(
        accuracy_a=float(first.mean()),
        accuracy_b=float(second.mean()),
        only_a=only_a,
        only_b=only_b,
        p_value=p_value,
        difference=difference,
        verdict=_verdict(difference, p_value, alpha, only_a + only_b, names),
    )


def _verdict(difference: Interval, p_value: float, alpha: float, differing: int, names: tuple[str, str]) -> str:
    if differing == 0:
        return "Both are right and wrong on exactly the same pictures: nothing tells them apart."
    better = names[0] if difference.value > 0 else names[1]
    points = f"{100 * abs(difference.value):.1f}"
    p_text = "p < 0.001" if p_value < 0.001 else f"p = {p_value:.2g}"
    if difference.value == 0:
        return f"Both are right equally often, on different pictures ({differing} differ)."
    if p_value >= alpha:
        return f"{better} is right in {points} more pictures of 100, but the difference may be chance ({p_text})."
    low, high = sorted((100 * abs(difference.low), 100 * abs(difference.high)))
    return (
        f"{better} is better: right in {points} more pictures of 100 (95 % interval {low:.1f} to {high:.1f}, {p_text})."
    )


def _where_falls_to(falling: Callable[[float], float], level: float, low: float, high: float) -> float:
    for _ in range(48):
        middle = (low + high) / 2
        low, high = (middle, high) if falling(middle) > level else (low, middle)
    return float((low + high) / 2)
