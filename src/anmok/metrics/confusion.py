"""The confusion matrix: every other count of a classifier's successes is a sum over it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics._figure import Ints, checked, class_ids


def confusion_matrix(targets: ArrayLike, predicted: ArrayLike, num_classes: int) -> Ints:
    """How often each true class (row) was answered with each class (column): int64 (C, C).

    Args:
        targets: true class ids (N,).
        predicted: answered class ids (N,).
        num_classes: C.

    Raises:
        UsageError: lengths differ, or an id lies outside [0, C).

    >>> confusion_matrix([0, 0, 1, 1], [0, 1, 1, 1], num_classes=2)
    array([[1, 1],
           [0, 2]])
    """
    truths, answers = class_ids(targets, num_classes), class_ids(predicted, num_classes)
    if truths.shape != answers.shape:
        raise UsageError("targets and predictions differ in length", got=f"{len(truths)} and {len(answers)}")
    cells = np.bincount(truths * num_classes + answers, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def confusion_from_scores(targets: ArrayLike, scores: ArrayLike) -> Ints:
    """The confusion matrix of each picture's likeliest class.

    >>> confusion_from_scores([0, 1], [[0.9, 0.1], [0.6, 0.4]])
    array([[1, 0],
           [1, 0]])
    """
    truths, answers = checked(targets, scores)
    return confusion_matrix(truths, answers.argmax(axis=1), answers.shape[1])
