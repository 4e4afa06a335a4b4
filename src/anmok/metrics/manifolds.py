"""Do drawn pictures look real, and are all kinds of real ones drawn? Two questions, each answered twice.

Around every picture of a set a ball is laid that reaches to its k-th nearest neighbour; the balls together stand for
the set. Precision and recall: Kynkäänniemi et al., Improved Precision and Recall Metric for Assessing Generative
Models, NeurIPS 2019. Density and coverage, which one outlier cannot spoil: Naeem et al., Reliable Fidelity and
Diversity Metrics for Generative Models, ICML 2020.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anmok.metrics._figure import set_metric
from anmok.metrics._sets import checked_sets, distances, nearest

NEIGHBOURS = 5
ROUNDING = 1 + 1e-6  # the same distance computed twice may differ by this factor


@dataclass(frozen=True)
class Manifolds:
    """Four shares. `density` may exceed 1; the others lie in [0, 1].

    Args:
        precision, recall, density, coverage: see the functions of these names.
        recalled: which real pictures lie in a drawn one's ball, bool (M,).
        balls: in how many real pictures' balls each drawn one lies, in units of k, (N,).
    """

    precision: float
    recall: float
    density: float
    coverage: float
    recalled: np.ndarray
    balls: np.ndarray


def manifolds(drawn: ArrayLike, real: ArrayLike, neighbours: int = NEIGHBOURS) -> Manifolds:
    """All four figures of features (N, D) and (M, D), in one pass over the distances.

    Args:
        drawn, real: more than `neighbours` of each.
        neighbours: k.
    """
    x, y = checked_sets(drawn, real, least=neighbours + 1)
    around_drawn = nearest(x, None, neighbours)[0][:, -1] * ROUNDING
    around_real = nearest(y, None, neighbours)[0][:, -1] * ROUNDING
    looks_real, balls, recalled, covered = 0, np.zeros(len(x)), np.zeros(len(y), bool), np.zeros(len(y), bool)
    for rows, apart in distances(x, y):
        within = apart <= around_real
        looks_real += int(within.any(1).sum())
        balls[rows] = within.sum(1) / neighbours
        covered |= within.any(0)
        recalled |= (apart <= around_drawn[rows, None]).any(0)
    n = len(x)
    return Manifolds(
        looks_real / n, float(recalled.mean()), float(balls.mean()), float(covered.mean()), recalled, balls
    )


@set_metric("max")
def precision(drawn: ArrayLike, real: ArrayLike) -> float:
    """The share of drawn pictures that lie in a real one's ball: do they look real?"""
    return manifolds(drawn, real).precision


@set_metric("max")
def recall(drawn: ArrayLike, real: ArrayLike) -> float:
    """The share of real pictures that lie in a drawn one's ball: could they have been drawn?"""
    return manifolds(drawn, real).recall


@set_metric("max")
def density(drawn: ArrayLike, real: ArrayLike) -> float:
    """In how many real pictures' balls a drawn one lies, in units of k: about 1 for equal sets."""
    return manifolds(drawn, real).density


@set_metric("max")
def coverage(drawn: ArrayLike, real: ArrayLike) -> float:
    """The share of real pictures whose ball holds a drawn one: is every kind drawn?"""
    return manifolds(drawn, real).coverage
