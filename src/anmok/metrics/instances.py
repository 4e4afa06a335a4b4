"""Object by object: answered objects matched with true ones, for things that touch and must not run together.

Panoptic quality: Kirillov, He, Girshick, Rother, Dollár (2019). Aggregated Jaccard index: Kumar and others (2017), "A
dataset and a technique for generalized nuclear segmentation". An answered and a true object match when their
intersection over union is above one half, which no object can reach with two others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.core.instances import instance_map
from anmok.metrics._figure import Floats
from anmok.metrics.pixels import ratio

MATCH = 0.5


@dataclass(frozen=True)
class Matched:
    """What object metrics count. Numbers of one picture, or of many: arrays of one shape (…).

    Args:
        matches: pairs of a true and an answered object that match.
        overlap: the sum of their intersections over unions.
        answered: objects answered.
        present: true objects.
        common: pixels that the aggregated Jaccard index has above its line.
        joined: pixels that it has below.
    """

    matches: Floats
    overlap: Floats
    answered: Floats
    present: Floats
    common: Floats
    joined: Floats

    @classmethod
    def of(cls, sums: ArrayLike) -> Matched:
        """From the six numbers in this order, (…, 6), such as the sum of several pictures' `numbers`."""
        return cls(*np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0))

    @property
    def numbers(self) -> Floats:
        """The six, (…, 6)."""
        return np.stack([self.matches, self.overlap, self.answered, self.present, self.common, self.joined], axis=-1)


def match_objects(
    target: ArrayLike, answer: ArrayLike, unjudged: ArrayLike | None = None, threshold: float = MATCH
) -> Matched:
    """Count one picture.

    Args:
        target: the true objects, whole numbers (H, W), 0 for background.
        answer: the answered ones, likewise; numbers need not agree.
        unjudged: bool (H, W), pixels that are not judged. Answered objects that lie in them for the greater part are
            not held against the answer.
        threshold: a match needs an overlap above this, itself at least one half.

    Raises:
        UsageError: the maps are no instance masks of one size, or the threshold lets an object match two.

    >>> match_objects([[1, 1, 1, 0, 2]], [[7, 7, 0, 0, 0]]).numbers.round(4)      # 2/3 overlap; object 2 is missed
    array([1.    , 0.6667, 1.    , 2.    , 2.    , 4.    ])
    """
    if not MATCH <= threshold < 1:
        raise UsageError("below one half an object could match two", got=threshold, allowed="0.5 to below 1")
    truth, given = instance_map(target), instance_map(answer)
    if truth.shape != given.shape:
        raise UsageError("target and answer differ in size", got=f"{truth.shape} and {given.shape}")
    if unjudged is not None:
        truth, given = _judged(truth, given, np.asarray(unjudged, dtype=bool))
    (present, true_areas), (answered, areas) = (np.unique(x[x > 0], return_counts=True) for x in (truth, given))
    both = (truth > 0) & (given > 0)
    pairs, common = np.unique(np.stack([truth[both], given[both]]).astype(np.int64), axis=1, return_counts=True)
    t, a = np.searchsorted(present, pairs[0]), np.searchsorted(answered, pairs[1])
    unions = true_areas[t] + areas[a] - common
    overlaps = common / unions
    # The aggregated index gives each true object its best answer, and holds against it what nobody's best answer is.
    best = np.lexsort((-overlaps, t))
    best = best[np.unique(t[best], return_index=True)[1]]
    missed = np.delete(true_areas, t[best]).sum()
    superfluous = np.delete(areas, np.unique(a[best])).sum()
    matched = overlaps[overlaps > threshold]
    below = unions[best].sum() + missed + superfluous
    return Matched.of([len(matched), matched.sum(), len(answered), len(present), common[best].sum(), below])


def _judged(truth: np.ndarray, given: np.ndarray, unjudged: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both maps without what is not judged, and without answers that lie there for the greater part."""
    numbers, areas = np.unique(given, return_counts=True)
    hidden = np.bincount(np.searchsorted(numbers, given[unjudged]), minlength=len(numbers))
    gone = numbers[2 * hidden > areas]
    return np.where(unjudged, 0, truth), np.where(unjudged | np.isin(given, gone), 0, given)


def object_f1(counts: Matched) -> Floats:
    """F1 over objects: 2·matches / (answered + present); NaN without any object. Also called recognition quality.

    >>> float(object_f1(Matched.of([2, 1.5, 2, 3, 0, 0])))
    0.8
    """
    return ratio(2 * counts.matches, counts.answered + counts.present)


def segmentation_quality(counts: Matched) -> Floats:
    """Mean overlap of matched pairs; NaN without any.

    >>> float(segmentation_quality(Matched.of([2, 1.5, 2, 3, 0, 0])))
    0.75
    """
    return ratio(counts.overlap, counts.matches)


def panoptic_quality(counts: Matched) -> Floats:
    """`object_f1` times `segmentation_quality`; NaN without any object.

    >>> float(panoptic_quality(Matched.of([2, 1.5, 2, 3, 0, 0])))
    0.6
    """
    return ratio(2 * counts.overlap, counts.answered + counts.present)


def aggregated_jaccard(counts: Matched) -> Floats:
    """Pixels common to true objects and their best answers, over their unions and every answer that is nobody's best.

    >>> float(aggregated_jaccard(match_objects([[1, 1, 1, 0, 2]], [[7, 7, 0, 0, 0]])))      # 2 / (3 + 1)
    0.5
    """
    return ratio(counts.common, counts.joined)
