"""Accuracy: in how many pictures of a hundred the right class stands first, or among the first k.

Ties go to the class with the smaller id, as `argmax` decides them, so a network that answers the same score for every
class earns no credit.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anmok.core.errors import UsageError
from anmok.metrics._figure import Ints, checked, metric


def ranks(targets: ArrayLike, scores: ArrayLike) -> Ints:
    """The place of the right class in each picture's order of scores, from 0: int64 (N,).

    >>> ranks([0, 2], [[0.2, 0.7, 0.1], [0.1, 0.2, 0.7]])
    array([1, 0])
    """
    truths, answers = checked(targets, scores)
    own = np.take_along_axis(answers, truths[:, None], axis=1)
    earlier = np.arange(answers.shape[1]) < truths[:, None]
    return ((answers > own) | ((answers == own) & earlier)).sum(axis=1)


def top_k_hits(targets: ArrayLike, scores: ArrayLike, k: int = 1) -> NDArray[np.bool_]:
    """Whether the right class is among the first `k`: bool (N,)."""
    if k < 1:
        raise UsageError("k counts the answers that may be right", got=k, allowed="1 or more")
    return ranks(targets, scores) < k


def top_k_accuracy(targets: ArrayLike, scores: ArrayLike, k: int) -> float:
    """Share of pictures whose right class is among the first `k`.

    >>> scores = [[0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2], [0.5, 0.3, 0.2]]
    >>> top_k_accuracy([0, 1, 2, 0], scores, k=2)   # hit, hit, miss, hit
    0.75
    """
    return float(top_k_hits(targets, scores, k).mean())


@metric("max")
def accuracy(targets: ArrayLike, scores: ArrayLike) -> float:
    """Share of pictures whose right class stands first.

    >>> accuracy([0, 1, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.7, 0.3]])   # hit, hit, miss, hit
    0.75
    """
    return top_k_accuracy(targets, scores, 1)


@metric("max")
def top5_accuracy(targets: ArrayLike, scores: ArrayLike) -> float:
    """Share of pictures whose right class is among the first five; 1 where there are only five classes or fewer.

    >>> top5_accuracy([0, 5], [[1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 5, 6]])
    0.5
    """
    return top_k_accuracy(targets, scores, 5)
