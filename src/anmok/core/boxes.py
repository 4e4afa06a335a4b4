"""Boxes: overlaps, regression targets, clipping, and the suppression of duplicates.

The currency is xyxy in absolute pixels, half-open, float32: a box [10, 10, 20, 20] is 10 pixels wide. The Caffe family
(R-CNN, Fast and Faster R-CNN as released) stores the last pixel that still belongs to the box, so that the same box is
[10, 10, 19, 19] and its width 19 − 10 + 1. Functions that need to know take `inclusive=True` for such boxes.

Everything here is arithmetic on tensors and works on any device; torchvision is imported where its compiled
suppression is used, so that importing this file costs nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from anmok.core.errors import UsageError

LARGEST_GROWTH = math.log(1000 / 16)  # of a box over its reference: keeps exp() finite, as Fast R-CNN's heirs agree
SIGMA = 0.5  # of soft suppression's decay, as its paper recommends
Deltas4 = tuple[float, float, float, float]


def check(boxes: Tensor, what: str = "boxes") -> Tensor:
    """`boxes` unchanged, or the error that says what does not fit: (…, 4), floating."""
    if boxes.ndim < 1 or boxes.shape[-1] != 4 or not boxes.is_floating_point():
        raise UsageError(
            f"{what} are not boxes",
            got=f"{str(boxes.dtype).removeprefix('torch.')} {tuple(boxes.shape)}",
            allowed="float (…, 4): left, top, right, bottom in pixels",
        )
    return boxes


def area(boxes: Tensor, inclusive: bool = False) -> Tensor:
    """Square pixels (…,) of boxes (…, 4); a box turned inside out has none.

    >>> area(torch.tensor([10.0, 10.0, 20.0, 30.0]))
    tensor(200.)
    """
    return (boxes[..., 2:] - boxes[..., :2] + float(inclusive)).clamp(min=0).prod(-1)


def paired_iou(a: Tensor, b: Tensor, inclusive: bool = False) -> Tensor:
    """Intersection over union of each box of `a` with its partner in `b`, which may broadcast: (…, 4) → (…,).

    Two boxes without area overlap by 0.

    >>> paired_iou(torch.tensor([0.0, 0.0, 2.0, 2.0]), torch.tensor([1.0, 0.0, 3.0, 2.0]))   # 2 of 6
    tensor(0.3333)
    """
    shared = torch.minimum(a[..., 2:], b[..., 2:]) - torch.maximum(a[..., :2], b[..., :2]) + float(inclusive)
    intersection = shared.clamp(min=0).prod(-1)
    union = area(a, inclusive) + area(b, inclusive) - intersection
    return intersection / union.clamp(min=torch.finfo(union.dtype).tiny)


def iou(a: Tensor, b: Tensor, inclusive: bool = False) -> Tensor:
    """Intersection over union of every box of `a` (N, 4) with every box of `b` (M, 4): (N, M)."""
    return paired_iou(check(a)[:, None], check(b)[None], inclusive)


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes (…, 4) cut off at the edges of a picture of `size` (height, width)."""
    height, width = size
    return torch.stack(
        [
            boxes[..., 0].clamp(0, width),
            boxes[..., 1].clamp(0, height),
            boxes[..., 2].clamp(0, width),
            boxes[..., 3].clamp(0, height),
        ],
        -1,
    )


def encode(
    boxes: Tensor,
    references: Tensor,
    *,
    means: Deltas4 = (0, 0, 0, 0),
    stds: Deltas4 = (1, 1, 1, 1),
    inclusive: bool = False,
) -> Tensor:
    """What to regress to turn `references` (anchors, proposals) into `boxes`: (…, 4) → (…, 4).

    R-CNN's four numbers (Girshick et al. 2014, appendix C): how far the centre moves in widths and heights of the
    reference, and the logarithms of how much wider and taller the box is; then (value − mean) / std each.

    >>> encode(torch.tensor([10.0, 10.0, 110.0, 110.0]), torch.tensor([0.0, 0.0, 100.0, 100.0]))
    tensor([0.1000, 0.1000, 0.0000, 0.0000])
    """
    size, centre = _size_and_centre(boxes, inclusive)
    own_size, own_centre = _size_and_centre(references, inclusive)
    deltas = torch.cat([(centre - own_centre) / own_size, (size / own_size).log()], -1)
    return (deltas - deltas.new_tensor(means)) / deltas.new_tensor(stds)


