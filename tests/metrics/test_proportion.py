"""Exact coverage of the mid-p interval: summed over every outcome, no simulation needed."""

import numpy as np
import pytest
from scipy.stats import binom, binomtest

from anmok.core.errors import UsageError
from anmok.metrics.proportion import f1_share, mid_p_bounds, share

SHARES = np.concatenate([np.linspace(0.5, 0.99, 50), [0.993, 0.995, 0.998, 0.999]])


def coverage(n, shares):
    outcomes = np.arange(n + 1)
    low, high = mid_p_bounds(outcomes, np.full(n + 1, n))
    inside = (low <= shares[:, None]) & (shares[:, None] <= high)
    return (binom.pmf(outcomes, n, shares[:, None]) * inside).sum(1)


@pytest.mark.parametrize("n", [20, 50, 100, 500, 2000])
def test_it_holds_95_per_cent(n):
    held = coverage(n, SHARES)
    assert 0.945 <= held.mean() <= 0.965
    assert held.min() >= 0.92


@pytest.mark.parametrize(("hits", "trials"), [(0, 5), (5, 5), (1, 7), (90, 100), (9990, 10_000), (499_999, 500_000)])
def test_bounds_solve_the_mid_p_equation(hits, trials):
    low, high = (float(bound) for bound in mid_p_bounds(hits, trials))
    if hits:
        assert binom.sf(hits, trials, low) + binom.pmf(hits, trials, low) / 2 == pytest.approx(0.025, rel=1e-4)
    if hits < trials:
        assert binom.cdf(hits, trials, high) - binom.pmf(hits, trials, high) / 2 == pytest.approx(0.025, rel=1e-4)
    exact = binomtest(hits, trials).proportion_ci(method="exact")
    assert exact.low - 1e-9 <= low <= hits / trials <= high <= exact.high + 1e-9


def test_no_picture_tells_nothing():
    found = share(0, 0)
    assert np.isnan(found.value) and (found.low, found.high) == (0, 1)


def test_f1_lies_in_its_interval_and_ends_where_it_must():
    assert f1_share(0, 5, 5).low == 0
    assert f1_share(5, 5, 5).high == 1
    found = f1_share(30, 40, 35)
    assert found.low < found.value == 60 / 75 < found.high


@pytest.mark.parametrize(("hits", "trials"), [(6, 5), (-1, 5)])
def test_impossible_counts_are_refused(hits, trials):
    with pytest.raises(UsageError):
        mid_p_bounds(hits, trials)
