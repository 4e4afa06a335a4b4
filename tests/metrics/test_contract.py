"""Every registered metric: perfect, worst, shuffled, and equal to what scikit-learn or torchmetrics says."""

import numpy as np
import pytest
import sklearn.metrics as sk
import torch
from torchmetrics.functional.classification import multiclass_calibration_error

from anmok.core.errors import UsageError
from anmok.metrics import METRICS

CLASSES = 7


def answers(count=400, seed=0, missing=()):
    """Targets and probabilities of a mediocre classifier; classes in `missing` have no picture."""
    generator = np.random.default_rng(seed)
    targets = generator.choice([number for number in range(CLASSES) if number not in missing], count)
    logits = generator.normal(size=(count, CLASSES))
    logits[np.arange(count), targets] += 1.5
    weights = np.exp(logits)
    return targets, weights / weights.sum(1, keepdims=True)


def present(targets):
    return np.unique(targets)


def averaged(figure, average):
    return lambda targets, scores: figure(
        targets, scores.argmax(1), labels=present(targets), average=average, zero_division=0
    )


def torch_ece(targets, scores):
    return float(multiclass_calibration_error(torch.tensor(scores), torch.tensor(targets), CLASSES, n_bins=15))


def risk_coverage_by_hand(targets, scores):
    order = np.argsort(-scores.max(1), kind="stable")
    wrong = (scores.argmax(1) != targets)[order]
    return float((np.cumsum(wrong) / np.arange(1, len(wrong) + 1)).mean())


REFERENCES = {
    "accuracy": lambda t, s: sk.accuracy_score(t, s.argmax(1)),
    "top5_accuracy": lambda t, s: sk.top_k_accuracy_score(t, s, k=5, labels=range(CLASSES)),
    "macro_precision": averaged(sk.precision_score, "macro"),
    "macro_recall": averaged(sk.recall_score, "macro"),
    "macro_f1": averaged(sk.f1_score, "macro"),
    "weighted_f1": averaged(sk.f1_score, "weighted"),
    "log_loss": lambda t, s: sk.log_loss(t, s, labels=range(CLASSES)),
    "brier_score": lambda t, s: float(((s - np.eye(CLASSES)[t]) ** 2).sum(1).mean()),
    "expected_calibration_error": torch_ece,
    "auroc": lambda t, s: np.mean([sk.roc_auc_score(t == c, s[:, c]) for c in present(t)]),
    "risk_coverage_area": risk_coverage_by_hand,
}
BEST = {"max": 1.0, "min": 0.0}


def test_every_metric_has_a_reference():
    assert set(METRICS) == set(REFERENCES)


@pytest.mark.parametrize("name", list(METRICS))
@pytest.mark.parametrize("missing", [(), (2, 5)])
def test_equals_its_reference(name, missing):
    for seed in range(3):
        targets, scores = answers(seed=seed, missing=missing)
        assert METRICS[name](targets, scores) == pytest.approx(REFERENCES[name](targets, scores), abs=1e-6)


@pytest.mark.parametrize("name", list(METRICS))
def test_perfect_answers_get_the_best_value(name):
    targets, _ = answers()
    assert METRICS[name](targets, np.eye(CLASSES)[targets]) == pytest.approx(BEST[METRICS[name].mode], abs=1e-9)


@pytest.mark.parametrize("name", list(METRICS))
def test_wrong_and_sure_of_it_is_worst(name):
    targets, scores = answers()
    wrong = np.eye(CLASSES)[(targets + 1) % CLASSES] * 0.94 + 0.01
    wrong[np.arange(len(targets)), targets] = 0
    sign = 1 if METRICS[name].mode == "max" else -1
    assert sign * METRICS[name](targets, wrong) < sign * METRICS[name](targets, scores)


@pytest.mark.parametrize("name", list(METRICS))
def test_the_order_of_pictures_does_not_matter_and_that_of_targets_does(name):
    targets, scores = answers()
    order = np.random.default_rng(1).permutation(len(targets))
    figure = METRICS[name]
    assert figure(targets[order], scores[order]) == pytest.approx(figure(targets, scores), abs=1e-9)
    sign = 1 if figure.mode == "max" else -1
    assert sign * figure(targets[order], scores) < sign * figure(targets, scores)


@pytest.mark.parametrize("name", list(METRICS))
@pytest.mark.parametrize(
    ("targets", "scores", "says"),
    [
        ([0, 1], [0.5, 0.5], "one row a picture"),
        ([0], np.full((2, 2), 0.5), "differ in length"),
        ([0, 2], np.full((2, 2), 0.5), "0 to 1"),
        ([0, -1], np.full((2, 2), 0.5), "outside"),
        ([0.0, 1.0], np.full((2, 2), 0.5), "whole numbers"),
        ([0, 1], [[0.5, np.nan], [0.5, 0.5]], "not finite"),
        (np.zeros(0, int), np.zeros((0, 2)), "at least one"),
    ],
)
def test_errors_say_what_arrived(name, targets, scores, says):
    with pytest.raises(UsageError, match=says):
        METRICS[name](targets, scores)


def test_one_score_for_all_earns_no_credit():
    """A dead network answers class 0 everywhere; ties must not count as hits."""
    targets = np.repeat(np.arange(CLASSES), 10)
    flat = np.full((len(targets), CLASSES), 1 / CLASSES)
    assert METRICS["accuracy"](targets, flat) == pytest.approx(1 / CLASSES)
    assert METRICS["top5_accuracy"](targets, flat) == pytest.approx(5 / CLASSES)
    assert METRICS["auroc"](targets, flat) == pytest.approx(0.5)