def decode(
    deltas: Tensor,
    references: Tensor,
    *,
    means: Deltas4 = (0, 0, 0, 0),
    stds: Deltas4 = (1, 1, 1, 1),
    inclusive: bool = False,
) -> Tensor:
    """The inverse of `encode`: regressed numbers and their references → boxes, (…, 4) each, broadcasting.

    Growth is limited to `LARGEST_GROWTH`, so that an untrained network gives no infinite boxes.
    """
    deltas = deltas * deltas.new_tensor(stds) + deltas.new_tensor(means)
    own_size, own_centre = _size_and_centre(references, inclusive)
    centre = own_centre + deltas[..., :2] * own_size
    half = own_size * deltas[..., 2:].clamp(max=LARGEST_GROWTH).exp() / 2
    return torch.cat([centre - half, centre + half - float(inclusive)], -1)


def _size_and_centre(boxes: Tensor, inclusive: bool) -> tuple[Tensor, Tensor]:
    size = boxes[..., 2:] - boxes[..., :2] + float(inclusive)
    return size, boxes[..., :2] + size / 2


def nms(boxes: Tensor, scores: Tensor, threshold: float, inclusive: bool = False) -> Tensor:
    """Greedy non-maximum suppression: which boxes stay, int64 (K,), the best score first.

    A box goes where a better one overlaps it by *more* than `threshold`; at equality it stays.

    Args:
        boxes: (M, 4).
        scores: (M,).
        threshold: intersection over union, in [0, 1].
        inclusive: see the head of this file.
    """
    import torchvision

    if inclusive:
        boxes = boxes + boxes.new_tensor([0, 0, 1, 1])
    return torchvision.ops.nms(check(boxes).float(), scores.float(), threshold)


def nms_by_class(boxes: Tensor, scores: Tensor, labels: Tensor, threshold: float) -> Tensor:
    """`nms` within each class: boxes of two classes never suppress each other. `labels` int64 (M,)."""
    import torchvision

    return torchvision.ops.batched_nms(check(boxes).float(), scores.float(), labels, threshold)


def soft_nms(
    boxes: Tensor,
    scores: Tensor,
    labels: Tensor | None = None,
    *,
    sigma: float | None = SIGMA,
    threshold: float = 0.3,
    lowest: float = 1e-3,
    limit: int | None = None,
) -> tuple[Tensor, Tensor]:
    """Soft non-maximum suppression (Bodla et al. 2017): overlapped boxes lose score instead of life.

    Args:
        boxes: (M, 4).
        scores: (M,) in [0, 1].
        labels: int64 (M,): boxes of two classes leave each other alone; None: all are of one class.
        sigma: of the Gaussian decay exp(−IoU² / σ); None: the linear decay 1 − IoU above `threshold`.
        threshold: of the linear decay only.
        lowest: boxes whose score falls below are dropped.
        limit: the most boxes that stay; None: all.

    Returns:
        Which boxes stay, int64 (K,), the best decayed score first; and those scores (K,).
    """
    scores = scores.float().clone()
    waiting = torch.ones_like(scores, dtype=torch.bool)
    kept: list[int] = []
    for _ in range(len(scores) if limit is None else min(limit, len(scores))):
        best = int(torch.where(waiting, scores, -torch.inf).argmax())
        if scores[best] < lowest:
            break
        kept.append(best)
        waiting[best] = False
        overlap = iou(boxes[best : best + 1], boxes)[0]
        if labels is not None:
            overlap = overlap * (labels == labels[best])
        linear = torch.where(overlap > threshold, 1 - overlap, 1.0)
        decay = linear if sigma is None else torch.exp(-overlap.square() / sigma)
        scores = torch.where(waiting, scores * decay, scores)
    chosen = torch.tensor(kept, dtype=torch.int64, device=boxes.device)
    return chosen, scores[chosen]
