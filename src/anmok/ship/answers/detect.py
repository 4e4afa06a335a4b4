"""Detection: the best candidates of each picture → boxes in the original's pixels, suppressed class by class."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from anmok.core.preparation import Preparation
from anmok.core.registry import register
from anmok.core.types import Prediction
from anmok.ship.answers import Asked


@register("answers", name="detect")
class BoxAnswers:
    """Score, overlap, and the way back from the letterboxed square.

    Reads `classes` (names by label), `threshold` (scores below are no answer), `nms` (overlap above which the lower
    score goes), `limit` (boxes a picture) and `preparation` (where in the square each picture lay).
    """

    outputs = ("boxes", "scores", "labels")

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.classes = tuple(map(str, settings["classes"]))
        self.threshold, self.nms = float(settings["threshold"]), float(settings["nms"])
        self.limit = int(settings["limit"])
        self.preparation = Preparation.from_json(settings["preparation"])
        if not self.classes or not 0 <= self.nms <= 1 or self.limit < 1:
            raise ValueError("a detector has classes, a limit above 0, and suppresses by an overlap from 0 to 1")

    def __call__(
        self, outputs: Mapping[str, np.ndarray], pictures: Sequence[Asked], top: int | None = None
    ) -> Iterator[Prediction]:
        """See `anmok.ship.answers.Answers`. `top` does not matter: every object is an answer of its own."""
        boxes, scores, labels = (outputs[name] for name in self.outputs)
        if boxes.shape != (len(pictures), scores.shape[1], 4) or scores.shape != labels.shape:
            raise ValueError(f"boxes {boxes.shape} and scores {scores.shape} for {len(pictures)} pictures")
        for picture, *found in zip(pictures, boxes, scores, labels.astype(np.int64), strict=True):
            yield self._answer(picture, *found)

    def _answer(self, picture: Asked, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> Prediction:
        good = (scores >= self.threshold) & (boxes[:, 2:] > boxes[:, :2]).all(1)
        boxes, scores, labels = boxes[good], scores[good], labels[good]
        kept = suppressed(boxes, scores, labels, self.nms)[: self.limit]
        height, width = picture.size
        back = self.preparation.geometry(picture.size, seen=True).inverse()
        placed = np.clip(back.boxes(boxes[kept]), 0, np.array([width, height, width, height], np.float32))
        seen = (placed[:, 2:] > placed[:, :2]).all(1)  # what lay in the padding is gone
        names = tuple(self.classes[label] for label in labels[kept][seen].tolist())
        return Prediction(picture.id, names, tuple(scores[kept][seen].tolist()), boxes=placed[seen])


def suppressed(boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, most: float) -> np.ndarray:
    """Greedy non-maximum suppression within each class: which boxes stay, the best first.

    Args:
        boxes: (M, 4), xyxy.
        scores: (M,).
        labels: (M,).
        most: overlap (IoU) above which the lower score goes.

    >>> suppressed(np.array([[0, 0, 4, 4], [0, 0, 4, 5], [0, 0, 4, 4.0]]), np.array([0.5, 0.9, 0.8]),
    ...            np.array([0, 0, 1]), 0.6).tolist()
    [1, 2]
    """
    order = np.argsort(-scores, kind="stable")
    left, top, right, bottom = boxes[order].astype(np.float64).T
    classes, areas = labels[order], (right - left) * (bottom - top)
    gone = np.zeros(len(order), bool)
    kept = []
    for place in range(len(order)):
        if gone[place]:
            continue
        kept.append(int(order[place]))
        after = slice(place + 1, None)
        wide = np.minimum(right[place], right[after]) - np.maximum(left[place], left[after])
        high = np.minimum(bottom[place], bottom[after]) - np.maximum(top[place], top[after])
        shared = np.clip(wide, 0, None) * np.clip(high, 0, None)
        gone[after] |= (shared > most * (areas[place] + areas[after] - shared)) & (classes[after] == classes[place])
    return np.array(kept, np.int64)
