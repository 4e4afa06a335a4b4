"""How codes are spread: their mean and the widest directions around it (principal components, Hotelling 1933)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Spread:
    """What `widest` found.

    Attributes:
        mean: (D,).
        directions: unit vectors (k, D), the widest first; the largest entry of each is positive.
        variances: along each, (k,).
        total: the variance along all directions together.
    """

    mean: np.ndarray
    directions: np.ndarray
    variances: np.ndarray
    total: float

    def along(self, points: np.ndarray) -> np.ndarray:
        """Where points (N, D) lie along the directions (N, k)."""
        return (points - self.mean) @ self.directions.T


def widest(points: np.ndarray, count: int) -> Spread:
    """The `count` widest directions of points (N, D), or as many as there are; exact, all in float32 but the roots.

    They follow from whichever is the smaller matrix, the covariance (D, D) or the products of all pairs (N, N).
    (scikit-learn's PCA finds the same; importing it would take longer than a small network's epoch.)
    """
    from scipy.linalg import eigh

    mean = points.mean(0, dtype=np.float64).astype(points.dtype)
    away = points - mean
    pairs, freedom = len(points) < points.shape[1], max(1, len(points) - 1)
    small = ((away @ away.T if pairs else away.T @ away) / freedom).astype(np.float64)
    last = len(small) - 1
    variances, vectors = eigh(small, subset_by_index=[max(0, last - count + 1), last])
    variances, vectors = variances[::-1].clip(0), vectors[:, ::-1].T
    directions = vectors.astype(points.dtype) @ away if pairs else vectors.astype(points.dtype)
    directions /= np.maximum(np.linalg.norm(directions, axis=1, keepdims=True), 1e-12)
    largest = np.take_along_axis(directions, np.abs(directions).argmax(1)[:, None], 1)
    return Spread(mean, directions * np.where(largest < 0, -1, 1), variances, float(np.trace(small)))
