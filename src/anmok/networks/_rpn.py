"""The region proposal network: where something is, whatever it is.

Ren, He, Girshick, Sun: Faster R-CNN, NIPS 2015 (arXiv:1506.01497). A 3×3 convolution slides over the maps; at every
cell and for each of its anchors it tells how likely an object is there and how the anchor should be moved. Module names
as in torchvision's weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anmok.core.boxes import clip, decode, encode, iou, nms, nms_by_class
from anmok.networks._anchors import over_map
from anmok.networks._detector import Target
from anmok.networks._matching import BACKGROUND, IGNORED, match, sample

BETA = 1 / 9  # of the smooth L1 loss, σ = 3
SAMPLED, POSITIVES = 256, 0.5  # anchors of a picture that learn, and at most this share of them positive
SUPPRESSED = -1.0  # below every score
HIGH, LOW = 0.7, 0.3  # IoU from which an anchor is an object, below which it is background


class Proposed(NamedTuple):
    """Answers for all A anchors of all levels."""

    objectness: Tensor  # (N, A) logits
    deltas: Tensor  # (N, A, 4)
    anchors: Tensor  # (A, 4)
    learns: Tensor  # bool (A,): False where an anchor crosses the picture's edge and therefore does not learn


class RPNHead(nn.Module):
    """Maps (N, C, H, W) → objectness (N, H·W·K) and deltas (N, H·W·K, 4), K anchors a cell.

    `ways`: 1 logit an anchor (torchvision), or 2 as published, whose difference is that logit.
    """

    def __init__(self, channels: int, width: int, anchors: int, ways: int) -> None:
        super().__init__()
        self.ways = ways
        self.conv = nn.Sequential(
            nn.Sequential(nn.Conv2d(channels, width, kernel_size=3, padding=1), nn.ReLU(inplace=True))
        )
        self.cls_logits = nn.Conv2d(width, anchors * ways, kernel_size=1)
        self.bbox_pred = nn.Conv2d(width, anchors * 4, kernel_size=1)
        for module in (self.conv[0][0], self.cls_logits, self.bbox_pred):  # type: ignore[index]
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See above."""
        seen = self.conv(x)
        logits = self.cls_logits(seen)
        if self.ways == 2:  # first all anchors' background, then all anchors' object
            background, thing = logits.chunk(2, dim=1)
            logits = thing - background
        logits, deltas = (x.permute(0, 2, 3, 1).flatten(1) for x in (logits, self.bbox_pred(seen)))
        return logits, deltas.unflatten(1, (-1, 4))


