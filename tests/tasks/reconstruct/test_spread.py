"""The widest directions of codes, against scikit-learn's principal components."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import PCA

from anmok.tasks.reconstruct.spread import widest


@pytest.mark.parametrize("shape", [(80, 12), (12, 80)], ids=["more points", "more numbers"])
def test_they_are_the_principal_components(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(0)
    points = (rng.normal(size=shape) @ rng.normal(size=(shape[1], shape[1])) + 3).astype(np.float32)
    found, known = widest(points, 4), PCA(4, svd_solver="full").fit(points.astype(np.float64))
    assert found.variances == pytest.approx(known.explained_variance_, rel=1e-4)
    assert found.variances / found.total == pytest.approx(known.explained_variance_ratio_, rel=1e-4)
    assert np.abs(found.directions @ known.components_.T) == pytest.approx(np.eye(4), abs=1e-3)
    assert np.abs(found.along(points)) == pytest.approx(np.abs(known.transform(points)), abs=2e-2)


def test_points_in_one_place_have_no_spread() -> None:
    found = widest(np.ones((3, 5), np.float32), 2)
    assert found.total == 0 and not found.variances.any() and np.isfinite(found.directions).all()


def test_there_are_no_more_directions_than_numbers() -> None:
    assert widest(np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32), 7).directions.shape == (3, 3)
