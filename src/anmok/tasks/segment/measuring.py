"""One split's answers and figures: every pixel of every original picture judged once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.core.instances import objects_of
from anmok.core.types import Dataset, Entry
from anmok.data.records import frame_of
from anmok.metrics.proportion import Interval
from anmok.metrics.segmentation import SegmentationSummary, SegmentationTally
from anmok.ship.answers.segment import class_shares
from anmok.tasks.segment.learning import Segment
from anmok.tasks.segment.maps import class_maps
from anmok.tasks.segment.naming import background_of


@dataclass(frozen=True)
class Measured:
    """What was found on one split. `entries`: the pictures judged; `shares`: of each answer's pixels, (N, classes)."""

    split: str
    entries: Sequence[Entry]
    tally: SegmentationTally
    summary: SegmentationSummary
    shares: np.ndarray

    @property
    def ids(self) -> Sequence[str]:
        """The pictures' ids."""
        return [entry.id for entry in self.entries]

    @property
    def figures(self) -> Mapping[str, Interval]:
        """Every figure with its interval."""
        return self.summary.figures


def measure(model: Segment, dataset: Dataset, split: str | None, batch: int) -> Measured:
    """Ask the network about every picture of a split (None: all), at the pictures' own size.

    Raises:
        DataError: none of them could be read.
    """
    entries = [entry for entry in dataset.entries if split is None or entry.split == split]
    tally = SegmentationTally(model.classes, background=background_of(model.classes))
    judged, shares = [], []
    for found in class_maps(model, dataset.pictures, [entry.locator for entry in entries], batch):
        if found.mask is None:
            continue  # it was read before, when it was decoded; what happened since concerns this picture alone
        entry = entries[found.position]
        objects = objects_truth(dataset, entry)
        answered = None if objects is None else objects_of(found.mask, tally.background, found.inside)
        tally.add(truth_of(dataset, entry), found.mask, None if answered is None else objects, answered)
        judged.append(entry)
        shares.append(class_shares(found.mask, len(model.classes)))
    if not judged:
        raise DataError("there is no picture to judge", path=dataset.root, got=f"split {split}")
    groups = [entry.group or entry.id for entry in judged] if any(entry.group for entry in judged) else None
    return Measured(split or "all", judged, tally, tally.summary(groups=groups), np.stack(shares))


def truth_of(dataset: Dataset, entry: Entry) -> np.ndarray:
    """The class map uint8 (H, W) of a picture, as it was annotated."""
    assert dataset.masks is not None
    own = frame_of(dataset.pictures, entry.locator)
    return own.upright_mask(dataset.masks.classes(entry.target, own))


def objects_truth(dataset: Dataset, entry: Entry) -> np.ndarray | None:
    """Which object each pixel (H, W) belongs to, as it was annotated; None where the data does not tell them apart."""
    assert dataset.masks is not None
    own = frame_of(dataset.pictures, entry.locator)
    objects = dataset.masks.instances(entry.target, own)
    return None if objects is None else own.upright_mask(objects)


def class_rows(found: Measured) -> list[dict[str, Any]]:
    """One row a class: the pictures it is in, its pixels, and its figures with their intervals."""
    rows = []
    for number, row in enumerate(found.summary.classes):
        values: dict[str, Any] = {
            "class": row.name, "pictures": int((found.tally.present[:, number] > 0).sum()), "pixels": row.present,
            "answered": row.answered,
        }  # fmt: skip
        for name in ("iou", "dice", "boundary_f1", "near", "inside", "precision", "recall"):
            values |= spread_out(name, getattr(row, name))
        rows.append(values)
    return rows


def size_rows(found: Measured) -> list[dict[str, Any]]:
    """Objects found, by class and size."""
    return [
        {"class": row.name, "size": row.size, "least": row.least, "most": row.most, "objects": row.objects,
         **spread_out("recall", row.recall), "covered": row.covered}
        for row in found.summary.sizes
    ]  # fmt: skip


def spread_out(name: str, figure: Interval) -> dict[str, float]:
    """A figure and its interval as three plain values."""
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
