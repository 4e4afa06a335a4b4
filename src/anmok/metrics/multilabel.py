"""Figures of answers that may name several classes: average precision of each class, F1 over all, whole sets right.

`targets` are bool (N, C), whether picture n shows class c; `scores` are (N, C), each class's own probability;
`answered` is bool (N, C), whether the score reaches the class's threshold. A class that no picture shows has no average
precision and no F1: NaN, left out of every mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.core.seeds import numpy_generator
from anmok.metrics._figure import Floats
from anmok.metrics.bootstrap import JACKKNIFE, VALUES_AT_ONCE, bootstrap_of_sums, interval_from_draws, widened
from anmok.metrics.precision_recall import ClassCounts, f1, macro
from anmok.metrics.proportion import Interval, f1_share, share


@dataclass(frozen=True)
class LabelRow:
    """One class: in how many pictures it is, in how many it was answered, from which score on, and how well."""

    name: str
    pictures: int
    answered: int
    threshold: float
    average_precision: Interval
    precision: Interval
    recall: Interval
    f1: Interval


@dataclass(frozen=True)
class LabelSummary:
    """`figures`: map, micro_f1, macro_f1, subset_accuracy; `labels`: a row a class, in the order of the classes."""

    figures: dict[str, Interval]
    labels: Sequence[LabelRow]


def average_precisions(targets: ArrayLike, scores: ArrayLike, times: ArrayLike | None = None) -> Floats:
    """Average precision of each class, Σ (recall step) · (precision), as scikit-learn defines it: equal scores count as
    one step, and nothing is interpolated.

    Args:
        times: how often each picture counts, (R, N): R samples at once; None: each once.

    Returns:
        (C,), or (R, C); NaN where no picture shows the class.

    >>> average_precisions([[1], [0], [1]], [[0.9], [0.8], [0.7]])   # 1/2 · 1/1 + 1/2 · 2/3
    array([0.83333333])
    """
    truths, answers = checked_labels(targets, scores)
    weights = np.ones((1, len(truths))) if times is None else np.asarray(times, np.float64)
    found = np.full((len(weights), truths.shape[1]), np.nan)
    for place in range(truths.shape[1]):
        order = np.argsort(-answers[:, place], kind="stable")
        ranked, hits = answers[order, place], truths[order, place]
        last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # of equal scores
        counted = weights[:, order]
        right, all_of_them = np.cumsum(counted * hits, 1)[:, last], np.cumsum(counted, 1)[:, last]
        present = right[:, -1:]
        precision = right / np.maximum(all_of_them, 1e-12)
        gained = np.diff(right, axis=1, prepend=0) / np.where(present > 0, present, np.nan)
        found[:, place] = (gained * precision).sum(1)
    return found[0] if times is None else found


def mean_average_precision(targets: ArrayLike, scores: ArrayLike) -> float:
    """The plain mean of `average_precisions` over the classes that occur."""
    return float(_mean(average_precisions(targets, scores)))


def micro_f1(targets: ArrayLike, answered: ArrayLike) -> float:
    """F1 of all decisions, picture by class, thrown together.

    >>> micro_f1([[1, 0], [1, 1]], [[1, 1], [0, 1]])   # 2 of 3 there were found, 2 of 3 answered were there
    0.6666666666666666
    """
    return float(_micro(_decisions(targets, answered).sum(0))[0])


def subset_accuracy(targets: ArrayLike, answered: ArrayLike) -> float:
    """The share of pictures whose answer names exactly what they show."""
    return float(exact(targets, answered).mean())


def exact(targets: ArrayLike, answered: ArrayLike) -> np.ndarray:
    """Whether each picture's answer names exactly what it shows, bool (N,)."""
    return (np.asarray(targets, bool) == np.asarray(answered, bool)).all(1)


def label_summary(
    targets: ArrayLike, scores: ArrayLike, thresholds: Sequence[float], classes: Sequence[str],
    resamples: int = 1000, seed: int = 0,
) -> LabelSummary:  # fmt: skip
    """Every figure with its 95 % interval: shares by their own, the others by the BCa bootstrap over pictures."""
    truths, answers = checked_labels(targets, scores)
    if not len(classes) == len(thresholds) == truths.shape[1]:
        got = f"{len(classes)} classes, {len(thresholds)} thresholds, {truths.shape[1]} columns"
        raise UsageError("one class and one threshold a column are needed", got=got)
    answered = answers >= np.asarray(thresholds, np.float64)
    precisions, mean = precision_intervals(truths, answers, resamples, seed)
    right, there = exact(truths, answered), _decisions(truths, answered)
    micro = bootstrap_of_sums(_micro, there, resamples, seed)[0]
    columns = np.concatenate([truths & answered, answered, truths], 1).astype(np.float64)
    macro_of_all = bootstrap_of_sums(_macro, columns, resamples, seed)[0]
    figures = {
        "map": mean,
        "micro_f1": micro,
        "macro_f1": macro_of_all,
        "subset_accuracy": share(int(right.sum()), len(right)),
    }
    rows = []
    for place, name in enumerate(classes):
        hits = int((truths[:, place] & answered[:, place]).sum())
        said, present = int(answered[:, place].sum()), int(truths[:, place].sum())
        rows.append(LabelRow(name, present, said, float(thresholds[place]), precisions[place], share(hits, said),
                             share(hits, present), f1_share(hits, said, present)))  # fmt: skip
    return LabelSummary(figures, rows)


