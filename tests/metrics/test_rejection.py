import numpy as np
import pytest

from anmok.core.errors import UsageError
from anmok.metrics.rejection import risk_coverage, threshold_for_accuracy, threshold_for_coverage


def answers(count, seed):
    generator = np.random.default_rng(seed)
    certainty = generator.uniform(0.5, 1, count)
    targets = (generator.random(count) > certainty).astype(int)
    return targets, np.stack([certainty, 1 - certainty], 1)


def test_thresholds_do_what_they_say():
    targets, scores = answers(2000, 0)
    for wanted in (0.8, 0.9, 0.95):
        found = threshold_for_accuracy(targets, scores, wanted, sure=False)
        answered = scores.max(1) >= found.threshold
        assert found.reached and found.coverage == answered.mean()
        assert found.accuracy == (scores.argmax(1) == targets)[answered].mean() >= wanted
    for wanted in (0.1, 0.5, 0.9, 1.0):
        found = threshold_for_coverage(targets, scores, wanted)
        assert (scores.max(1) >= found.threshold).mean() == found.coverage >= wanted


def test_a_sure_threshold_keeps_its_promise_on_new_pictures():
    kept = {True: 0, False: 0}
    for seed in range(60):
        targets, scores = answers(600, seed)
        for sure in kept:
            threshold = threshold_for_accuracy(targets, scores, 0.9, sure=sure).threshold
            kept[sure] += (threshold + 1) / 2 >= 0.9  # certainty is the chance of being right: known exactly
    assert kept[True] / 60 > 0.85 > kept[False] / 60


def test_an_impossible_wish_is_said_to_be_one():
    targets, scores = answers(300, 1)
    flipped = 1 - targets
    found = threshold_for_accuracy(flipped, scores, 0.99)
    assert not found.reached and 0 < found.coverage <= 1


def test_ties_are_answered_together():
    curve = risk_coverage([0, 1, 0, 0], np.array([[0.9, 0.1]] * 2 + [[0.6, 0.4]] * 2))
    np.testing.assert_array_equal(curve.coverage, [0.5, 1.0])
    np.testing.assert_array_equal(curve.accuracy, [0.5, 0.75])


@pytest.mark.parametrize("wanted", [0, 1.5, -1])
def test_wishes_are_shares(wanted):
    with pytest.raises(UsageError):
        threshold_for_accuracy([0], [[1.0, 0.0]], wanted)
    with pytest.raises(UsageError):
        threshold_for_coverage([0], [[1.0, 0.0]], wanted)
