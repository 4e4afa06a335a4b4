"""One split's answers and figures, in the pixels of the original pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.core.geometry import resample_mask
from anmok.core.targets import Objects
from anmok.core.types import Entry, Prediction, Report
from anmok.data.prepare import Prepared
from anmok.metrics.coco import run_lengths
from anmok.metrics.detection import Answer, DetectionSummary, DetectionTally
from anmok.metrics.proportion import Interval
from anmok.tasks.detect.learning import JUDGED_FROM, Detect


@dataclass(frozen=True)
class Measured:
    """What was found on one split: the pictures judged, every answer, and the figures at the model's threshold."""

    split: str
    entries: Sequence[Entry]
    tally: DetectionTally
    summary: DetectionSummary

    @property
    def ids(self) -> Sequence[str]:
        """The pictures' ids."""
        return [entry.id for entry in self.entries]

    @property
    def figures(self) -> Mapping[str, Interval]:
        """Every figure with its interval."""
        return self.summary.figures


def measure(
    model: Detect, prepared: Prepared, split: str | None, batch: int, threshold: float | None = None
) -> Measured:
    """Ask the network about every picture of a split (None: all).

    `threshold`: the score from which a box counts in precision, recall and mistakes; None: the best on these pictures.

    Raises:
        DataError: there is none.
    """
    entries = [entry for entry in prepared.dataset.entries if split is None or entry.split == split]
    if not entries:
        raise DataError("there is no picture to judge", path=prepared.dataset.root, got=f"split {split}")
    tally = DetectionTally(model.classes, masks=_draws(model) and all(outlined(entry.target) for entry in entries))
    model.network.eval()
    position = 0
    for shown in prepared.objects(split, batch).epoch(0):
        sizes = ((height, width) for height, width in shown.extra["sizes"].tolist())
        for one, size in zip(model.found(shown.pictures, JUDGED_FROM), sizes, strict=True):
            tally.add(entries[position].target, original(model, one, size, masks=tally.masks), size)
            position += 1
    return Measured(split or "all", entries, tally, tally.summary(threshold))


def original(model: Detect, found: Mapping[str, Any], size: tuple[int, int], masks: bool = False) -> Answer:
    """Boxes of the network's square in the pixels of the original picture of `size` (height, width), clipped to it.

    `masks`: with the objects' masks, as run lengths.
    """
    boxes, seen = placed(model, found, size)
    drawn = None
    if masks:
        back = model.preparation.geometry(size, seen=True).inverse()
        drawn = run_lengths([resample_mask(mask, back, size, False) for mask in found["masks"].numpy()[seen]])
    return Answer(boxes[seen], found["labels"].numpy()[seen], found["scores"].numpy()[seen], drawn)


def _draws(model: Detect) -> bool:
    return getattr(model.network, "draws_masks", False)


def outlined(objects: Objects) -> bool:
    """Whether every object has an outline."""
    return not len(objects.boxes) or (objects.regions is not None and None not in objects.regions)


def placed(model: Detect, found: Mapping[str, Any], size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The same boxes (K, 4), clipped, and whether some of each lies in the picture, bool (K,), not all in padding."""
    back = model.preparation.geometry(size, seen=True).inverse()
    height, width = size
    boxes = np.clip(back.boxes(found["boxes"].numpy()), 0, np.array([width, height, width, height], np.float32))
    return boxes, (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])


def prediction(name: str, answer: Answer, classes: Sequence[str], threshold: float) -> Prediction:
    """The boxes from `threshold` on, the surest first."""
    best = answer.best()
    kept = best.scores >= threshold
    labels = tuple(classes[number] for number in best.labels[kept].tolist())
    return Prediction(name, labels, tuple(best.scores[kept].tolist()), boxes=best.boxes[kept])


def report_of(found: Measured, classes: Sequence[str]) -> Report:
    """Figures, the tables `classes`, `coco`, `confusion` (objects, the background last) and `mistakes`."""
    figures: dict[str, float] = {}
    for name, figure in found.figures.items():
        figures |= spread_out(name, figure)
    names = [*classes, "background"]
    tables: dict[str, Sequence[Mapping[str, Any]]] = {
        "classes": [
            {"class": row.name, "objects": row.objects, "answered": row.answered, "map": row.map, "map50": row.map50,
             **spread_out("precision", row.precision), **spread_out("recall", row.recall)}
            for row in found.summary.classes
        ],
        "coco": [{"figure": name, "value": value} for name, value in found.summary.coco.items()],
        "confusion": [
            {"truth": name, **{other: int(count) for other, count in zip(names, counts, strict=True)}}
            for name, counts in zip(names, found.summary.confusion, strict=True)
        ],
        "mistakes": [{"mistake": name, "objects": int(count)} for name, count in mistakes(found).items()],
    }  # fmt: skip
    answers = [prediction(entry.id, answer, classes, found.summary.threshold)
               for entry, answer in zip(found.entries, found.tally.answers, strict=True)]  # fmt: skip
    return Report(figures, tables, answers)


def mistakes(found: Measured) -> dict[str, int]:
    """How many answers or objects are wrong in each way."""
    return dict(found.summary.errors.counts)


def spread_out(name: str, figure: Interval) -> dict[str, float]:
    """A figure and its interval as three plain values."""
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
