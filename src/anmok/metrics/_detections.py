"""Answered boxes beside true ones: who is matched with whom, by COCO's rule and by VOC's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from anmok.core.errors import UsageError
from anmok.core.targets import Objects
from anmok.metrics._figure import Floats, Ints

Bools = NDArray[np.bool_]

MOST = 100  # answers of a picture that are judged, the best first, as COCO does
UNMATCHED = -1


@dataclass(frozen=True, eq=False)
class Answer:
    """What a detector answered for one picture, K boxes in any order.

    Args:
        boxes: float32 (K, 4), xyxy, pixels, half-open.
        labels: int64 (K,), class ids.
        scores: float32 (K,), in [0, 1].
        masks: bool (K, H, W), where the detector draws them; or K of them as `anmok.metrics.coco.run_lengths` has them,
            for many large pictures.
    """

    boxes: Any
    labels: Any
    scores: Any
    masks: Any = None

    def __post_init__(self) -> None:
        for name, kind, shape in (("boxes", np.float32, (-1, 4)), ("labels", np.int64, (-1,)),
                                  ("scores", np.float32, (-1,))):  # fmt: skip
            object.__setattr__(self, name, np.asarray(getattr(self, name), kind).reshape(shape))
        lengths = {len(self.boxes), len(self.labels), len(self.scores)}
        if self.masks is not None:
            packed = isinstance(self.masks, np.ndarray) and self.masks.dtype.kind == "O"
            object.__setattr__(self, "masks", self.masks if packed else np.asarray(self.masks, bool))
            lengths.add(len(self.masks))
        if len(lengths) != 1:
            raise UsageError("an answer has one of everything for each box", got=f"lengths {sorted(lengths)}")
        if not (np.isfinite(self.boxes).all() and np.isfinite(self.scores).all()):
            raise UsageError("answered boxes and scores are finite", got="NaN or infinity",
                             fix="a checkpoint from before the loss became NaN")  # fmt: skip

    def __len__(self) -> int:
        return len(self.scores)

    def best(self, most: int = MOST) -> Answer:
        """The `most` best, best first; equal scores keep their order."""
        order = np.argsort(-self.scores, kind="stable")[:most]
        masks = None if self.masks is None else self.masks[order]
        return Answer(self.boxes[order], self.labels[order], self.scores[order], masks)


def ignored(truth: Objects) -> Bools:
    """Objects that are not judged (M,): crowds, and those marked as difficult."""
    unjudged = np.zeros(len(truth), bool)
    for part in (truth.crowd, truth.difficult):
        if part is not None:
            unjudged |= part
    return unjudged


def overlaps(answered: ArrayLike, true: ArrayLike, crowd: Bools | None = None) -> Floats:
    """IoU of boxes (K, 4) and (M, 4): float64 (K, M). With a `crowd` (M,), the share of the answer that lies in it.

    >>> overlaps([[0, 0, 2, 2]], [[1, 0, 3, 2]]).round(4)
    array([[0.3333]])
    """
    a, b = np.asarray(answered, np.float64)[:, None], np.asarray(true, np.float64)[None]
    shared = np.clip(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0, None).prod(-1)
    own = np.clip(a[..., 2:] - a[..., :2], 0, None).prod(-1)
    union = own + np.clip(b[..., 2:] - b[..., :2], 0, None).prod(-1) - shared
    if crowd is not None:
        union = np.where(crowd, own, union)
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def match_coco(overlap: Floats, unjudged: Bools, thresholds: Floats) -> Ints:
    """COCO's rule: each answer, best first, takes the free object that it overlaps most, at each threshold.

    Judged objects come first; unjudged ones may be taken any number of times. Of equal overlaps the later object is
    taken, as COCO's program does.

    Args:
        overlap: (K, M), answers best first.
        unjudged: (M,).
        thresholds: least IoU (T,).

    Returns:
        int64 (T, K): the object's position, or `UNMATCHED`.

    >>> match_coco(np.array([[0.6, 0.0], [0.9, 0.0]]), np.zeros(2, bool), np.array([0.5, 0.75]))
    array([[ 0, -1],
           [-1,  0]])
    """
    count, objects = overlap.shape
    found = np.full((len(thresholds), count), UNMATCHED)
    least = np.minimum(thresholds, 1 - 1e-10)[:, None]
    free = np.ones((len(thresholds), objects), bool)
    rows = np.arange(len(thresholds))
    for k in range(count if objects else 0):
        near = overlap[k] >= least
        for kind in (~unjudged, unjudged):
            open_to = np.where(near & free & kind, overlap[k], -1.0)
            last_best = objects - 1 - open_to[:, ::-1].argmax(1)
            taken = (open_to[rows, last_best] >= 0) & (found[:, k] == UNMATCHED)
            found[taken, k] = last_best[taken]
        won = found[:, k] != UNMATCHED
        free[rows[won], found[won, k]] &= unjudged[found[won, k]]
    return found


def match_voc(overlap: Floats, threshold: float = 0.5) -> tuple[Ints, Bools]:
    """VOC's rule: each answer looks only at the object that it overlaps most; the first to come takes it.

    Args:
        overlap: (K, M), answers best first.
        threshold: least IoU, inclusive as in VOC's devkit; py-faster-rcnn's copy of it wants more than that.

    Returns:
        The object looked at or `UNMATCHED` (K,), and whether the answer took it (K,).

    >>> match_voc(np.array([[0.6], [0.9]]))   # the second overlaps more, but comes too late
    (array([0, 0]), array([ True, False]))
    """
    count, objects = overlap.shape
    if not objects:
        return np.full(count, UNMATCHED), np.zeros(count, bool)
    nearest = overlap.argmax(1)
    looked = np.where(overlap[np.arange(count), nearest] >= threshold, nearest, UNMATCHED)
    first = np.zeros(count, bool)
    first[np.unique(looked, return_index=True)[1]] = True
    return looked, first & (looked != UNMATCHED)


def check_pictures(truths: Sequence[Objects], answers: Sequence[Answer], classes: int) -> None:
    """Raise `UsageError` where answers do not fit the pictures or the class list."""
    if len(truths) != len(answers):
        raise UsageError("pictures and answers differ in number", got=f"{len(truths)} and {len(answers)}")
    for number, part in [(i, p) for i, pair in enumerate(zip(truths, answers, strict=True)) for p in pair]:
        if len(part.labels) and not 0 <= part.labels.min() <= part.labels.max() < classes:
            raise UsageError(f"labels of picture {number} lie outside the class list",
                             got=f"{part.labels.min()} to {part.labels.max()}", allowed=f"0 to {classes - 1}",
                             fix="comparing the class list of data and run")  # fmt: skip
