"""Average precision of a ranked list of answers: one number for how many are right, and how early they come.

Three ways to read it off the same curve are in use, and they differ in the third digit:

    area           VOC since 2010: the area under the curve, each precision raised to the best at any higher recall
    eleven_point   VOC 2007: the mean of that raised precision at recalls 0, 0.1, … 1
    coco           the same at recalls 0, 0.01, … 1

Recalls of the eleven points are compared as exact tenths. The often-copied `np.arange(0, 1.1, 0.1)` has
0.6000000000000001 for 0.6, which a recall of 3/5 does not reach.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.targets import Objects
from anmok.metrics._detections import Answer, Bools, check_pictures, ignored, match_voc, overlaps
from anmok.metrics._figure import Floats

TENTHS = np.arange(11) / 10
HUNDREDTHS = np.linspace(0, 1, 101)


def curve(hits: ArrayLike, objects: int) -> tuple[Floats, Floats]:
    """Precision and recall after each answer, best first: (K,) each.

    >>> precision, recall = curve([1, 0, 1, 1, 0, 1, 0], objects=5)
    >>> precision.round(4), recall
    (array([1.    , 0.5   , 0.6667, 0.75  , 0.6   , 0.6667, 0.5714]), array([0.2, 0.2, 0.4, 0.6, 0.6, 0.8, 0.8]))
    """
    right = np.cumsum(np.asarray(hits, np.float64))
    return right / np.arange(1, len(right) + 1), right / max(1, objects)


def raised(precision: Floats) -> Floats:
    """Each precision raised to the best one at the same or any higher recall."""
    return np.maximum.accumulate(precision[::-1])[::-1]


def area(hits: ArrayLike, objects: int) -> float:
    """VOC's since 2010. NaN where there is no object.

    >>> round(area([1, 0, 1, 1, 0, 1, 0], objects=5), 6)   # .2 · 1 + .4 · .75 + .2 · .6667
    0.633333
    """
    if not objects:
        return float("nan")
    precision, recall = curve(hits, objects)
    return float((raised(precision) * np.diff(recall, prepend=0)).sum())


def eleven_point(hits: ArrayLike, objects: int) -> float:
    """VOC 2007's. NaN where there is no object.

    >>> round(eleven_point([1, 0, 1, 1, 0, 1, 0], objects=5), 6)   # (3 · 1 + 4 · .75 + 2 · .6667) / 11
    0.666667
    """
    return at_recalls(hits, objects, TENTHS)


def coco(hits: ArrayLike, objects: int) -> float:
    """COCO's. NaN where there is no object.

    >>> round(coco([1, 0, 1, 1, 0, 1, 0], objects=5), 6)
    0.636964
    """
    return at_recalls(hits, objects, HUNDREDTHS)


def at_recalls(hits: ArrayLike, objects: int, recalls: Floats) -> float:
    """The mean of the raised precision at `recalls`; 0 at those that are never reached."""
    if not objects:
        return float("nan")
    precision, recall = curve(hits, objects)
    place = np.searchsorted(recall, recalls, side="left")
    return float(np.append(raised(precision), 0.0)[place].mean())


def voc(
    truths: Sequence[Objects],
    answers: Sequence[Answer],
    classes: Sequence[str],
    formula: Callable[[ArrayLike, int], float] = area,
    threshold: float = 0.5,
) -> Mapping[str, float]:
    """Average precision of each class as VOC's devkit judges: see `match_voc`; difficult objects are not judged.

    Args:
        truths: objects of each picture.
        answers: of the same pictures.
        classes: names.
        formula: `area`, or `eleven_point` for VOC 2007.
        threshold: least IoU.

    Returns:
        By class name; NaN for a class without a judged object.
    """
    check_pictures(truths, answers, len(classes))
    found = {}
    for place, name in enumerate(classes):
        ranked, objects = voc_ranking(truths, answers, place, threshold)
        found[name] = formula(ranked, objects)
    return found


def voc_ranking(
    truths: Sequence[Objects], answers: Sequence[Answer], label: int, threshold: float
) -> tuple[Bools, int]:
    """Whether each judged answer of a class is right, best first over all pictures; and how many objects there are."""
    scores = [answer.scores[answer.labels == label] for answer in answers]
    order = np.argsort(-np.concatenate([*scores, np.zeros(0)]), kind="stable")
    right, judged = [], []
    objects = 0
    for truth, answer in zip(truths, answers, strict=True):
        own, mine = truth.select(truth.labels == label), answer.labels == label
        unjudged = ignored(own)
        objects += int((~unjudged).sum())
        ranks = np.argsort(-answer.scores[mine], kind="stable")
        looked, took = match_voc(overlaps(answer.boxes[mine][ranks], own.boxes), threshold)
        passed_over = (looked >= 0) & np.append(unjudged, False)[looked]
        back = np.argsort(ranks)
        right.append((took & ~passed_over)[back])
        judged.append(~passed_over[back])
    flags, counted = (np.concatenate([*parts, np.zeros(0, bool)])[order] for parts in (right, judged))
    return flags[counted], objects
