import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.optimize import minimize_scalar

from anmok.core.errors import UsageError
from anmok.metrics.calibration import (
    COOLEST,
    HOTTEST,
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    reliability_bins,
    temperature_limit,
)


def overconfident(count=4000, temperature=2.5, seed=0):
    """Logits that are `temperature` times too large: targets are drawn from the calibrated probabilities."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(size=(count, 5)) * 1.5
    weights = np.exp(logits)
    chances = (weights / weights.sum(1, keepdims=True)).cumsum(1)
    targets = (generator.random((count, 1)) > chances).sum(1).clip(0, 4)
    return targets, logits * temperature


def test_the_temperature_is_the_likeliest():
    targets, logits = overconfident()

    def loss(temperature):
        return float(F.cross_entropy(torch.tensor(logits / temperature), torch.tensor(targets)))

    best = minimize_scalar(loss, bounds=(0.1, 10), method="bounded", options={"xatol": 1e-6}).x
    found = fit_temperature(targets, logits)
    assert found == pytest.approx(best, rel=1e-3)
    assert found == pytest.approx(2.5, rel=0.1)


def test_log_probabilities_serve_as_logits():
    targets, logits = overconfident(500)
    probabilities = apply_temperature(logits, 1.0)
    assert fit_temperature(targets, np.log(probabilities)) == pytest.approx(fit_temperature(targets, logits), rel=1e-6)


def test_it_calibrates_pictures_it_was_not_fitted_on():
    targets, logits = overconfident(seed=1)
    held_out, others = overconfident(seed=2)
    before = expected_calibration_error(held_out, apply_temperature(others, 1.0))
    after = expected_calibration_error(held_out, apply_temperature(others, fit_temperature(targets, logits)))
    assert after < 0.3 * before


def test_it_never_changes_the_answer():
    _, logits = overconfident(200)
    for temperature in (0.05, 1, 20):
        assert (apply_temperature(logits, temperature).argmax(1) == logits.argmax(1)).all()


def test_few_pictures_all_answered_rightly_are_no_proof():
    """Two of two right count as three in four: e^(3/T) = 3. Without that, every certainty would become 1."""
    found = fit_temperature([0, 1], [[3.0, 0.0], [0.0, 3.0]])
    assert found == pytest.approx(3 / np.log(3)) and temperature_limit(found) == ""


def test_a_temperature_at_its_limit_is_told():
    assert fit_temperature([0, 1], [[0.001, 0.0], [0.0, 0.001]]) == COOLEST
    assert "surer" in temperature_limit(COOLEST)
    generator = np.random.default_rng(0)
    worthless = fit_temperature(generator.integers(0, 4, 500), generator.normal(size=(500, 4)) * 100)
    assert worthless == HOTTEST and "next to none" in temperature_limit(worthless)


def test_huge_logits_do_not_overflow():
    assert np.isfinite(fit_temperature([0, 1, 0], [[4e4, 0.0], [0.0, 4e4], [0.0, 4e4]]))


def test_every_picture_is_in_one_bin():
    targets, logits = overconfident(777)
    found = reliability_bins(targets, apply_temperature(logits, 1.0), bins=10)
    assert found.count.sum() == 777
    filled = found.count > 0
    assert (found.confidence[filled] > found.edges[:-1][filled]).all()
    assert (found.confidence[filled] <= found.edges[1:][filled]).all()
    assert np.isnan(found.accuracy[~filled]).all()


def test_logits_are_no_certainties():
    with pytest.raises(UsageError, match="softmax"):
        expected_calibration_error([0], [[3.0, -1.0]])
