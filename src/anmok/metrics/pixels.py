"""Pixel by pixel: accuracy, intersection over union, Dice. Counted per picture, so that pictures can be drawn again.

Counts are `ClassCounts` with pixels for pictures: hits (true positives), answered (hits and false positives), present
(hits and false negatives), each (C,) or (N, C) for N pictures. Formulas work on the last axis.

**Absent classes.** A class that is neither present nor answered has no value: NaN, left out of every mean. One that is
answered without being present has 0. Add pictures up first and take the formula then: `over_pictures`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics._figure import Floats, Ints
from anmok.metrics.precision_recall import ClassCounts

IGNORE = 255


def count_pixels(target: ArrayLike, answer: ArrayLike, num_classes: int, ignore: int | None = IGNORE) -> Ints:
    """How often each true class (row) was answered with each class (column) in one picture: int64 (C, C).

    Args:
        target: class ids, whole numbers (H, W).
        answer: likewise; `ignore` must not occur here.
        num_classes: C.
        ignore: the id of pixels in `target` that are not judged; None: all are.

    Raises:
        UsageError: shapes differ, or an id lies outside [0, C).

    >>> count_pixels([[0, 0, 1, 255]], [[0, 1, 1, 1]], num_classes=2)
    array([[1, 1],
           [0, 1]])
    """
    truth, given = class_map(target, "target"), class_map(answer, "answer")
    if truth.shape != given.shape:
        raise UsageError("target and answer differ in size", got=f"{truth.shape} and {given.shape}")
    judged = np.ones(truth.shape, dtype=bool) if ignore is None else truth != ignore
    truth, given = truth[judged].astype(np.int64), given[judged].astype(np.int64)
    for what, ids in (("target", truth), ("answer", given)):
        if ids.size and (ids.min() < 0 or ids.max() >= num_classes):
            outside = sorted({int(value) for value in np.unique(ids) if not 0 <= value < num_classes})[:5]
            raise UsageError(f"class ids of the {what} lie outside the class list", got=outside,
                             allowed=f"0 to {num_classes - 1}, and {ignore} for what is not judged")  # fmt: skip
    cells = np.bincount(truth * num_classes + given, minlength=num_classes**2)
    return cells.reshape(num_classes, num_classes).astype(np.int64)


def class_map(values: ArrayLike, what: str) -> np.ndarray:
    """`values` as a map of whole numbers (H, W), or the error that says why it is none."""
    ids = np.asarray(values)
    if ids.ndim != 2 or not np.issubdtype(ids.dtype, np.integer):
        raise UsageError(f"the {what} is not a map of class ids", got=f"{ids.dtype} of shape {ids.shape}",
                         allowed="whole numbers of shape (height, width)")  # fmt: skip
    return ids


def over_pictures(counts: ClassCounts) -> ClassCounts:
    """Counts (N, C) of pictures added up: (C,)."""
    return ClassCounts(counts.hits.sum(0), counts.answered.sum(0), counts.present.sum(0))


def per_picture(confusions: Sequence[Ints]) -> ClassCounts:
    """The confusion matrices of N pictures, (C, C) each, as counts (N, C)."""
    return ClassCounts.of(np.stack([np.asarray(one) for one in confusions]))


def iou(counts: ClassCounts) -> Floats:
    """Intersection over union of each class (Jaccard 1912): hits / (present + answered − hits).

    >>> iou(ClassCounts.of(count_pixels([[0, 0, 0, 1, 1, 2]], [[0, 0, 1, 1, 1, 1]], 3))).round(4)
    array([0.6667, 0.5   , 0.    ])
    """
    return ratio(counts.hits, counts.present + counts.answered - counts.hits)


def dice(counts: ClassCounts) -> Floats:
    """Dice of each class (1945), its F1 over pixels: 2·hits / (present + answered).

    >>> dice(ClassCounts.of([[2, 1], [0, 3]])).round(4)
    array([0.8   , 0.8571])
    """
    return ratio(2 * counts.hits, counts.present + counts.answered)


def pixel_accuracy(counts: ClassCounts) -> Floats:
    """Of all pixels that are judged, the share answered rightly.

    >>> float(pixel_accuracy(ClassCounts.of([[2, 1], [0, 3]])).round(4))
    0.8333
    """
    return ratio(counts.hits.sum(-1), counts.present.sum(-1))


def mean_class_accuracy(counts: ClassCounts) -> Floats:
    """The share answered rightly of each class's pixels, averaged over the classes that are present."""
    return mean_of_known(ratio(counts.hits, counts.present))


def mean_iou(counts: ClassCounts) -> Floats:
    """IoU averaged over the classes that are present or answered.

    >>> float(mean_iou(ClassCounts.of(count_pixels([[0, 0, 0, 1, 1, 2]], [[0, 0, 1, 1, 1, 1]], 3))).round(4))
    0.3889
    """
    return mean_of_known(iou(counts))


def mean_dice(counts: ClassCounts) -> Floats:
    """Dice averaged over the classes that are present or answered."""
    return mean_of_known(dice(counts))


def frequency_weighted_iou(counts: ClassCounts) -> Floats:
    """IoU of each class, weighed by its pixels.

    >>> float(frequency_weighted_iou(ClassCounts.of(count_pixels([[0, 0, 0, 1, 1, 2]], [[0, 0, 1, 1, 1, 1]], 3))))
    0.5
    """
    return ratio((np.nan_to_num(iou(counts)) * counts.present).sum(-1), counts.present.sum(-1))


def ratio(above: Floats, below: Floats) -> Floats:
    """Above / below, NaN where there is nothing below."""
    below = np.asarray(below, dtype=np.float64)
    return np.where(below > 0, above / np.where(below > 0, below, 1.0), np.nan)


def mean_of_known(values: Floats) -> Floats:
    """The mean over the last axis of what is not NaN; NaN where nothing is known."""
    known = np.isfinite(values)
    return ratio(np.where(known, values, 0.0).sum(-1), known.sum(-1))
