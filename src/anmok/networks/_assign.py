"""Which points of a dense detector should answer for which object: task-aligned assignment.

Feng, Zhong, Gao, Scott, Huang: TOOD: Task-aligned One-stage Object Detection, ICCV 2021 (arXiv:2108.07755). A point is
a good answer if it is good at both tasks at once, naming the object and placing its box: alignment = p^α · IoU^β. Each
object takes its best points, and their target is not 1 but how well they are aligned, so that the score of a box
learns to say how well the box lies.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from anmok.core.boxes import paired_iou

NEAR = 1.0  # strides from an object's centre within which points may answer even where the object is smaller


class Assigned(NamedTuple):
    """For every point: whether it answers for an object, which of the picture's it is, and how well it is aligned."""

    positive: Tensor  # bool (N, A)
    owner: Tensor  # int64 (N, A): index among the picture's objects; 0 where not positive
    quality: Tensor  # float32 (N, A): in [0, 1], 0 where not positive


@torch.no_grad()
def align(
    probabilities: Tensor,
    boxes: Tensor,
    points: Tensor,
    strides: Tensor,
    truths: tuple[Tensor, Tensor, Tensor],
    *,
    take: int = 10,
    alpha: float = 1.0,
    beta: float = 6.0,
) -> Assigned:
    """Assign points to objects.

    Args:
        probabilities: of each class at each point (N, A, C).
        boxes: answered boxes (N, A, 4), pixels.
        points: centres of the points' cells (A, 2), pixels.
        strides: of the map each point belongs to (A,), pixels.
        truths: boxes (N, M, 4), labels (N, M), and which of the M are real, bool (N, M).
        take: points an object takes at most.
        alpha, beta: exponents of probability and IoU.
    """
    true_boxes, labels, taken = truths
    many = labels.shape[1]
    scores = probabilities.transpose(1, 2).gather(1, labels[:, :, None].expand(-1, -1, len(points)))  # N, M, A
    overlaps = paired_iou(true_boxes[:, :, None], boxes[:, None])  # N, M, A
    allowed = _within_reach(true_boxes, points, strides) & taken[:, :, None]
    alignment = (scores.pow(alpha) * overlaps.pow(beta)).masked_fill(~allowed, 0.0)

    best, places = alignment.topk(min(take, len(points)), dim=2)
    chosen = torch.zeros_like(allowed).scatter_(2, places, best > 0)
    rivals = torch.where(chosen, overlaps, -1.0)
    owner = rivals.argmax(1)  # N, A: of the objects that want a point, the one it lies on best
    chosen &= torch.arange(many, device=owner.device)[None, :, None] == owner[:, None]

    # Each object's best point gets the object's best IoU as its target, the others proportionally less.
    alignment, overlaps = alignment * chosen, overlaps * chosen
    best_alignment, best_overlap = alignment.amax(2, keepdim=True), overlaps.amax(2, keepdim=True)
    quality = alignment / best_alignment.clamp(min=torch.finfo(alignment.dtype).tiny) * best_overlap
    positive = chosen.any(1)
    return Assigned(positive, torch.where(positive, owner, 0), quality.amax(1))


def _within_reach(boxes: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """Whether points (A, 2) lie in boxes (N, M, 4), or near the centre of one too small to hold a point: (N, M, A)."""
    half = (boxes[..., 2:] - boxes[..., :2]) / 2
    centre = boxes[..., :2] + half
    away = (points - centre[:, :, None]).abs()  # N, M, A, 2
    return (away < torch.maximum(half[:, :, None], NEAR * strides[:, None])).all(-1)
