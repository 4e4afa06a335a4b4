"""All figures of a segmentation at once, with intervals over pictures, and what was missed: by class, place and size.

tally = SegmentationTally(("background", "cell"))
for target, answer in …:                      # class ids (H, W) each
    tally.add(target, answer)
tally.summary().figures["mean_iou"]           # 0.8312 [0.8120, 0.8490]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics import boundary, instances, pixels
from anmok.metrics._figure import Floats, Ints
from anmok.metrics.bootstrap import bootstrap_of_sums
from anmok.metrics.pixels import IGNORE
from anmok.metrics.precision_recall import ClassCounts, precision, recall
from anmok.metrics.proportion import Interval
from anmok.metrics.structures import SizeRow, Structures, recall_by_size, structures

COUNTS = 13  # numbers that a picture adds for each class: 3 over all, 4 of outlines, 3 near outlines, 3 inside

FIGURES = {
    "pixel_accuracy": pixels.pixel_accuracy,
    "mean_class_accuracy": pixels.mean_class_accuracy,
    "mean_iou": pixels.mean_iou,
    "frequency_weighted_iou": pixels.frequency_weighted_iou,
    "mean_dice": pixels.mean_dice,
}
OBJECT_FIGURES = {
    "object_f1": instances.object_f1,
    "panoptic_quality": instances.panoptic_quality,
    "segmentation_quality": instances.segmentation_quality,
    "aggregated_jaccard": instances.aggregated_jaccard,
}


@dataclass(frozen=True)
class PixelRow:
    """One class: its pixels, how many were answered with it, and its figures.

    `near`, `inside`: of its pixels near outlines and away from them, the share that was answered with it.
    """

    name: str
    present: int
    answered: int
    iou: Interval
    dice: Interval
    precision: Interval
    recall: Interval
    boundary_f1: Interval
    near: Interval
    inside: Interval


@dataclass(frozen=True)
class SegmentationSummary:
    """What an evaluation of a segmentation found.

    `confusion`: pixels (C, C), rows true. `sizes`: recall of objects by class and size. `objects`: every object, to
    show the missed ones. `pictures`: each picture's mean IoU (N,), to show the worst.
    """

    figures: Mapping[str, Interval]
    classes: Sequence[PixelRow]
    confusion: Ints
    sizes: Sequence[SizeRow]
    objects: Structures
    pictures: Floats


class SegmentationTally:
    """Counts picture after picture; keeps a few numbers of each, no maps.

    Args:
        classes: the C names, in the order of the ids.
        ignore: the id of pixels that are not judged; None: all are.
        background: the class that has no objects, and is no object itself; None: there is none.
        tolerance: pixels that an outline may be off; None: 0.75 % of the picture's diagonal.
        band: pixels on either side of an outline that are near it.
    """

    def __init__(
        self,
        classes: Sequence[str],
        *,
        ignore: int | None = IGNORE,
        background: int | None = 0,
        tolerance: float | None = None,
        band: int = 3,
    ) -> None:
        self.classes, self.ignore, self.background = tuple(classes), ignore, background
        self.tolerance, self.band = tolerance, band
        self.confusion = np.zeros((len(self.classes),) * 2, dtype=np.int64)
        self._rows: list[Floats] = []
        self._objects: list[Structures] = []
        self._matched: list[instances.Matched] = []

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def rows(self) -> Floats:
        """What each picture adds to the sums that all figures are formulas of, (N, COUNTS · C)."""
        return np.stack(self._rows).reshape(len(self._rows), -1)

    @property
    def present(self) -> Floats:
        """Pixels of each class in each picture, (N, C)."""
        return np.stack([row[2] for row in self._rows])

    def add(
        self,
        target: ArrayLike,
        answer: ArrayLike,
        objects: ArrayLike | None = None,
        answered_objects: ArrayLike | None = None,
    ) -> float:
        """Count one picture and return its mean IoU.

        Args:
            target: class ids (H, W).
            answer: likewise.
            objects: the true objects (H, W), 0 for none; None: what hangs together of one class.
            answered_objects: the answered ones; where both are given, objects are matched too.

        Raises:
            UsageError: sizes differ, or an id is unknown.
        """
        size = len(self.classes)
        confusion = pixels.count_pixels(target, answer, size, self.ignore)
        own = ClassCounts.of(confusion)
        outline = boundary.count_boundary(target, answer, size, self.tolerance, self.ignore)
        near, inside = boundary.count_by_place(target, answer, size, self.band, self.ignore)
        parts = [*_columns(own), *outline.T, *_columns(near), *_columns(inside)]
        self._rows.append(np.stack(parts))
        options = {"background": self.background, "ignore": self.ignore}
        self._objects.append(structures(target, answer, objects, **options))
        if objects is not None and answered_objects is not None:
            unjudged = None if self.ignore is None else np.asarray(target) == self.ignore
            self._matched.append(instances.match_objects(objects, answered_objects, unjudged))
        self.confusion += confusion
        return float(pixels.mean_iou(own))

    def summary(self, seed: int = 0, resamples: int = 1000, groups: ArrayLike | None = None) -> SegmentationSummary:
        """Figures and rows of all pictures so far, with 95 % intervals; `groups`: see `bootstrap`.

        Raises:
            UsageError: no picture was counted.
        """
        if not self._rows:
            raise UsageError("a summary needs pictures", got="none was counted")
        rows = np.stack(self._rows)  # N, 13, C
        flat = rows.reshape(len(rows), -1)
        found = iter(bootstrap_of_sums(_formulas, flat, resamples, seed, groups=groups))
        figures = {name: next(found) for name in (*FIGURES, "mean_boundary_f1")}
        table = np.array([next(found) for _ in range(7 * len(self.classes))], dtype=object).reshape(7, -1)
        present, answered = rows[:, 2].sum(0), rows[:, 1].sum(0)
        classes = [
            PixelRow(name, int(present[one]), int(answered[one]), *table[:, one])
            for one, name in enumerate(self.classes)
        ]
        objects = Structures.joined(self._objects)
        figures |= self._object_figures(seed, resamples)
        own = ClassCounts(rows[:, 0], rows[:, 1], rows[:, 2])
        sizes = recall_by_size(objects, self.classes)
        return SegmentationSummary(figures, classes, self.confusion.copy(), sizes, objects, pixels.mean_iou(own))

    def _object_figures(self, seed: int, resamples: int) -> dict[str, Interval]:
        """Figures of matched objects, drawn by pictures; none where no picture had its objects answered."""
        if not self._matched:
            return {}
        rows = np.stack([one.numbers for one in self._matched])
        return dict(zip(OBJECT_FIGURES, bootstrap_of_sums(_of_objects, rows, resamples, seed), strict=True))


def paired_differences(
    first: SegmentationTally, second: SegmentationTally, seed: int = 0, resamples: int = 1000
) -> dict[str, Interval]:
    """Every figure of `first` minus the same of `second`, with 95 % intervals: pictures are drawn in pairs.

    Both must have counted the same pictures in the same order, with the same classes.

    Raises:
        UsageError: they counted different numbers.
    """
    if first.rows.shape != second.rows.shape:
        raise UsageError("pairs need the same pictures and classes", got=f"{first.rows.shape} and {second.rows.shape}")
    names = (*FIGURES, "mean_boundary_f1")

    def difference(sums: Floats) -> Floats:
        one, other = (_formulas(part)[..., : len(names)] for part in np.split(sums, 2, axis=-1))
        return one - other

    both = np.concatenate([first.rows, second.rows], axis=1)
    return dict(zip(names, bootstrap_of_sums(difference, both, resamples, seed), strict=True))


def _columns(counts: ClassCounts) -> tuple[Floats, Floats, Floats]:
    return counts.hits, counts.answered, counts.present


def _of_objects(sums: Floats) -> Floats:
    counts = instances.Matched.of(sums)
    return np.stack([formula(counts) for formula in OBJECT_FIGURES.values()], axis=-1)


def _formulas(sums: Floats) -> Floats:
    """Sums (…, 13·C) → the figures and every class's seven, in the order that `summary` reads."""
    parts = sums.reshape(*sums.shape[:-1], COUNTS, -1)
    own, near, inside = (ClassCounts(*(parts[..., start + i, :] for i in range(3))) for start in (0, 7, 10))
    outline = boundary.boundary_f1(np.moveaxis(parts[..., 3:7, :], -2, -1))
    whole = np.stack([*(formula(own) for formula in FIGURES.values()), pixels.mean_of_known(outline)], axis=-1)
    shares = [pixels.iou(own), pixels.dice(own), precision(own), recall(own), outline, recall(near), recall(inside)]
    return np.concatenate([whole, *shares], axis=-1)
