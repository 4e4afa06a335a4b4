"""All figures of a classifier at once, each with the interval that suits it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics._figure import Ints, checked
from anmok.metrics.accuracy import top_k_hits
from anmok.metrics.auroc import auroc_interval
from anmok.metrics.averages import average_intervals
from anmok.metrics.bootstrap import mean_interval
from anmok.metrics.calibration import ReliabilityBins, calibration_interval, reliability_bins
from anmok.metrics.confusion import confusion_from_scores
from anmok.metrics.log_loss import brier_scores, log_losses
from anmok.metrics.precision_recall import ClassCounts
from anmok.metrics.proportion import Interval, f1_share, share


@dataclass(frozen=True)
class ClassRow:
    """One class: its pictures, how many were answered with it, and its figures."""

    name: str
    pictures: int
    answered: int
    precision: Interval
    recall: Interval
    f1: Interval


@dataclass(frozen=True)
class Summary:
    """What an evaluation of a classifier found. `confusion` (C, C), rows true; `figures` by metric name."""

    figures: Mapping[str, Interval]
    classes: Sequence[ClassRow]
    confusion: Ints
    reliability: ReliabilityBins


def summarise(
    targets: ArrayLike, scores: ArrayLike, classes: Sequence[str], seed: int = 0, resamples: int = 1000
) -> Summary:
    """Every figure with its 95 % interval, every class with its own.

    Args:
        targets: class ids (N,).
        scores: probabilities (N, C).
        classes: the C names, in the network's order.
        seed: of the resampling.
        resamples: of the bootstrap, for losses and calibration; shares and averages over classes need none.

    Raises:
        UsageError: shapes, ids or class names do not fit each other.

    >>> found = summarise([0, 0, 1], [[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]], ["cat", "dog"])
    >>> round(found.figures["accuracy"].value, 4), found.classes[0].recall.value
    (0.6667, 0.5)
    """
    truths, answers = checked(targets, scores)
    if len(classes) != answers.shape[1]:
        raise UsageError("the class list does not fit the scores", got=f"{len(classes)} names, "
                         f"{answers.shape[1]} columns", fix="the class list the network was trained with")  # fmt: skip
    confusion = confusion_from_scores(truths, answers)
    return Summary(
        {
            **_shares(truths, answers),
            **average_intervals(confusion),
            "log_loss": mean_interval(log_losses(truths, answers), resamples, seed),
            "brier_score": mean_interval(brier_scores(truths, answers), resamples, seed),
            "expected_calibration_error": calibration_interval(truths, answers, resamples, seed),
            "auroc": auroc_interval(truths, answers),
        },
        class_rows(confusion, classes),
        confusion,
        reliability_bins(truths, answers),
    )


def class_rows(confusion: Ints, classes: Sequence[str]) -> list[ClassRow]:
    """Precision, recall and F1 of every class from the confusion matrix (C, C)."""
    counts = ClassCounts.of(confusion)
    rows = []
    for name, *numbers in zip(classes, counts.hits, counts.answered, counts.present, strict=True):
        hits, answered, present = (int(number) for number in numbers)
        rows.append(
            ClassRow(name, present, answered, share(hits, answered), share(hits, present),
                     f1_share(hits, answered, present))
        )  # fmt: skip
    return rows


def _shares(truths: Ints, answers: ArrayLike) -> dict[str, Interval]:
    figures = {"accuracy": share(int(top_k_hits(truths, answers).sum()), len(truths))}
    if np.shape(answers)[1] > 5:
        figures["top5_accuracy"] = share(int(top_k_hits(truths, answers, 5).sum()), len(truths))
    return figures