def precision_intervals(
    targets: ArrayLike, scores: ArrayLike, resamples: int = 1000, seed: int = 0, confidence: float = 0.95
) -> tuple[list[Interval], Interval]:
    """Average precision of each class and their mean, with intervals: pictures are drawn whole, so that classes move
    together. BCa, and `widened` for few pictures.
    """
    truths, answers = checked_labels(targets, scores)
    n = len(truths)
    values = average_precisions(truths, answers)
    if n < 2:
        alone = [
            Interval(float(v), float("nan"), float("nan"), n, "none", confidence) for v in (*values, _mean(values))
        ]
        return alone[:-1], alone[-1]
    generator = numpy_generator(seed, "bootstrap")
    draws: list[Floats] = []
    at_once = max(1, VALUES_AT_ONCE // n)
    for start in range(0, resamples, at_once):
        count = min(at_once, resamples - start)
        times = np.stack([np.bincount(generator.integers(0, n, n), minlength=n) for _ in range(count)])
        draws.append(average_precisions(truths, answers, times))
    blocks = np.arange(n) % min(n, JACKKNIFE)
    left_out = average_precisions(truths, answers, blocks[None] != np.arange(blocks.max() + 1)[:, None])
    drawn, asked = np.concatenate(draws), widened(confidence, n)

    def interval(value: float, drawn: Floats, left_out: Floats, pictures: int) -> Interval:
        return replace(interval_from_draws(value, drawn, pictures, asked, left_out), confidence=confidence)

    each = [interval(float(values[c]), drawn[:, c], left_out[:, c], n) for c in range(truths.shape[1])]
    return each, interval(float(_mean(values)), _mean(drawn), _mean(left_out), n)


def best_thresholds(targets: ArrayLike, scores: ArrayLike, fewest: int = 5) -> list[float]:
    """Of each class the score from which on answering it has the best F1; 0.5 where fewer than `fewest` pictures show
    it, or show it not: so few tell nothing.

    A threshold lies half way between two scores; of equally good ones the nearest to 0.5 is taken.

    >>> best_thresholds([[1], [1], [0], [0]], [[0.4], [0.3], [0.1], [0.05]], fewest=1)
    [0.2]
    """
    truths, answers = checked_labels(targets, scores)
    found = []
    for hits, values in zip(truths.T, answers.T, strict=True):
        if min(hits.sum(), (~hits).sum()) < fewest:
            found.append(0.5)
            continue
        order = np.argsort(-values, kind="stable")
        ranked, right = values[order], np.cumsum(hits[order])
        last = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
        quality = 2 * right[last] / (last + 1 + hits.sum())
        borders = (ranked[last] + np.append(ranked[last][1:], 0.0)) / 2
        best = np.flatnonzero(quality == quality.max())
        nearest = borders[best[np.argmin(np.abs(borders[best] - 0.5))]]
        found.append(round(float(np.clip(nearest, 1e-6, 1 - 1e-6)), 6))
    return found


def checked_labels(targets: ArrayLike, scores: ArrayLike) -> tuple[np.ndarray, Floats]:
    """`targets` as bool (N, C) and `scores` as float64 (N, C), or the error that says what does not fit."""
    truths, answers = np.asarray(targets, bool), np.asarray(scores, np.float64)
    if truths.ndim != 2 or truths.shape != answers.shape or 0 in truths.shape:
        raise UsageError("targets and scores hold one row a picture and one column a class",
                         got=f"shapes {truths.shape} and {answers.shape}")  # fmt: skip
    if not np.isfinite(answers).all():
        raise UsageError("scores are not finite", got=f"{int((~np.isfinite(answers)).sum())} NaN or infinite",
                         fix="a checkpoint from before the loss became NaN")  # fmt: skip
    return truths, answers


def _decisions(targets: ArrayLike, answered: ArrayLike) -> Floats:
    """Of each picture how many classes were found, answered, there: (N, 3)."""
    truths, said = np.asarray(targets, bool), np.asarray(answered, bool)
    return np.stack([(truths & said).sum(1), said.sum(1), truths.sum(1)], 1).astype(np.float64)


def _micro(sums: Floats) -> Floats:
    """F1 from found, answered, there (…, 3) → (…, 1)."""
    found, answered, there = np.moveaxis(np.asarray(sums), -1, 0)
    both = answered + there
    return np.where(both > 0, 2 * found / np.where(both > 0, both, 1), np.nan)[..., None]


def _macro(sums: Floats) -> Floats:
    """Mean F1 of the classes that occur, from found, answered, there of each (…, 3C) → (…, 1)."""
    counts = ClassCounts(*np.split(np.asarray(sums), 3, axis=-1))
    return np.asarray(macro(f1(counts), counts))[..., None]


def _mean(values: Floats) -> Floats:
    """Over the last axis, NaN left out; NaN where nothing is left."""
    known = np.isfinite(values)
    return np.where(known.any(-1), np.where(known, values, 0).sum(-1) / np.maximum(known.sum(-1), 1), np.nan)