class RegionProposals(nn.Module):
    """The head, its anchors, and the rules by which answers become proposals.

    Args:
        head: slides over every level.
        shapes: anchors of the first cell, one tensor (K, 4) a level.
        strides: pixels from one cell to the next, a level each; None: picture size over map size, rounded down, as
            torchvision has it.
        within: anchors that cross the picture's edge do not learn (published), or do (torchvision).
        before: proposals a level that go into suppression, in training and in evaluation.
        after: proposals a picture that come out of it, likewise.
        smallest: width and height below which proposals are dropped, pixels.
    """

    overlap = 0.7  # above which the worse of two proposals is suppressed

    def __init__(
        self,
        head: RPNHead,
        shapes: Sequence[Tensor],
        strides: Sequence[int] | None,
        *,
        within: bool,
        before: tuple[int, int],
        after: tuple[int, int],
        smallest: float,
    ) -> None:
        super().__init__()
        self.head, self.shapes, self.strides, self.within = head, list(shapes), strides, within
        self.before, self.after, self.smallest = before, after, smallest

    def forward(self, maps: Sequence[Tensor], size: tuple[int, int]) -> tuple[list[Tensor], Proposed]:
        """Maps of a picture of `size` (height, width) → proposals (R_i, 4) a picture, best first; and all answers."""
        proposed, counts = self._answers(maps, size)
        return self.propose(proposed, counts, size), proposed

    def _answers(self, maps: Sequence[Tensor], size: tuple[int, int]) -> tuple[Proposed, list[int]]:
        """All anchors' answers, and how many of them each level has."""
        answers = [self.head(x) for x in maps]
        anchors = [self._anchors(i, x, size) for i, x in enumerate(maps)]
        counts = [len(own) for own in anchors]
        boxes = torch.cat(anchors)
        crossing = (clip(boxes, size) != boxes).any(1)
        proposed = Proposed(
            torch.cat([logits for logits, _ in answers], 1).float(),
            torch.cat([deltas for _, deltas in answers], 1).float(),
            boxes,
            ~crossing if self.within else torch.ones_like(crossing),
        )
        return proposed, counts

    def _anchors(self, level: int, x: Tensor, size: tuple[int, int]) -> Tensor:
        rows, columns = x.shape[2:]
        stride = (size[0] // rows, size[1] // columns) if self.strides is None else (self.strides[level],) * 2
        return over_map(self.shapes[level].to(x.device), rows, columns, stride)

    @torch.no_grad()
    def propose(self, answers: Proposed, counts: Sequence[int], size: tuple[int, int]) -> list[Tensor]:
        """The best boxes of every picture, duplicates suppressed within each level."""
        before, after = (numbers[0 if self.training else 1] for numbers in (self.before, self.after))
        boxes = decode(answers.deltas, answers.anchors)
        found = []
        for own, logits in zip(boxes, answers.objectness, strict=True):
            chosen, start = [], 0
            for count in counts:
                ranks = logits[start : start + count].sort(descending=True, stable=True).indices  # ties: the first
                chosen.append(start + ranks[:before])
                start += count
            level = torch.cat([torch.full_like(part, i) for i, part in enumerate(chosen)])
            best = torch.cat(chosen)
            corners, scores = clip(own[best], size), logits[best].sigmoid()
            large = (corners[:, 2:] - corners[:, :2] >= self.smallest).all(1)
            corners, scores, level = corners[large], scores[large], level[large]
            found.append(corners[nms_by_class(corners, scores, level, self.overlap)[:after]])
        return found

    @torch.no_grad()
    def as_many(self, maps: Sequence[Tensor], size: tuple[int, int]) -> Tensor:
        """The proposals of evaluation, as many for every picture: (N, R, 4), best first, then empty boxes.

        For graphs, whose shapes cannot follow what is in a picture.
        """
        answers, counts = self._answers(maps, size)
        corners = clip(decode(answers.deltas, answers.anchors), size)
        boxes, scores = [], []
        for own, logits in zip(corners.split(counts, 1), answers.objectness.split(counts, 1), strict=True):
            if logits.shape[1] > self.before[1]:  # where all fit, suppression brings them into order
                logits, best = logits.topk(self.before[1])
                own = _rows(own, best)
            large = (own[..., 2:] - own[..., :2]).amin(2) >= self.smallest
            values = torch.where(large, logits.sigmoid(), SUPPRESSED)
            boxes.append(own)
            scores.append(Survivors.apply(own, values, self.overlap, self.before[1]))
        values, best = torch.cat(scores, 1).topk(min(self.after[1], sum(own.shape[1] for own in scores)))
        return _rows(torch.cat(boxes, 1), best) * (values >= 0)[..., None]


def _rows(boxes: Tensor, places: Tensor) -> Tensor:
    """Boxes (N, A, 4) at places (N, K): (N, K, 4)."""
    return boxes.gather(1, places[..., None].expand(-1, -1, 4))


class Survivors(torch.autograd.Function):
    """Greedy suppression where shapes must stay: boxes (N, K, 4) and scores (N, K) → the scores of those that stay.

    The others, and what comes with a score below 0, score `SUPPRESSED`. `most` is not below K.
    """

    @staticmethod
    def forward(ctx: Any, boxes: Tensor, scores: Tensor, threshold: float, most: int) -> Tensor:
        """See above."""
        found = torch.full_like(scores, SUPPRESSED)
        for own, values, kept in zip(boxes, scores, found, strict=True):
            stays = nms(own, values, threshold)
            kept[stays] = values[stays]
        return found

    @staticmethod
    def symbolic(g: Any, boxes: Any, scores: Any, threshold: float, most: int) -> Any:
        """The same in ONNX's operators."""

        def constant(value: Any) -> Any:
            return g.op("Constant", value_t=torch.tensor(value))

        by_class = g.op("Unsqueeze", scores, constant([1]))  # one class: (N, 1, K)
        limits = constant([most]), constant([threshold]), constant([SUPPRESSED / 2])
        stays = g.op("NonMaxSuppression", boxes, by_class, *limits)  # (stays, 3): picture, class, box
        places = g.op("Gather", stays, constant([0, 2]), axis_i=1)
        nothing = g.op("ConstantOfShape", g.op("Shape", scores), value_t=torch.tensor([SUPPRESSED]))
        found = g.op("ScatterND", nothing, places, g.op("GatherND", scores, places))
        found.setType(scores.type().with_sizes([None, None]))  # else the number of pictures would be taken for fixed
        return found


def rpn_labels(anchors: Tensor, boxes: Tensor, learns: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """What anchors (A, 4) should answer for the objects `boxes` (M, 4) of one picture; `learns` as in `Proposed`.

    Returns:
        Labels int64 (A,): 1 object, 0 background, -1 ignored; and the object's box for each anchor (A, 4).
    """
    learns = torch.ones_like(anchors[:, 0], dtype=torch.bool) if learns is None else learns
    overlaps = iou(boxes, anchors).masked_fill(~learns, -1.0)  # who does not learn is nobody's best either
    matched = torch.where(learns, match(overlaps, HIGH, LOW, best_too=True), IGNORED)
    labels = torch.where(matched >= 0, 1, torch.where(matched == BACKGROUND, 0, -1))
    wanted = boxes[matched.clamp(min=0)] if len(boxes) else torch.zeros_like(anchors)
    return labels, wanted


def rpn_losses(answers: Proposed, targets: Sequence[Target]) -> dict[str, Tensor]:
    """The paper's equation 1: cross entropy of the sampled anchors, smooth L1 (σ = 3) of those that are objects.

    Both are divided by the number of sampled anchors of the batch.
    """
    entropy, apart, count = [], [], 0
    for logits, deltas, target in zip(answers.objectness, answers.deltas, targets, strict=True):
        labels, wanted = rpn_labels(answers.anchors, target["boxes"].float(), answers.learns)
        yes, no = sample(labels == 1, labels == 0, SAMPLED, POSITIVES)
        both = torch.cat([yes, no])
        entropy.append(F.binary_cross_entropy_with_logits(logits[both], labels[both].to(logits.dtype), reduction="sum"))
        goal = encode(wanted[yes], answers.anchors[yes])
        apart.append(F.smooth_l1_loss(deltas[yes], goal, beta=BETA, reduction="sum"))
        count += len(both)
    return {
        "objectness": torch.stack(entropy).sum() / max(1, count),
        "proposals": torch.stack(apart).sum() / max(1, count),
    }
