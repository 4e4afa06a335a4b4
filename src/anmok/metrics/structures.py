"""Which structures were missed: objects found and missed, by class and by size.

"Outlines are caught well, nuclei are not": an average over pixels cannot say that, since large objects own most pixels.
Here every object counts once. An object is found when at least half of its pixels were answered with its class.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.instances import instance_map
from anmok.metrics._figure import Floats, Ints
from anmok.metrics.pixels import IGNORE, class_map
from anmok.metrics.proportion import Interval, share

FOUND = 0.5
SIZES = ("small", "middle", "large")


@dataclass(frozen=True)
class Structures:
    """Objects, M of them.

    Args:
        classes: class ids (M,).
        areas: pixels of each that are judged (M,).
        covered: share of these answered with its class (M,), in [0, 1].
        centres: row and column of its middle (M, 2), pixels.
        pictures: which picture each is in (M,).
    """

    classes: Ints
    areas: Ints
    covered: Floats
    centres: Floats
    pictures: Ints

    @property
    def found(self) -> np.ndarray:
        """Whether each object was found: bool (M,)."""
        return self.covered >= FOUND

    @classmethod
    def joined(cls, parts: Iterable[Structures]) -> Structures:
        """The objects of several pictures, which are numbered in this order."""
        known = list(parts)
        pictures = [np.full(len(part.classes), number) for number, part in enumerate(known)]
        columns = {
            name: np.concatenate([getattr(part, name) for part in known])
            for name in ("classes", "areas", "covered", "centres")
        }
        return cls(**columns, pictures=np.concatenate(pictures))


def structures(
    target: ArrayLike,
    answer: ArrayLike,
    instances: ArrayLike | None = None,
    *,
    background: int | None = 0,
    ignore: int | None = IGNORE,
) -> Structures:
    """The objects of one picture, and how much of each was answered with its class.

    Args:
        target: class ids (H, W).
        answer: likewise.
        instances: which object each pixel belongs to (H, W), 0 for none; the class of an object is that of most of its
            pixels. None: an object is what hangs together of one class, corners included.
        background: a class that has no objects; None: all have.
        ignore: the id of pixels that are not judged.

    >>> structures([[1, 1, 0, 2]], [[1, 0, 0, 2]]).covered
    array([0.5, 1. ])
    """
    truth, given = class_map(target, "target"), class_map(answer, "answer")
    judged = np.ones(truth.shape, dtype=bool) if ignore is None else truth != ignore
    objects = _hanging_together(truth, judged) if instances is None else instance_map(instances)
    rows, columns = np.nonzero((objects > 0) & judged)
    place, ids = _dense(objects[rows, columns].astype(np.int64)), truth[rows, columns].astype(np.int64)
    classes = _majority(place, ids)
    areas = np.bincount(place)
    hits = np.bincount(place, weights=given[rows, columns] == classes[place], minlength=len(areas))
    middle = [np.bincount(place, weights=axis, minlength=len(areas)) / np.maximum(areas, 1) for axis in (rows, columns)]
    kept = np.ones(len(areas), dtype=bool) if background is None else classes != background
    return Structures(
        classes[kept],
        areas[kept],
        (hits / np.maximum(areas, 1))[kept],
        np.stack(middle, axis=1)[kept],
        np.zeros(int(kept.sum()), dtype=np.int64),
    )


def _hanging_together(truth: np.ndarray, judged: np.ndarray) -> np.ndarray:
    """Connected pixels of one class as objects, numbered through all classes."""
    from skimage.measure import label

    nothing = -1
    return label(np.where(judged, truth, nothing).astype(np.int64), background=nothing, connectivity=2)


def _dense(numbers: Ints) -> Ints:
    """The same numbers counted through from 0, in their order."""
    if not len(numbers) or numbers.max() > 4 * len(numbers) + 1000:  # too sparse for a table
        return np.unique(numbers, return_inverse=True)[1]
    return (np.cumsum(np.bincount(numbers) > 0) - 1)[numbers]


def _majority(place: Ints, ids: Ints) -> Ints:
    """The commonest id at each place: (number of places,); the smallest of equals."""
    if not len(place):
        return np.zeros(0, dtype=np.int64)
    width = int(ids.max()) + 1
    return np.bincount(place * width + ids, minlength=(int(place.max()) + 1) * width).reshape(-1, width).argmax(axis=1)


@dataclass(frozen=True)
class SizeRow:
    """Objects of one class in one range of sizes, `least` to `most` pixels. `recall`: share found, with its interval.

    `covered`: mean share of their pixels answered with their class.
    """

    name: str
    size: str
    least: int
    most: int
    objects: int
    recall: Interval
    covered: float


def recall_by_size(found: Structures, classes: Sequence[str]) -> list[SizeRow]:
    """Recall of every class in thirds of its objects by size: small, middle, large; sizes without objects are left out.

    The limits are each class's own: a large nucleus is a small cell.
    """
    rows = []
    for number, name in enumerate(classes):
        own = found.classes == number
        if not own.any():
            continue
        limits = np.quantile(found.areas[own], [1 / 3, 2 / 3], method="lower")
        group = np.searchsorted(limits, found.areas, side="left")
        for third, size in enumerate(SIZES):
            part = own & (group == third)
            if part.any():
                areas, hits = found.areas[part], int(found.found[part].sum())
                rows.append(SizeRow(name, size, int(areas.min()), int(areas.max()), len(areas), share(hits, len(areas)),
                                    float(found.covered[part].mean())))  # fmt: skip
    return rows
