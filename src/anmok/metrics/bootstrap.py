"""Bootstrap intervals for any figure: pictures are drawn again with replacement, the figure computed each time.

Efron (1979). Use it for figures that have no better interval. Shares have (`proportion.share`), and averages over
classes (`averages.average_intervals`), and AUROC (`auroc.auroc_interval`): near 1 and for few pictures theirs hold
where the bootstrap collapses.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anmok.core.errors import UsageError
from anmok.core.seeds import numpy_generator
from anmok.metrics._figure import Floats
from anmok.metrics.proportion import Interval

VALUES_AT_ONCE = 4_000_000  # values held at once while resampling: 32 MB

JACKKNIFE = 200  # blocks of pictures left out in turn, at most

Method = Literal["percentile", "bca"]


def bootstrap(
    figure: Callable[..., float],
    *columns: ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    method: Method = "bca",
    groups: ArrayLike | None = None,
) -> Interval:
    """The interval of `figure(*columns)`; row i of every column belongs to picture i.

    Args:
        figure: e.g. a registered metric, called as `figure(targets, scores)`.
        columns: arrays whose first axis is pictures, N of them.
        resamples: how often the pictures are drawn again.
        seed: the same seed gives the same interval.
        confidence: e.g. 0.95.
        method: `percentile`, or `bca` (Efron 1987), which corrects for bias and skewness.
        groups: (N,), where pictures of one group (a video, a patient) are not independent: groups are drawn whole.

    >>> hits = np.array([1.0] * 80 + [0.0] * 20)
    >>> str(bootstrap(np.mean, hits))
    '0.8000 [0.7100, 0.8700]'
    """
    arrays = [np.asarray(column) for column in columns]
    n = _pictures(arrays)
    units = None if groups is None else _units(groups)
    value = float(figure(*arrays))
    generator = numpy_generator(seed, "bootstrap")
    draws = np.empty(resamples)
    for number in range(resamples):
        count = n if units is None else len(units)
        chosen = generator.integers(0, count, count)
        rows = chosen if units is None else np.concatenate([units[unit] for unit in chosen])
        draws[number] = figure(*(array[rows] for array in arrays))
    jackknife = _jackknife(figure, arrays, units) if method == "bca" else None
    return interval_from_draws(value, draws, n, confidence, jackknife)


def bootstrap_of_sums(
    formula: Callable[[Floats], Floats],
    rows: ArrayLike,
    resamples: int = 1000,
    seed: int = 0,
    confidence: float = 0.95,
    groups: ArrayLike | None = None,
) -> list[Interval]:
    """Intervals for many figures at once that are formulas of sums over pictures, such as every class's IoU.

    BCa, and `widened` for few pictures: people annotate ten and ask what that tells. Simulated, 95 % intervals of a
    share held the truth in 92 to 95 % of samples of ten pictures and more, in 87 % of samples of five. Those of a mean
    IoU over three classes, one of them rare and in some pictures only, held it in 91 % (ten pictures) to 93 % (100).

    Args:
        formula: sums (…, K) → figures (…, F).
        rows: what each picture adds to the sums (N, K).
        resamples: how often the pictures are drawn again.
        seed: the same seed gives the same intervals.
        confidence: e.g. 0.95.
        groups: (N,), see `bootstrap`.

    Returns:
        F intervals. From a single picture (or group) there is none: NaN on both sides.

    >>> rows = np.array([[1.0, 4], [3, 4], [2, 4], [2, 4]])                 # hits and pixels of four pictures
    >>> str(bootstrap_of_sums(lambda sums: sums[..., :1] / sums[..., 1:], rows)[0])
    '0.5000 [0.2500, 0.7500]'
    """
    table = np.asarray(rows, dtype=np.float64)
    if groups is not None:
        table = np.stack([table[unit].sum(0) for unit in _units(groups)])
    n = len(table)
    values = formula(table.sum(0))
    if n < 2:
        return [Interval(float(value), float("nan"), float("nan"), n, "none", confidence) for value in values]
    generator = numpy_generator(seed, "bootstrap")
    times = np.zeros((resamples, n))  # how often each picture was drawn
    for row in times:
        row += np.bincount(generator.integers(0, n, n), minlength=n)
    draws = formula(times @ table)
    blocks = np.arange(n) % min(n, JACKKNIFE)
    left_out = formula(table.sum(0) - np.stack([table[blocks == block].sum(0) for block in range(blocks.max() + 1)]))
    asked, pictures = widened(confidence, n), len(np.asarray(rows))
    found = (
        interval_from_draws(float(value), draws[:, one], pictures, asked, left_out[:, one])
        for one, value in enumerate(values)
    )
    return [replace(one, confidence=confidence) for one in found]


def widened(confidence: float, n: int) -> float:
    """The level to ask of the bootstrap for `confidence` from n pictures, 2 or more.

    Resamples of few pictures spread less than samples would, by √((n − 1) / n), and a normal's quantiles are not
    Student's: Hesterberg (2015), "What Teachers Should Know About the Bootstrap", section 4.

    >>> round(widened(0.95, 10), 4), round(widened(0.95, 1000), 4)
    (0.9829, 0.9504)
    """
    from scipy.special import ndtr, stdtrit

    asked = 1 - 2 * ndtr(-np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + confidence) / 2))
    return float(min(asked, 0.9999))  # beyond, it is the range of the resamples


def mean_interval(values: ArrayLike, resamples: int = 1000, seed: int = 0, confidence: float = 0.95) -> Interval:
    """The interval of a mean over pictures (a loss, a squared error), by the studentised bootstrap.

    Losses are skewed: many pictures cost little, few cost much. Dividing each resampled mean's error by its own
    standard error (Efron & Tibshirani 1993, chapter 12) holds coverage there better than percentiles do.

    >>> str(mean_interval(np.arange(100) / 100))
    '0.4950 [0.4389, 0.5508]'
    """
    column = np.asarray(values, dtype=np.float64)
    n, value, error = len(column), float(column.mean()), float(column.std() / np.sqrt(len(column)))
    if n < 2 or error == 0:
        return Interval(value, value, value, n, "no spread", confidence)
    generator = numpy_generator(seed, "bootstrap")
    ratios = np.empty(resamples)
    at_once = max(1, VALUES_AT_ONCE // n)
    for start in range(0, resamples, at_once):
        drawn = column[generator.integers(0, n, (min(at_once, resamples - start), n))]
        own = np.maximum(drawn.std(axis=1) / np.sqrt(n), error / n)
        ratios[start : start + len(drawn)] = (drawn.mean(axis=1) - value) / own
    low, high = np.quantile(ratios, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, value - float(high) * error, value - float(low) * error, n, "bootstrap t", confidence)


def interval_from_draws(
    value: float, draws: Floats, n: int, confidence: float = 0.95, jackknife: Floats | None = None
) -> Interval:
    """The interval from resampled figures: percentile, or BCa where leave-one-out figures are given."""
    from scipy.special import ndtr, ndtri

    draws = np.sort(draws[np.isfinite(draws)])
    if not len(draws) or not np.isfinite(value):
        return Interval(value, float("nan"), float("nan"), n, "none", confidence)
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    method = "percentile"
    below = (np.searchsorted(draws, value, "left") + np.searchsorted(draws, value, "right")) / 2 / len(draws)
    if jackknife is not None and 0 < below < 1:
        method = "bca"
        bias = ndtri(below)
        spread = np.nanmean(jackknife) - jackknife[np.isfinite(jackknife)]
        power = float((spread**2).sum() ** 1.5)
        skew = float((spread**3).sum()) / (6 * power) if power > 0 else 0.0
        wanted = bias + ndtri(tails)
        tails = ndtr(bias + wanted / (1 - skew * wanted))
    low, high = np.quantile(draws, tails)
    return Interval(value, float(low), float(high), n, method, confidence)


def _pictures(arrays: list[NDArray]) -> int:
    lengths = {len(array) for array in arrays}
    if len(lengths) != 1 or 0 in lengths:
        raise UsageError("every column holds one row a picture", got=f"lengths {sorted(lengths)}")
    return lengths.pop()


def _units(groups: ArrayLike) -> list[NDArray]:
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    order = np.argsort(place, kind="stable")
    return np.split(order, np.cumsum(np.bincount(place))[:-1])


def _jackknife(
    figure: Callable[..., float], arrays: list[NDArray], units: list[NDArray] | None, most: int = JACKKNIFE
) -> Floats:
    """The figure without each of at most `most` blocks of units; blocks keep large sets affordable."""
    n = len(arrays[0])
    count = n if units is None else len(units)
    figures = []
    for start in range(min(most, count)):
        block = np.arange(start, n, most) if units is None else np.concatenate(units[start::most])
        if len(block) < n:
            figures.append(figure(*(np.delete(array, block, axis=0) for array in arrays)))
    return np.array(figures, dtype=np.float64)
