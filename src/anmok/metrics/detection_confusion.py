"""The confusion matrix of a detector: which class was answered where which was, and what was seen in nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anmok.core.targets import Objects
from anmok.metrics._detections import UNMATCHED, Answer, check_pictures, ignored, match_coco, overlaps
from anmok.metrics._figure import Ints


def detection_confusion(
    truths: Sequence[Objects], answers: Sequence[Answer], classes: int, threshold: float, overlap: float = 0.5
) -> Ints:
    """How often each class (row) was answered with each class (column), background last: int64 (C + 1, C + 1).

    Answers that score `threshold` or more first take objects of their own class, by COCO's rule; those left over take
    what is left of other classes, the best first. Objects without an answer stand in the last column, answers without
    an object in the last row.

    >>> truth = Objects([[0, 0, 10, 10], [20, 0, 30, 10]], [0, 1])
    >>> answer = Answer([[0, 0, 10, 10], [20, 0, 30, 11], [50, 0, 60, 10]], [0, 0, 1], [0.9, 0.8, 0.7])
    >>> detection_confusion([truth], [answer], classes=2, threshold=0.5)
    array([[1, 0, 0],
           [1, 0, 0],
           [0, 1, 0]])
    """
    check_pictures(truths, answers, classes)
    cells = np.zeros((classes + 1, classes + 1), np.int64)
    for truth, answer in zip(truths, answers, strict=True):
        best = answer.best()
        shown = best.scores >= threshold
        boxes, labels = best.boxes[shown], best.labels[shown]
        true, answered = _pairs(truth, boxes, labels, overlap, classes)
        np.add.at(cells, (true, answered), 1)
    return cells


def _pairs(truth: Objects, boxes: Ints, labels: Ints, least: float, background: int) -> tuple[Ints, Ints]:
    """Classes of one picture's pairs, of objects without an answer, and of answers without an object."""
    unjudged = ignored(truth)
    overlap = overlaps(boxes, truth.boxes, unjudged)
    own = np.where(truth.labels[None] == labels[:, None], overlap, 0.0)
    taken = match_coco(own, unjudged, np.array([least]))[0]
    free = ~unjudged
    free[taken[taken != UNMATCHED]] = False
    for k in np.flatnonzero(taken == UNMATCHED):
        rest = np.where(free, overlap[k], -1.0)
        if rest.size and rest.max() >= least:
            taken[k] = int(rest.argmax())
            free[taken[k]] = False
    judged = np.append(~unjudged, True)[taken]  # an answer on a crowd says nothing
    true = np.append(truth.labels, background)[taken]
    missed = truth.labels[free]
    return (
        np.concatenate([true[judged], missed]),
        np.concatenate([labels[judged], np.full(len(missed), background)]),
    )
