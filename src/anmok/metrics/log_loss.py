"""Proper scores: what a probability cost when the truth came out. Smaller is better."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.metrics._figure import Floats, checked, metric

# A probability below this counts as this: one impossible answer must not make the mean infinite.
SMALLEST = 1e-12


@metric("min")
def log_loss(targets: ArrayLike, scores: ArrayLike) -> float:
    """Mean of −ln p(right class), in nats; probabilities below 1e-12 count as 1e-12.

    >>> round(log_loss([0, 1], [[0.5, 0.5], [0.25, 0.75]]), 4)   # (0.6931 + 0.2877) / 2
    0.4904
    """
    return float(log_losses(targets, scores).mean())


@metric("min")
def brier_score(targets: ArrayLike, scores: ArrayLike) -> float:
    """Mean over pictures of Σ_c (p_c − [c is right])²: from 0 to 2 (Brier 1950, the form for many classes).

    >>> brier_score([0], [[0.5, 0.5]])   # 0.25 + 0.25
    0.5
    """
    return float(brier_scores(targets, scores).mean())


def log_losses(targets: ArrayLike, scores: ArrayLike) -> Floats:
    """Each picture's −ln p(right class), (N,)."""
    truths, answers = checked(targets, scores)
    own = answers[np.arange(len(truths)), truths]
    return -np.log(np.clip(own, SMALLEST, 1.0))


def brier_scores(targets: ArrayLike, scores: ArrayLike) -> Floats:
    """Each picture's squared error over all classes, (N,)."""
    truths, answers = checked(targets, scores)
    errors = answers.copy()
    errors[np.arange(len(truths)), truths] -= 1.0
    return (errors**2).sum(axis=1)
