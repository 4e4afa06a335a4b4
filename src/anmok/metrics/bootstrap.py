"""Bootstrap intervals for figures that are no simple share: macro F1, calibration error, AUROC, mIoU …

Pictures are drawn again with replacement, the figure computed each time (Efron 1979). Where a figure depends on the
confusion matrix alone, drawing pictures is drawing the matrix's cells from a multinomial: thousands of resamples cost
one vectorised formula. For shares use `proportion.share`, which holds its coverage for few pictures and near 1.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anmok.core.errors import UsageError
from anmok.core.seeds import numpy_generator
from anmok.metrics._figure import Floats
from anmok.metrics.precision_recall import ClassCounts
from anmok.metrics.proportion import Interval

CELLS_AT_ONCE = 4_000_000  # cells held at once while resampling a confusion matrix: 32 MB

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
    units = _units(groups, n)
    value = float(figure(*arrays))
    generator = numpy_generator(seed, "bootstrap")
    draws = np.empty(resamples)
    for number in range(resamples):
        chosen = generator.integers(0, len(units), len(units))
        rows = np.concatenate([units[unit] for unit in chosen]) if groups is not None else chosen
        draws[number] = figure(*(array[rows] for array in arrays))
    jackknife = _jackknife(figure, arrays, units) if method == "bca" else None
    return interval_from_draws(value, draws, n, confidence, jackknife)


def bootstrap_confusion(
    figure: Callable[[ClassCounts], Floats],
    confusion: ArrayLike,
    resamples: int = 2000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """The interval of a figure of the confusion matrix (C, C), e.g. `lambda c: macro(f1(c), c)`.

    `figure` takes counts of shape (R, C) and gives (R,). Same law as `bootstrap` over the pictures themselves.
    """
    cells = np.asarray(confusion, dtype=np.int64)
    n = int(cells.sum())
    if n == 0:
        raise UsageError("an interval needs pictures", got="an empty confusion matrix")
    value = float(figure(ClassCounts.of(cells)))
    draws = np.concatenate([figure(counts) for counts in _redrawn(cells, resamples, seed)])
    return interval_from_draws(value, draws, n, confidence, _jackknife_cells(figure, cells))


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


def _units(groups: ArrayLike | None, n: int) -> list[NDArray]:
    if groups is None:
        return [np.array([row]) for row in range(n)]
    _, place = np.unique(np.asarray(groups), return_inverse=True)
    return [np.flatnonzero(place == unit) for unit in range(place.max() + 1)]


def _jackknife(figure: Callable[..., float], arrays: list[NDArray], units: list[NDArray], most: int = 200) -> Floats:
    """The figure without each of at most `most` blocks of units; blocks keep large sets affordable."""
    blocks = [np.concatenate(units[start :: min(most, len(units))]) for start in range(min(most, len(units)))]
    n = len(arrays[0])
    if len(blocks) < 2:
        return np.array([])
    return np.array(
        [figure(*(np.delete(array, block, axis=0) for array in arrays)) for block in blocks if len(block) < n]
    )


def _redrawn(cells: NDArray[np.int64], resamples: int, seed: int):  # type: ignore[no-untyped-def]
    """Counts of resampled confusion matrices, some resamples at a time, without ever building the empty cells."""
    n, num_classes = int(cells.sum()), len(cells)
    rows, columns = np.nonzero(cells)
    chance = cells[rows, columns] / n
    pick = np.eye(num_classes)
    right = (rows == columns).astype(np.float64)
    generator = numpy_generator(seed, "bootstrap")
    at_once = max(1, CELLS_AT_ONCE // len(rows))
    for start in range(0, resamples, at_once):
        drawn = generator.multinomial(n, chance, size=min(at_once, resamples - start)).astype(np.float64)
        yield ClassCounts((drawn * right) @ pick[rows], drawn @ pick[columns], drawn @ pick[rows])


def _jackknife_cells(figure: Callable[[ClassCounts], Floats], cells: NDArray[np.int64], most: int = 5000) -> Floats:
    """Leave-one-out figures: pictures of one cell leave the same matrix behind, so each cell is computed once."""
    rows, columns = np.nonzero(cells)
    full = ClassCounts.of(cells)
    pick = np.eye(len(cells))
    left = ClassCounts(
        full.hits - pick[rows] * (rows == columns)[:, None], full.answered - pick[columns], full.present - pick[rows]
    )
    return np.repeat(figure(left), cells[rows, columns])
