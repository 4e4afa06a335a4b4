"""Outlines: how well they are met (boundary F1), and how many pixels near them and far from them are right.

Boundary F1: Csurka, Larlus, Perronnin (2013), "What is a good evaluation measure for semantic segmentation?". Of the
answered outline's pixels, the share within a tolerance of the true outline is its precision; of the true outline's, the
share within that tolerance of the answered one its recall. Counts are added up over pictures before the formula.

An outline's pixel is one of a class with a neighbour (left, right, above, below) of another class. The picture's edge
and pixels that are not judged make no outline.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anmok.metrics._figure import Floats, Ints
from anmok.metrics.pixels import IGNORE, class_map, count_pixels, ratio
from anmok.metrics.precision_recall import ClassCounts

TOLERANCE = 0.0075  # of the picture's diagonal, as in the paper
NOWHERE = -1  # the class of a pixel that lies on no outline


def tolerance_for(shape: Sequence[int]) -> int:
    """Pixels that an outline may be off in a picture of this (height, width): 0.75 % of the diagonal, at least 1.

    >>> tolerance_for((96, 96)), tolerance_for((375, 500))
    (1, 5)
    """
    return max(1, round(TOLERANCE * math.hypot(*shape)))


def outlines(classes: ArrayLike, ignore: int | None = IGNORE) -> NDArray[np.bool_]:
    """Which pixels lie on the outline of their class: bool (H, W).

    >>> outlines([[0, 0, 1, 1, 1]]).astype(int)
    array([[0, 1, 1, 0, 0]])
    """
    ids = class_map(classes, "class map")
    found = np.zeros(ids.shape, dtype=bool)
    for one, other in ((np.s_[1:], np.s_[:-1]), (np.s_[:, 1:], np.s_[:, :-1])):
        differ = ids[one] != ids[other]
        if ignore is not None:
            differ &= (ids[one] != ignore) & (ids[other] != ignore)
        found[one] |= differ
        found[other] |= differ
    return found


def count_boundary(
    target: ArrayLike, answer: ArrayLike, num_classes: int, tolerance: float | None = None, ignore: int | None = IGNORE
) -> Floats:
    """What boundary F1 counts in one picture, float64 (C, 4), as whole numbers.

    Args:
        target: class ids (H, W).
        answer: likewise.
        num_classes: C.
        tolerance: pixels; None: `tolerance_for` the picture.
        ignore: the id of pixels in `target` that are not judged.

    Returns:
        For each class: answered outline pixels that were met, answered ones; true ones that were met, true ones.

    >>> count_boundary([[0, 0, 0, 1, 1, 1]], [[0, 0, 0, 0, 1, 1]], 2, tolerance=0)
    array([[0., 1., 0., 1.],
           [0., 1., 0., 1.]])
    """
    truth, given = class_map(target, "target"), class_map(answer, "answer")
    if ignore is not None:
        given = np.where(truth == ignore, ignore, given)
    reach = tolerance_for(truth.shape) if tolerance is None else tolerance
    # Class maps are uint8 as a rule, which has no room for NOWHERE.
    lines = [np.where(outlines(ids, ignore), ids.astype(np.int64), NOWHERE) for ids in (given, truth)]
    counts = np.zeros((num_classes, 4))
    for column, (own, other) in enumerate((lines, lines[::-1])):
        ids, met = _met(own, other, reach)
        counts[:, 2 * column] = np.bincount(ids[met], minlength=num_classes)
        counts[:, 2 * column + 1] = np.bincount(ids, minlength=num_classes)
    return counts


def _met(own: NDArray[np.integer], other: NDArray[np.integer], reach: float) -> tuple[Ints, NDArray[np.bool_]]:
    """The class of every outline pixel in `own`, and whether `other` has one of its class within `reach`.

    Looking round each of the few outline pixels takes far less time than a distance map of every class.
    """
    rows, columns = np.nonzero(own != NOWHERE)
    margin = int(reach)
    around = np.pad(other, margin, constant_values=NOWHERE)
    ids, met = own[rows, columns], np.zeros(len(rows), dtype=bool)
    waiting = np.arange(len(rows))
    for down, right in disk(reach):
        hit = around[rows[waiting] + margin + down, columns[waiting] + margin + right] == ids[waiting]
        met[waiting[hit]] = True
        waiting = waiting[~hit]
    return ids.astype(np.int64), met


def disk(reach: float) -> list[tuple[int, int]]:
    """Steps down and right to every pixel within `reach`, the nearest first.

    >>> disk(1)
    [(0, 0), (-1, 0), (0, -1), (0, 1), (1, 0)]
    """
    steps = range(-int(reach), int(reach) + 1)
    inside = [(i, j) for i in steps for j in steps if i * i + j * j <= reach * reach]
    return sorted(inside, key=lambda step: step[0] ** 2 + step[1] ** 2)


def boundary_f1(counts: Floats) -> Floats:
    """Boundary F1 of each class from counts (…, C, 4); NaN where a class has no outline in truth nor answer.

    >>> boundary_f1(np.array([[3.0, 4.0, 1.0, 2.0]]))      # precision 3/4, recall 1/2
    array([0.6])
    """
    met_answered, answered, met_present, present = np.moveaxis(counts, -1, 0)
    precision, recall = met_answered / np.maximum(answered, 1), met_present / np.maximum(present, 1)
    value = np.nan_to_num(ratio(2 * precision * recall, precision + recall))
    return np.where(answered + present > 0, value, np.nan)


def count_by_place(
    target: ArrayLike, answer: ArrayLike, num_classes: int, band: int = 3, ignore: int | None = IGNORE
) -> tuple[ClassCounts, ClassCounts]:
    """The counts of one picture near outlines and inside, (C,) each.

    Args:
        target: class ids (H, W); `answer` likewise.
        answer: class ids.
        num_classes: C.
        band: pixels on either side of a true outline that are near it.
        ignore: the id of pixels that are not judged.
    """
    truth, given = class_map(target, "target"), class_map(answer, "answer")
    # The outline's own pixels are the band's first on either side.
    near = _widened(outlines(truth, ignore), band - 1)
    shape = (1, -1)
    parts = (count_pixels(truth[place].reshape(shape), given[place].reshape(shape), num_classes, ignore)
             for place in (near, ~near))  # fmt: skip
    at_edge, inside = (ClassCounts.of(part) for part in parts)
    return at_edge, inside


def _widened(mask: NDArray[np.bool_], reach: float) -> NDArray[np.bool_]:
    """The pixels within `reach` of a mask."""
    margin = int(reach)
    around, (height, width) = np.pad(mask, margin), mask.shape
    wide = np.zeros_like(mask)
    for down, right in disk(reach):
        wide |= around[margin + down : margin + down + height, margin + right : margin + right + width]
    return wide
