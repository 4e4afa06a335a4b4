"""Figures of several labels a picture, against scikit-learn and arithmetic done by hand."""

import numpy as np
import pytest
from sklearn import metrics as sk

from anmok.core.errors import UsageError
from anmok.metrics.multilabel import (
    average_precisions,
    best_thresholds,
    label_summary,
    mean_average_precision,
    micro_f1,
    precision_intervals,
    subset_accuracy,
)


def answers(n=80, classes=4, seed=0, digits=2):
    rng = np.random.default_rng(seed)
    truths = rng.random((n, classes)) < [0.5, 0.3, 0.1, 0.05][:classes]
    return truths, np.round(np.clip(0.3 * truths + rng.random((n, classes)) * 0.7, 0, 1), digits)  # with ties


@pytest.mark.parametrize("digits", [1, 8])
def test_figures_equal_scikit_learn(digits):
    truths, scores = answers(digits=digits)
    assert average_precisions(truths, scores) == pytest.approx(sk.average_precision_score(truths, scores, average=None))
    assert mean_average_precision(truths, scores) == pytest.approx(sk.average_precision_score(truths, scores))
    said = scores >= 0.5
    found = label_summary(truths, scores, [0.5] * 4, list("abcd"), resamples=20)
    assert found.figures["map"].value == pytest.approx(sk.average_precision_score(truths, scores))
    assert found.figures["micro_f1"].value == pytest.approx(sk.f1_score(truths, said, average="micro"))
    assert found.figures["macro_f1"].value == pytest.approx(sk.f1_score(truths, said, average="macro"))
    assert found.figures["subset_accuracy"].value == pytest.approx(sk.accuracy_score(truths, said))
    for name, theirs in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
        ours = [getattr(row, name).value for row in found.labels]
        assert ours == pytest.approx(theirs(truths, said, average=None, zero_division=0)), name
    assert [row.pictures for row in found.labels] == truths.sum(0).tolist()
    assert micro_f1(truths, said) == found.figures["micro_f1"].value
    assert subset_accuracy(truths, said) == found.figures["subset_accuracy"].value


def test_weighted_samples_are_samples_drawn_again():
    truths, scores = answers()
    rng = np.random.default_rng(1)
    rows = rng.integers(0, 80, (5, 80))
    times = np.stack([np.bincount(row, minlength=80) for row in rows])
    drawn = np.stack([average_precisions(truths[row], scores[row]) for row in rows])
    assert average_precisions(truths, scores, times) == pytest.approx(drawn, nan_ok=True)


def test_perfect_worst_and_never():
    truths = np.array([[1, 0], [0, 0], [1, 0]], bool)
    assert average_precisions(truths, truths.astype(float))[0] == 1
    assert average_precisions(truths, 1.0 - truths)[0] == pytest.approx(2 / 3)  # all three at once, two of them right
    assert np.isnan(average_precisions(truths, truths.astype(float))[1])
    found = label_summary(truths, truths * 0.9, [0.5, 0.5], ["a", "b"], resamples=20)
    assert found.figures["map"].value == found.figures["micro_f1"].value == 1
    assert np.isnan(found.labels[1].recall.value)


def test_intervals_hold_the_figure_and_narrow_with_more_pictures():
    widths = []
    for n in (40, 640):
        each, mean = precision_intervals(*answers(n, 2), resamples=300)
        assert all(one.low <= one.value <= one.high for one in (*each, mean))
        widths.append(mean.high - mean.low)
    assert widths[1] < widths[0] / 2


@pytest.mark.slow
def test_intervals_of_map_cover_the_truth_in_93_to_97_of_100_samples():
    truth = mean_average_precision(*answers(400_000, 2, seed=99, digits=12))
    held = 0
    for seed in range(400):
        _, mean = precision_intervals(*answers(150, 2, seed=seed, digits=12), resamples=400, seed=seed)
        held += mean.low <= truth <= mean.high
    assert 0.92 <= held / 400 <= 0.98


def test_thresholds_have_the_best_f1_of_all():
    truths, scores = answers(300, 3, digits=8)
    for place, chosen in enumerate(best_thresholds(truths, scores)):
        best = max(sk.f1_score(truths[:, place], scores[:, place] >= t) for t in np.unique(scores[:, place]))
        assert sk.f1_score(truths[:, place], scores[:, place] >= chosen) == pytest.approx(best)
    rare = np.zeros((300, 1), bool)
    rare[:4] = True
    assert best_thresholds(rare, scores[:, :1]) == [0.5]


def test_what_does_not_fit_is_refused():
    truths, scores = answers()
    with pytest.raises(UsageError, match="one column a class"):
        average_precisions(truths[:, :2], scores)
    with pytest.raises(UsageError, match="not finite"):
        average_precisions(truths, np.where(scores > 0.9, np.nan, scores))
