"""What every detector offers: one way to be trained, one way to answer, whatever it is made of.

    outputs = net(pictures)                         evaluation: raw answers, a tuple of the network's own kind
    outputs = net(pictures, targets)                training; region-based networks choose their regions here
    parts   = net.losses(outputs, targets)          {"classes": …, "boxes": …}: scalars to be added up and descended
    found   = net.detect(outputs, sizes)            [{"boxes": …, "labels": …, "scores": …}], one a picture

    net.takes_regions                               True: wants proposals from outside (selective search)
    net.draws_masks                                 True: learns from masks, and answers with them (may be left out)
    boxes, scores = net.candidates(outputs)         everything before suppression, of fixed shape: what export carries
    boxes, scores = net.candidates_of(pictures)     the same, where outputs have no fixed shape (two stages); one that
                                                    draws masks has `candidates_in(maps, size)`, and `masks`
    boxes, scores = net.candidates_at(pictures, regions)  the same, where `takes_regions`: of regions (R, 5), the number
                                                    of its picture before each, (R, C, 4) and (R, C)
    net.regions_at_once                             where each region passes all of the network: how many together fit
                                                    into memory (may be left out, or None)

`pictures`: float (N, C, H, W), normalised, possibly letterboxed. All boxes are xyxy in pixels of these pictures,
half-open, float32. Labels are class ids from 0; background, where a network needs it, is its own affair.

`targets`: one mapping a picture, with
    boxes    float32 (M, 4), M may be 0
    labels   int64 (M,)
    regions  float32 (R, 4): proposals, only where `takes_regions`, and then in evaluation too
    masks    bool (M, H, W), only where the network draws masks

`losses` uses no parameters, only outputs: distributed training sees all of the network in its forward. It computes in
float32 whatever the outputs' precision. `detect` sorts by score, cuts boxes off at `sizes`, and needs no gradient.

Two kinds of networks are not trained by descent alone. `net.measure(targets)` (Fast R-CNN) must be called once before,
with every training picture's target. `net.solves` (R-CNN, SPPnet) maps names to what is fitted in closed form after,
see `_region_svm`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from anmok.core.boxes import clip, nms_by_class, soft_nms
from anmok.core.errors import UsageError
from anmok.networks._interface import Accepts

Target = Mapping[str, Tensor]
Found = dict[str, Tensor]
Sizes = Sequence[tuple[int, int]]
Overlap = float | Literal["soft"]

MOST_CANDIDATES = 1000  # of a picture go into suppression, the best first


@runtime_checkable
class Detector(Protocol):
    """The agreement above, for type checkers and for `isinstance`."""

    accepts: Accepts
    num_classes: int
    takes_regions: bool

    def forward(self, pictures: Tensor, targets: Sequence[Target] | None = None) -> Any:
        """Raw outputs."""

    def losses(self, outputs: Any, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Scalars, float32, already weighed: their sum is what is descended."""

    def detect(
        self, outputs: Any, sizes: Sizes | None = None, *, score: float = 0.05, nms: Overlap = 0.6, limit: int = 100
    ) -> list[Found]:
        """Final boxes (K, 4), labels (K,), scores (K,) of each picture, the best first, K at most `limit`.

        Args:
            outputs: of `forward` in evaluation.
            sizes: height and width of what is picture in each input, where boxes are cut off; None: nowhere.
            score: what scores less is dropped. Average precision wants this low (0.001).
            nms: intersection over union above which the lower score of two boxes of one class is dropped; "soft": it
                decays instead (`anmok.core.boxes.soft_nms`), and goes where it falls below `score`.
            limit: the most boxes a picture.
        """


def check_targets(targets: Sequence[Target], pictures: int, num_classes: int) -> None:
    """Raise `UsageError` where targets do not fit the batch or the class list."""
    if len(targets) != pictures:
        raise UsageError("targets and pictures differ in number", got=f"{len(targets)} targets, {pictures} pictures")
    for number, target in enumerate(targets):
        boxes, labels = target["boxes"], target["labels"]
        if boxes.shape != (len(labels), 4) or not boxes.is_floating_point():
            raise UsageError(
                f"boxes and labels of picture {number} do not fit each other",
                got=f"boxes {tuple(boxes.shape)}, labels {tuple(labels.shape)}",
                allowed="float boxes (M, 4), int64 labels (M,)",
            )
        if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes:
            raise UsageError(
                f"labels of picture {number} lie outside the class list",
                got=f"{int(labels.min())} to {int(labels.max())}",
                allowed=f"0 to {num_classes - 1}",
                fix="class ids count from 0, without background",
            )


def padded(targets: Sequence[Target]) -> tuple[Tensor, Tensor, Tensor]:
    """Targets of N pictures as boxes (N, M, 4), labels (N, M) and whether each place is taken, bool (N, M); M ≥ 1."""
    most = max([1, *(len(target["labels"]) for target in targets)])
    first = targets[0]["boxes"]
    boxes = first.new_zeros((len(targets), most, 4), dtype=torch.float32)
    labels = first.new_zeros((len(targets), most), dtype=torch.int64)
    taken = first.new_zeros((len(targets), most), dtype=torch.bool)
    for i, target in enumerate(targets):
        count = len(target["labels"])
        boxes[i, :count], labels[i, :count], taken[i, :count] = target["boxes"].float(), target["labels"], True
    return boxes, labels, taken


@torch.no_grad()
def select(
    boxes: Tensor, scores: Tensor, size: tuple[int, int] | None, *, score: float, nms: Overlap, limit: int
) -> Found:
    """The final answer for one picture from all candidates.

    Args:
        boxes: (A, 4), or (A, C, 4) where each class has its own.
        scores: (A, C); one candidate may answer with several classes.
        size: height and width to cut boxes off at, or None.
        score, nms, limit: see `Detector.detect`.
    """
    scores = scores.float()
    if boxes.ndim == 2:
        boxes = boxes[:, None].expand(-1, scores.shape[1], -1)
    place, label = (scores > score).nonzero(as_tuple=True)
    values = scores[place, label]
    if len(values) > MOST_CANDIDATES:
        values, best = values.topk(MOST_CANDIDATES)
        place, label = place[best], label[best]
    chosen = boxes[place, label].float()
    if size is not None:
        chosen = clip(chosen, size)
    solid = (chosen[:, 2:] > chosen[:, :2]).all(1)
    chosen, values, label = chosen[solid], values[solid], label[solid]
    if nms == "soft":
        kept, left = soft_nms(chosen, values, label, lowest=score, limit=limit)
    else:
        kept = nms_by_class(chosen, values, label, nms)[:limit]
        left = values[kept]
    return {"boxes": chosen[kept], "labels": label[kept], "scores": left}


def select_all(
    candidates: tuple[Tensor, Tensor], sizes: Sizes | None, *, score: float, nms: Overlap, limit: int
) -> list[Found]:
    """`select` for a batch: boxes (N, A, 4) and scores (N, A, C)."""
    boxes, scores = candidates
    each = sizes if sizes is not None else [None] * len(boxes)
    return [
        select(own, values, size, score=score, nms=nms, limit=limit)
        for own, values, size in zip(boxes, scores, each, strict=True)
    ]
