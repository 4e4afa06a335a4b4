"""Detection: the best candidates of each picture → boxes in the original's pixels, suppressed class by class; and the
objects' outlines, where the graph draws masks. Where it looks at regions, these are searched here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from anmok.core.geometry import resample_mask
from anmok.core.preparation import Preparation
from anmok.core.registry import register
from anmok.core.selective_search import Search, opencv
from anmok.core.types import Prediction
from anmok.ship.answers import Asked
from anmok.ship.artefact import INPUT

OUTPUTS = ("boxes", "scores", "labels")
MASKS = "masks"  # a fourth output, where objects are outlined
REGIONS = "regions"  # a second input, float32 (N, R, 4), where proposals are searched; empty ones fill pictures up


@register("answers", name="detect")
class BoxAnswers:
    """Score, overlap, and the way back from the letterboxed square.

    Of masks, (N, K, m, m) in [0, 1] over each candidate's box, `Prediction.objects` is made.

    Reads `classes` (names by label), `threshold` (scores below are no answer), `nms` (overlap above which the lower
    score goes; "soft": it decays), `limit` (boxes a picture) and `preparation` (where in the square each picture lay);
    where proposals are searched, `search` (see `anmok.core.selective_search.Search`) and `at_once` (proposals of a
    picture that fit into one question; None: all).
    """

    outputs = OUTPUTS

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.classes = tuple(map(str, settings["classes"]))
        self.threshold, self.nms = float(settings["threshold"]), settings["nms"]
        self.limit = int(settings["limit"])
        self.preparation = Preparation.from_json(settings["preparation"])
        self.search = Search(**settings["search"]) if "search" in settings else None
        self.at_once = settings.get("at_once")
        if self.search is not None:
            opencv()  # before any picture is read
        overlap = 0.0 if self.nms == "soft" else float(self.nms)
        if not self.classes or not 0 <= overlap <= 1 or self.limit < 1:
            raise ValueError(
                "a detector has classes, a limit above 0, and suppresses softly or by an overlap from 0 to 1"
            )

    def questions(self, pixels: np.ndarray) -> list[dict[str, np.ndarray]]:
        """See `anmok.ship.answers.Answers`: pictures and what selective search proposes there, portion by portion."""
        pixels = np.ascontiguousarray(pixels)
        if self.search is None:
            return [{INPUT: pixels}]
        found = list(self.search.every(list(pixels)))
        regions = np.zeros((len(found), max([1, *map(len, found)]), 4), np.float32)
        for row, own in zip(regions, found, strict=True):
            row[: len(own)] = own
        portion = self.at_once or regions.shape[1]
        portions = (regions[:, start : start + portion] for start in range(0, regions.shape[1], portion))
        return [{INPUT: pixels, REGIONS: np.ascontiguousarray(part)} for part in portions]

    def joined(self, outputs: Sequence[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
        """See `anmok.ship.answers.Answers`: the best candidates of all portions, as many as one portion has."""
        every = {name: np.concatenate([part[name] for part in outputs], 1) for name in self.outputs}
        _, scores, _ = self.outputs
        best = np.argsort(-every[scores], axis=1, kind="stable")[:, : outputs[0][scores].shape[1]]
        return {
            name: np.take_along_axis(values, best.reshape(best.shape + (1,) * (values.ndim - 2)), 1)
            for name, values in every.items()
        }

    def __call__(
        self, outputs: Mapping[str, np.ndarray], pictures: Sequence[Asked], top: int | None = None
    ) -> Iterator[Prediction]:
        """See `anmok.ship.answers.Answers`. `top` does not matter: every object is an answer of its own."""
        boxes, scores, labels = (outputs[name] for name in self.outputs)
        if boxes.shape != (len(pictures), scores.shape[1], 4) or scores.shape != labels.shape:
            raise ValueError(f"boxes {boxes.shape} and scores {scores.shape} for {len(pictures)} pictures")
        masks = outputs.get(MASKS)
        if masks is not None and masks.shape[:2] != scores.shape:
            raise ValueError(f"masks {masks.shape} of boxes {boxes.shape}")
        each = [None] * len(pictures) if masks is None else masks
        for picture, *found in zip(pictures, boxes, scores, labels.astype(np.int64), each, strict=True):
            yield self._answer(picture, *found)

    def _answer(
        self, picture: Asked, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, masks: np.ndarray | None
    ) -> Prediction:
        good = np.flatnonzero((scores >= self.threshold) & (boxes[:, 2:] > boxes[:, :2]).all(1))
        if self.nms == "soft":
            kept, scores = softened(boxes[good], scores[good], labels[good], self.threshold, self.limit)
        else:
            kept = suppressed(boxes[good], scores[good], labels[good], float(self.nms))[: self.limit]
            scores = scores[good][kept]
        kept = good[kept]
        height, width = picture.size
        back = self.preparation.geometry(picture.size, seen=True).inverse()
        placed = np.clip(back.boxes(boxes[kept]), 0, np.array([width, height, width, height], np.float32))
        seen = (placed[:, 2:] > placed[:, :2]).all(1)  # what lay in the padding is gone
        names = tuple(self.classes[label] for label in labels[kept][seen].tolist())
        objects = None
        if masks is not None:
            side = self.preparation.size
            drawn = [pasted(masks[place], boxes[place], side) for place in kept[seen].tolist()]
            objects = owners(np.reshape(drawn, (-1, side, side)).astype(bool), self.preparation, picture.size)
        return Prediction(picture.id, names, tuple(scores[seen].tolist()), boxes=placed[seen], objects=objects)


def owners(masks: np.ndarray, preparation: Preparation, size: tuple[int, int]) -> np.ndarray:
    """Which object each pixel of the original picture belongs to, int32 (height, width): 0 none, 1 the surest.

    Args:
        masks: bool (K, S, S) on the network's square, the surest first; where two overlap, the surer one is on top.
        preparation: how the picture of `size` (height, width) became that square.
    """
    seen = np.zeros(masks.shape[1:], np.int32)
    for number in range(len(masks), 0, -1):
        seen[masks[number - 1]] = number
    return resample_mask(seen, preparation.geometry(size, seen=True).inverse(), size, 0)


def pasted(mask: np.ndarray, box: np.ndarray, side: int) -> np.ndarray:
    """A box's mask in its place: bool (side, side), where it says more than half.

    As Detectron and torchvision paste: a border of nothing is put around the mask, so that it ends softly; the box, so
    much larger, is cut to whole pixels, of which the last belongs to it; values between are bilinear.

    Args:
        mask: (m, m) in [0, 1].
        box: (4,), xyxy in pixels of the square.
        side: of the square.

    >>> pasted(np.ones((4, 4)), np.array([1.0, 1, 3, 3]), 4).astype(int).tolist()
    [[0, 0, 0, 0], [0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]]
    """
    framed = np.pad(mask.astype(np.float32), 1)
    centre, half = (box[:2] + box[2:]) / 2, (box[2:] - box[:2]) / 2 * (len(framed) / len(mask))
    first, last = (centre - half).astype(np.int64), (centre + half).astype(np.int64)  # towards 0
    found = np.zeros((side, side), bool)
    (columns, across), (rows, down) = (
        _between(low, high, len(framed), side) for low, high in zip(first.tolist(), last.tolist(), strict=True)
    )
    found[rows, columns] = down @ framed @ across.T > 0.5
    return found


def _between(first: int, last: int, cells: int, side: int) -> tuple[slice, np.ndarray]:
    """Pixels `first` to `last` as far as they lie in the square, and how each is mixed of `cells` cells: (pixels,
    cells), float32."""
    count = max(last - first + 1, 1)
    inside = np.arange(max(first, 0), min(first + count, side))
    at = np.maximum((inside - first + 0.5) * (cells / count) - 0.5, 0).astype(np.float32)
    low = np.minimum(at.astype(np.int64), cells - 1)
    share = at - low
    mixed = np.zeros((len(inside), cells), np.float32)
    mixed[np.arange(len(inside)), low] += 1 - share
    mixed[np.arange(len(inside)), np.minimum(low + 1, cells - 1)] += share
    start = int(inside[0]) if len(inside) else 0
    return slice(start, start + len(inside)), mixed


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
    gone = np.zeros(len(scores), bool)
    kept = []
    for place, best in enumerate(order.tolist()):
        if gone[best]:
            continue
        kept.append(best)
        after = order[place + 1 :]
        gone[after] |= (overlaps(boxes[best], boxes[after]) > most) & (labels[after] == labels[best])
    return np.array(kept, np.int64)


def softened(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, lowest: float, limit: int, sigma: float = 0.5
) -> tuple[np.ndarray, np.ndarray]:
    """Soft suppression within each class (Bodla et al. 2017): which boxes stay, the best first, and what they score.

    Args:
        boxes, scores, labels: see `suppressed`.
        lowest: scores that fall below are gone.
        limit: the most boxes that stay.
        sigma: of the decay exp(-IoU² / σ).

    >>> kept, left = softened(np.array([[0, 0, 4, 4], [0, 0, 4, 4.0]]), np.array([0.8, 0.9]), np.array([0, 0]), 0.1, 9)
    >>> kept.tolist(), left.round(3).tolist()   # 0.8 · exp(-1 / 0.5)
    ([1, 0], [0.9, 0.108])
    """
    left = scores.astype(np.float64)
    waiting = np.ones(len(left), bool)
    kept: list[int] = []
    while waiting.any() and len(kept) < limit:
        best = int(np.where(waiting, left, -1).argmax())
        if left[best] < lowest:
            break
        kept.append(best)
        waiting[best] = False
        others = waiting & (labels == labels[best])
        left[others] *= np.exp(-(overlaps(boxes[best], boxes[others]) ** 2) / sigma)
    return np.array(kept, np.int64), left[kept].astype(np.float32)


def overlaps(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Intersection over union of one box (4,) with each of others (M, 4), all with an area: float64 (M,).

    Computed in float32, as torchvision does: of two proposals on whole pixels it may be 3/10, and whether that is more
    than 0.3 must be answered alike.
    """
    box, others = box.astype(np.float32), others.astype(np.float32)
    shared = np.clip(np.minimum(box[2:], others[:, 2:]) - np.maximum(box[:2], others[:, :2]), 0, None).prod(1)
    areas = (others[:, 2:] - others[:, :2]).prod(1)
    return np.asarray(shared / ((box[2:] - box[:2]).prod() + areas - shared), np.float64)
