"""All figures of a detector at once, with intervals over pictures, its curves, confusions and kinds of mistakes.

tally = DetectionTally(("cat", "dog"))
for truth, answer in …:                       # Objects and Answer, pixels of the original picture
    tally.add(truth, answer)
tally.summary().figures["map"]                # 0.4312 [0.4120, 0.4490]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from anmok.core.errors import UsageError
from anmok.core.targets import Objects
from anmok.metrics._detections import Answer, Bools
from anmok.metrics._figure import Floats, Ints
from anmok.metrics.coco import CocoFigures, coco_figures
from anmok.metrics.detection_confusion import detection_confusion
from anmok.metrics.detection_errors import DetectionErrors, detection_errors
from anmok.metrics.proportion import Interval, share
from anmok.metrics.ranking import (
    Curve,
    Ranking,
    best_threshold,
    map_intervals,
    precision_recall_curve,
    rank,
)


@dataclass(frozen=True)
class DetectionRow:
    """One class: its judged objects, its answers at the threshold, and its figures."""

    name: str
    objects: int
    answered: int
    map: float
    map50: float
    precision: Interval
    recall: Interval


@dataclass(frozen=True)
class DetectionSummary:
    """What an evaluation of a detector found.

    Args:
        figures: `map` and `map50`, and at the threshold `precision` and `recall`, with intervals; where masks are
            compared, `mask_map` and `mask_map50` without.
        coco: all of COCO's figures of the boxes by name, see `coco.CocoFigures`.
        masks: the same of the masks, where they are compared, else None.
        classes: a row each.
        threshold: the score from which answers count in precision, recall, confusion and mistakes.
        curves: precision and recall of every class at a least overlap of 0.5.
        confusion: (C + 1, C + 1), rows true, background last.
        errors: kinds of mistakes.
        pictures: F1 of every picture at the threshold (N,), NaN where nothing is and nothing was answered: the worst
            can be shown.
    """

    figures: Mapping[str, Interval]
    coco: Mapping[str, float]
    masks: Mapping[str, float] | None
    classes: Sequence[DetectionRow]
    threshold: float
    curves: Sequence[Curve]
    confusion: Ints
    errors: DetectionErrors
    pictures: Floats


class DetectionTally:
    """Collects truths and answers, picture after picture.

    Args:
        classes: the C names, in the order of the ids.
        masks: compare masks too.
    """

    def __init__(self, classes: Sequence[str], masks: bool = False) -> None:
        self.classes, self.masks = tuple(classes), masks
        self.truths: list[Objects] = []
        self.answers: list[Answer] = []
        self.sizes: list[tuple[int, int]] = []

    def __len__(self) -> int:
        return len(self.truths)

    def add(self, truth: Objects, answer: Answer, size: tuple[int, int] | None = None) -> None:
        """One picture; `size` (height, width) is needed for masks."""
        if self.masks and size is None:
            raise UsageError("masks can only be compared where the picture's size is known", got="size=None")
        self.truths.append(truth)
        self.answers.append(answer.best())
        self.sizes.append(size or (0, 0))

    def ranking(self) -> Ranking:
        """All answers in one list."""
        return rank(self.truths, self.answers, len(self.classes))

    def map(self) -> float:
        """COCO's mean average precision alone: what a training run watches.

        Raises:
            UsageError: no picture was added.
        """
        return self._coco().figures["map"]

    def summary(self, threshold: float | None = None, seed: int = 0, resamples: int = 200) -> DetectionSummary:
        """Everything, with 95 % intervals.

        Args:
            threshold: the score from which an answer counts; None: the best on these pictures (`best_threshold`), which
                should be the validation pictures.
            seed, resamples: of the bootstrap.

        Raises:
            UsageError: no picture was added.
        """
        found, ranking = self._coco(), self.ranking()
        chosen = best_threshold(ranking) if threshold is None else threshold
        masks = self._coco(masks=True).figures if self.masks else None
        hits, judged = ranking.at(0.5)
        shown = judged & (ranking.scores >= chosen)
        right, size = hits & shown, len(self.classes)
        return DetectionSummary(
            {
                **map_intervals(ranking, resamples, seed),
                "precision": share(int(right.sum()), int(shown.sum())),
                "recall": share(int(right.sum()), int(ranking.objects.sum())),
                **({} if masks is None else self._unsure(masks)),
            },
            found.figures,
            masks,
            self._rows(found, ranking, shown, right),
            chosen,
            [precision_recall_curve(ranking, place) for place in range(size)],
            detection_confusion(self.truths, self.answers, size, chosen),
            detection_errors(self.truths, self.answers, size, chosen),
            f1_by_picture(ranking, shown, right),
        )

    def _rows(self, found: CocoFigures, ranking: Ranking, shown: Bools, right: Bools) -> list[DetectionRow]:
        rows = []
        for place, name in enumerate(self.classes):
            own = ranking.labels == place
            objects, answered = int(ranking.objects[:, place].sum()), int((shown & own).sum())
            hits = int((right & own).sum())
            rows.append(
                DetectionRow(name, objects, answered, float(found.class_map[place]), float(found.class_map50[place]),
                             share(hits, answered), share(hits, objects))
            )  # fmt: skip
        return rows

    def _unsure(self, masks: Mapping[str, float]) -> dict[str, Interval]:
        """The masks' figures, without intervals: drawing pictures anew would compare all masks each time."""
        return {
            f"mask_{name}": Interval(masks[name], np.nan, np.nan, len(self), "not known") for name in ("map", "map50")
        }

    def _coco(self, masks: bool = False) -> CocoFigures:
        if not self.truths:
            raise UsageError("a summary needs pictures", got="none was added")
        return coco_figures(self.truths, self.answers, self.classes, self.sizes if masks else None, masks)


def f1_by_picture(ranking: Ranking, shown: Bools, right: Bools) -> Floats:
    """2 · right / (answers + objects) of every picture (N,); NaN where there are neither."""
    n = len(ranking.objects)
    hits, answered = (np.bincount(ranking.pictures[which], minlength=n) for which in (right, shown))
    total = (answered + ranking.objects.sum(1)).astype(np.float64)
    return np.divide(2.0 * hits, total, out=np.full(n, np.nan), where=total > 0)
