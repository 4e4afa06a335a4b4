"""Precision, recall and F1, for each class and averaged.

Counts may carry leading axes (resamples, groups): all formulas work on the last axis, classes.

**Division by zero.** A class without a picture has no recall and no F1: NaN, left out of every average. A class that
has pictures and is never answered has precision 0 and F1 0 (it missed them all). A class without pictures that is never
answered has no precision either: NaN.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anmok.metrics._figure import Floats, metric
from anmok.metrics.confusion import confusion_from_scores


@dataclass(frozen=True)
class ClassCounts:
    """For each class: pictures answered rightly, pictures answered with it, pictures of it. Each (…, C)."""

    hits: Floats
    answered: Floats
    present: Floats

    @classmethod
    def of(cls, confusion: ArrayLike) -> ClassCounts:
        """From confusion matrices (…, C, C), rows true.

        >>> ClassCounts.of([[1, 1], [0, 2]])
        ClassCounts(hits=array([1., 2.]), answered=array([1., 3.]), present=array([2., 2.]))
        """
        cells = np.asarray(confusion, dtype=np.float64)
        return cls(np.diagonal(cells, axis1=-2, axis2=-1), cells.sum(axis=-2), cells.sum(axis=-1))


def precision(counts: ClassCounts) -> Floats:
    """Of the pictures answered with a class, the share that belongs to it.

    >>> precision(ClassCounts.of([[1, 1], [0, 2]]))   # 1/1, 2/3
    array([1.        , 0.66666667])
    """
    missed_all = np.where(counts.present > 0, 0.0, np.nan)
    return _ratio(counts.hits, counts.answered, otherwise=missed_all)


def recall(counts: ClassCounts) -> Floats:
    """Of the pictures of a class, the share answered with it.

    >>> recall(ClassCounts.of([[1, 1], [0, 2]]))   # 1/2, 2/2
    array([0.5, 1. ])
    """
    return _ratio(counts.hits, counts.present, otherwise=np.nan)


def f1(counts: ClassCounts) -> Floats:
    """The harmonic mean of precision and recall: 2·hits / (answered + present).

    >>> f1(ClassCounts.of([[1, 1], [0, 2]]))   # 2/3, 4/5
    array([0.66666667, 0.8       ])
    """
    value = _ratio(2 * counts.hits, counts.answered + counts.present, otherwise=np.nan)
    return np.where(counts.present > 0, value, np.nan)


def macro(values: Floats, counts: ClassCounts) -> Floats:
    """The plain mean over classes that have pictures: rare classes weigh as much as common ones."""
    return _mean(values, (counts.present > 0).astype(np.float64))


def weighted(values: Floats, counts: ClassCounts) -> Floats:
    """The mean over classes, each weighed by its number of pictures.

    >>> counts = ClassCounts.of([[3, 0], [1, 0]])
    >>> float(weighted(recall(counts), counts))   # (3·1 + 1·0) / 4
    0.75
    """
    return _mean(values, counts.present)


@metric("max")
def macro_precision(targets: ArrayLike, scores: ArrayLike) -> float:
    """Precision, averaged over the classes that have pictures.

    >>> macro_precision([0, 0, 1], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])   # (1/1 + 1/2) / 2
    0.75
    """
    counts = ClassCounts.of(confusion_from_scores(targets, scores))
    return float(macro(precision(counts), counts))


@metric("max")
def macro_recall(targets: ArrayLike, scores: ArrayLike) -> float:
    """Recall, averaged over the classes that have pictures; also called balanced accuracy.

    >>> macro_recall([0, 0, 1], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])   # (1/2 + 1/1) / 2
    0.75
    """
    counts = ClassCounts.of(confusion_from_scores(targets, scores))
    return float(macro(recall(counts), counts))


@metric("max")
def macro_f1(targets: ArrayLike, scores: ArrayLike) -> float:
    """F1, averaged over the classes that have pictures.

    >>> round(macro_f1([0, 0, 1], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), 4)   # (2/3 + 2/3) / 2
    0.6667
    """
    counts = ClassCounts.of(confusion_from_scores(targets, scores))
    return float(macro(f1(counts), counts))


@metric("max")
def weighted_f1(targets: ArrayLike, scores: ArrayLike) -> float:
    """F1, averaged over pictures: each class weighs as much as it has pictures.

    >>> round(weighted_f1([0, 0, 1], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]]), 4)
    0.6667
    """
    counts = ClassCounts.of(confusion_from_scores(targets, scores))
    return float(weighted(f1(counts), counts))


def _ratio(above: Floats, below: Floats, otherwise: float | Floats) -> Floats:
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), otherwise)


def _mean(values: Floats, weights: Floats) -> Floats:
    total = weights.sum(axis=-1)
    parts = np.where(weights > 0, values, 0.0) * weights
    return _ratio(parts.sum(axis=-1), total, otherwise=np.nan)
