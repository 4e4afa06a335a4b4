"""Fréchet distance of two sets of features as if each were normal: FID's formula (Heusel et al.: GANs Trained by a Two
Time-Scale Update Rule, NeurIPS 2017). It is too large for few pictures; compare figures of equal counts only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.metrics._figure import Floats, set_metric
from anmok.metrics._sets import checked_sets


@set_metric("min")
def frechet_distance(drawn: ArrayLike, real: ArrayLike) -> float:
    """|μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½), for features (N, D) and (M, D).

    >>> round(frechet_distance([[0.0], [2.0]], [[3.0], [7.0]]), 6)   # means 1, 5; deviations √2, 2√2
    18.0
    """
    x, y = checked_sets(drawn, real)
    first, second = _covariance(x), _covariance(y)
    values, vectors = np.linalg.eigh(first)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    # Σ₁^½ Σ₂ Σ₁^½ has the eigenvalues of Σ₁ Σ₂ and is symmetric: no complex roots for thin sets.
    shared = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ second @ root), 0)).sum()
    between = float(np.square(x.mean(0) - y.mean(0)).sum())
    return max(0.0, between + float(np.trace(first) + np.trace(second) - 2 * shared))


def _covariance(features: Floats) -> Floats:
    return np.atleast_2d(np.cov(features, rowvar=False))
