"""What boxes are like on the whole: how many, how large, how long, and the odd ones among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from anmok.core.boxes import iou
from anmok.core.targets import Objects
from anmok.core.types import Dataset
from anmok.data.problems import Problem

TINY = 4.0  # pixels: a side below this shows next to nothing
TWICE = 0.9  # IoU from which two boxes of a picture are the same object, told twice
SIDES = (0, 4, 8, 16, 32, 64, 96, 128, 256, 512, np.inf)  # pixels: bins of √area; 32 and 96 are COCO's borders
ASPECTS = (0, 1 / 8, 1 / 4, 1 / 2, 2 / 3, 1, 3 / 2, 2, 4, 8, np.inf)  # bins of width / height
COUNTS = (0, 1, 2, 3, 4, 5, 6, 8, 11, 21, 51, 101, np.inf)  # bins of boxes a picture
_AT_ONCE = 512  # boxes compared with all others of their picture
_QUANTILES = {"least": 0.0, "low": 0.05, "middle": 0.5, "high": 0.95, "most": 1.0}


@dataclass(frozen=True)
class ObjectStatistics:
    """By position of the entry and of the box in it.

    `picture`: int (N,), the entry of each box. `label`: int (N,). `width`, `height`: float (N,) in pixels.
    `empty`: entries without a box. `twice`: (entry, box, box, IoU) of boxes of one class that are nearly the same.
    `doubted`: the same of boxes of two classes. `outlines`: objects that have one.
    """

    picture: np.ndarray
    label: np.ndarray
    width: np.ndarray
    height: np.ndarray
    per_picture: np.ndarray
    empty: np.ndarray
    twice: tuple[tuple[int, int, int, float], ...]
    doubted: tuple[tuple[int, int, int, float], ...]
    outlines: int

    @property
    def side(self) -> np.ndarray:
        """√area in pixels."""
        return np.sqrt(self.width * self.height)

    @property
    def tiny(self) -> np.ndarray:
        """Places of boxes too small to show anything."""
        return np.flatnonzero(np.minimum(self.width, self.height) < TINY)

    def to_json(self) -> dict[str, Any]:
        """Counts, quantiles and histograms as plain values."""
        told: dict[str, Any] = {"boxes": len(self.label), "pictures_without_boxes": len(self.empty),
                                "outlines": self.outlines}  # fmt: skip
        measures = {"boxes_a_picture": self.per_picture, "side": self.side,
                    "aspect": self.width / np.maximum(self.height, 1e-6)}  # fmt: skip
        told |= {name: _quantiles(values) for name, values in measures.items() if len(values)}
        told["sides"] = _histogram(self.side, SIDES)
        told["aspects"] = _histogram(measures["aspect"], ASPECTS)
        told["counts"] = _histogram(self.per_picture, COUNTS, "pictures")
        return told


def measure_objects(dataset: Dataset) -> ObjectStatistics:
    """Statistics of a data set whose targets are `Objects`; nothing is decoded."""
    targets: list[Objects] = [entry.target for entry in dataset.entries]
    counts = np.array([len(target) for target in targets], int)
    boxes = np.concatenate([target.boxes for target in targets]) if targets else np.zeros((0, 4), np.float32)
    twice: list[tuple[int, int, int, float]] = []
    doubted: list[tuple[int, int, int, float]] = []
    for place, target in enumerate(targets):
        for first, second, share in alike(target):
            same = target.labels[first] == target.labels[second]
            (twice if same else doubted).append((place, first, second, share))
    return ObjectStatistics(
        picture=np.repeat(np.arange(len(targets)), counts),
        label=np.concatenate([target.labels for target in targets]) if targets else np.zeros(0, np.int64),
        width=boxes[:, 2] - boxes[:, 0],
        height=boxes[:, 3] - boxes[:, 1],
        per_picture=counts,
        empty=np.flatnonzero(counts == 0),
        twice=tuple(twice),
        doubted=tuple(doubted),
        outlines=sum(region is not None for target in targets for region in target.regions or ()),
    )


def alike(target: Objects) -> list[tuple[int, int, float]]:
    """Pairs of boxes that cover nearly the same; groups marked as crowds are none."""
    boxes, found = torch.from_numpy(target.boxes), []
    crowd = np.zeros(len(target), bool) if target.crowd is None else target.crowd
    for start in range(0, len(target), _AT_ONCE):
        overlap = iou(boxes[start : start + _AT_ONCE], boxes).numpy()
        for row, second in zip(*np.nonzero(overlap >= TWICE), strict=True):
            first = start + int(row)
            if first < second and not (crowd[first] or crowd[second]):
                found.append((first, int(second), float(overlap[row, second])))
    return found


def object_problems(dataset: Dataset, found: ObjectStatistics) -> list[Problem]:
    """What of the boxes is worth a look."""
    names, problems = dataset.classes, []
    if found.twice:
        places, notes = _by_picture((place, f"{names[_label(dataset, place, a)]} twice, {share:.0%} alike")
                                    for place, a, _, share in found.twice)  # fmt: skip
        words = f"{_count(len(found.twice), 'box covers', 'boxes cover')} nearly what another of the same class does"
        problems.append(Problem("boxes told twice", words, False, "remove one of the two", places, notes))
    if found.doubted:
        places, notes = _by_picture(
            (place, f"{names[_label(dataset, place, a)]} and {names[_label(dataset, place, b)]}, {share:.0%} alike")
            for place, a, b, share in found.doubted
        )
        words = (
            f"{_count(len(found.doubted), 'pair of boxes says', 'pairs of boxes say')} different things of one place"
        )
        problems.append(Problem("boxes of two classes", words, False, "decide for one class", places, notes))
    if len(found.tiny):
        places, notes = _by_picture(
            (int(found.picture[i]), f"{names[found.label[i]]}, {found.width[i]:.3g} × {found.height[i]:.3g} pixels")
            for i in found.tiny
        )
        words = f"{_count(len(found.tiny), 'box has', 'boxes have')} a side below {TINY:g} pixels"
        problems.append(Problem("tiny boxes", words, False, "train at a larger picture size, or remove them",
                                places, notes))  # fmt: skip
    if len(found.empty):
        count = f"{len(found.empty):,} of {len(dataset):,} pictures show no object"
        problems.append(Problem("pictures without boxes", count, False, "good as background, if nothing was forgotten",
                                tuple((int(i),) for i in found.empty)))  # fmt: skip
    return problems


def _label(dataset: Dataset, place: int, box: int) -> int:
    return int(dataset.entries[place].target.labels[box])


def _by_picture(told: Any) -> tuple[tuple[tuple[int, ...], ...], tuple[str, ...]]:
    """Groups and notes, one a picture: what is told of it, joined."""
    notes: dict[int, list[str]] = {}
    for place, note in told:
        notes.setdefault(place, []).append(note)
    joined = tuple("; ".join(many[:3]) + (f"; and {len(many) - 3} more" if len(many) > 3 else "")
                   for many in notes.values())  # fmt: skip
    return tuple((place,) for place in notes), joined


def _count(number: int, one: str, many: str) -> str:
    return f"1 {one}" if number == 1 else f"{number:,} {many}"


def _quantiles(values: np.ndarray) -> dict[str, float]:
    return {word: round(float(np.quantile(values, q)), 4) for word, q in _QUANTILES.items()}


def _histogram(values: np.ndarray, borders: tuple[float, ...], counted: str = "boxes") -> list[Mapping[str, float]]:
    """Bins from `low` up to `high` with their number of `counted`; empty ones at the ends are left out."""
    counts, _ = np.histogram(values, borders)
    filled = np.flatnonzero(counts)
    shown = range(filled[0], filled[-1] + 1) if len(filled) else ()
    return [{"low": round(float(borders[i]), 4), "high": round(float(borders[i + 1]), 4), counted: int(counts[i])}
            for i in shown]  # fmt: skip
