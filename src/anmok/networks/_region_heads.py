"""What happens to a region once it is chosen: pooled, named, and its box corrected. Fast R-CNN's half of the family.

Girshick: Fast R-CNN, ICCV 2015 (arXiv:1504.08083). Module names as in torchvision's weights.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anmok.core.boxes import decode, encode, iou
from anmok.networks._detector import Found, Overlap, Sizes, Target, select
from anmok.networks._matching import match, sample
from anmok.networks._regions import Regions, numbered

STDS = (0.1, 0.1, 0.2, 0.2)  # of box deltas, as Faster R-CNN fixes them
OBJECT = 0.5  # IoU from which a region is an object

Pool = Callable[[Sequence[Tensor], Regions], Tensor]


class RegionAnswers(NamedTuple):
    """Answers for R regions of a batch, and in training what they should have been."""

    logits: Tensor  # (R, C + 1), background first
    deltas: Tensor  # (R, C + 1, 4), normalised
    regions: tuple[Tensor, ...]  # (R_i, 4) a picture
    labels: Tensor | None = None  # int64 (R,): 0 background, class + 1
    wanted: Tensor | None = None  # (R, 4): deltas, normalised; meaningless where background


class Chosen(NamedTuple):
    """Regions that learn, a tensor a picture each."""

    regions: tuple[Tensor, ...]  # (R_i, 4)
    labels: tuple[Tensor, ...]  # int64 (R_i,): 0 background, class + 1
    owners: tuple[Tensor, ...]  # int64 (R_i,): which of the picture's objects; 0 where background


@torch.no_grad()
def choose(
    regions: Sequence[Tensor], targets: Sequence[Target], *, count: int, positives: float, lowest: float
) -> Chosen:
    """Sample regions of each picture to learn from. The objects' own boxes take part.

    Args:
        regions: proposals (R_i, 4).
        targets: objects.
        count: regions a picture, at most.
        positives: at most this share of them overlaps an object by `OBJECT` or more.
        lowest: the others overlap one by at least this.
    """
    parts = []
    for own, target in zip(regions, targets, strict=True):
        boxes = target["boxes"].float()
        own = torch.cat([own.to(boxes), boxes])
        overlaps = iou(boxes, own)
        matched = match(overlaps, OBJECT, OBJECT)
        best = overlaps.amax(0) if len(boxes) else overlaps.new_zeros(len(own))
        background = (matched < 0) & ((best >= lowest) if len(boxes) else torch.ones_like(matched, dtype=torch.bool))
        yes, no = sample(matched >= 0, background, count, positives)
        both, owner = torch.cat([yes, no]), matched.clamp(min=0)
        named = target["labels"][owner] + 1 if len(boxes) else torch.zeros_like(owner)
        labels = torch.where(matched >= 0, named, 0)
        parts.append((own[both], labels[both], owner[both]))
    return Chosen(*(tuple(column) for column in zip(*parts, strict=True)))


class DenseHead(nn.Module):
    """Two dense layers. (R, C, h, w) → (R, hidden)."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.fc6, self.fc7 = nn.Linear(inputs, hidden), nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        """See above."""
        return F.relu(self.fc7(F.relu(self.fc6(x.flatten(1)))))


class Predictor(nn.Module):
    """(R, hidden) → class logits (R, C + 1) and deltas (R, C + 1, 4)."""

    def __init__(self, hidden: int, num_classes: int) -> None:
        super().__init__()
        self.cls_score = nn.Linear(hidden, num_classes + 1)
        self.bbox_pred = nn.Linear(hidden, 4 * (num_classes + 1))
        nn.init.normal_(self.cls_score.weight, std=0.01)
        nn.init.normal_(self.bbox_pred.weight, std=0.001)
        nn.init.zeros_(self.cls_score.bias)
        nn.init.zeros_(self.bbox_pred.bias)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """See above."""
        return self.cls_score(x), self.bbox_pred(x).unflatten(1, (-1, 4))


class RegionHeads(nn.Module):
    """Pooling, dense layers, two sibling answers, and the rules by which regions are sampled and answers read.

    Args:
        box_head: pooled regions → (R, hidden).
        box_predictor: the siblings.
        pool: maps and regions → (R, C, h, w).
        count: regions a picture that learn.
        lowest: IoU with an object that background regions need, in [0, 0.5].
        beta: of the smooth L1 loss.
        measured: the deltas' mean and deviation are measured a class each on the training data (`measure`) and belong
            to the state; else they are 0 and `STDS`.
    """

    positives = 0.25
    means: Tensor
    stds: Tensor

    def __init__(
        self,
        box_head: nn.Module,
        box_predictor: Predictor,
        pool: Pool,
        *,
        count: int,
        lowest: float,
        beta: float,
        measured: bool = False,
    ) -> None:
        super().__init__()
        self.box_head, self.box_predictor, self.pool = box_head, box_predictor, pool
        self.count, self.lowest, self.beta = count, lowest, beta
        classes = box_predictor.cls_score.out_features
        self.register_buffer("means", torch.zeros(classes, 4), persistent=measured)
        self.register_buffer("stds", torch.tensor(STDS).repeat(classes, 1), persistent=measured)

    def forward(self, maps: Sequence[Tensor], regions: Sequence[Tensor]) -> RegionAnswers:
        """Answers for given regions."""
        return RegionAnswers(*self._answers(maps, regions), tuple(regions))

    def choose(self, regions: Sequence[Tensor], targets: Sequence[Target]) -> Chosen:
        """The regions to learn from."""
        return choose(regions, targets, count=self.count, positives=self.positives, lowest=self.lowest)

    def learn(self, maps: Sequence[Tensor], chosen: Chosen, targets: Sequence[Target]) -> RegionAnswers:
        """Answers for chosen regions, and what they should be."""
        labels, regions = torch.cat(chosen.labels), torch.cat(chosen.regions)
        boxes = [
            target["boxes"].float()[owner] if len(target["boxes"]) else own
            for target, owner, own in zip(targets, chosen.owners, chosen.regions, strict=True)
        ]
        wanted = (encode(torch.cat(boxes), regions) - self.means[labels]) / self.stds[labels]
        return self(maps, chosen.regions)._replace(labels=labels, wanted=wanted)

    def losses(self, answers: RegionAnswers) -> dict[str, Tensor]:
        """Fast R-CNN's multi-task loss: log loss of the class, smooth L1 of the true class's deltas, over R regions."""
        assert answers.labels is not None and answers.wanted is not None
        labels, count = answers.labels, max(1, len(answers.labels))
        objects = labels.nonzero().flatten()
        own = answers.deltas[objects, labels[objects]]
        return {
            "classes": F.cross_entropy(answers.logits, labels, reduction="sum") / count,
            "boxes": F.smooth_l1_loss(own, answers.wanted[objects], beta=self.beta, reduction="sum") / count,
        }

    def candidates(self, answers: RegionAnswers) -> tuple[Tensor, Tensor]:
        """Every class's own box (R, C, 4) and score (R, C) before suppression; background is left out."""
        return self._read(answers.logits, answers.deltas, torch.cat(answers.regions))

    def candidates_at(self, maps: Sequence[Tensor], regions: Tensor) -> tuple[Tensor, Tensor]:
        """`candidates` of regions (R, 5), the number of its picture before each. For graphs."""
        return self._read(*self._answers(maps, regions), regions[:, 1:])

    def candidates_of(self, maps: Sequence[Tensor], regions: Tensor) -> tuple[Tensor, Tensor]:
        """`candidates` of as many regions (N, R, 4) for every picture: (N, R, C, 4) and (N, R, C). For graphs."""
        boxes, scores = self.candidates_at(maps, numbered(regions))
        many = (-1, regions.shape[1])
        return boxes.unflatten(0, many), scores.unflatten(0, many)

    def _answers(self, maps: Sequence[Tensor], regions: Regions) -> tuple[Tensor, Tensor]:
        logits, deltas = self.box_predictor(self.box_head(self.pool(maps, regions)))
        return logits.float(), deltas.float()

    def _read(self, logits: Tensor, deltas: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        return decode(deltas * self.stds + self.means, regions[:, None])[:, 1:], logits.softmax(1)[:, 1:]

    def detect(
        self, answers: RegionAnswers, sizes: Sizes | None, *, score: float, nms: Overlap, limit: int
    ) -> list[Found]:
        """Final answers a picture."""
        counts = [len(own) for own in answers.regions]
        boxes, scores = self.candidates(answers)
        each = sizes if sizes is not None else [None] * len(counts)
        return [
            select(own, values, size, score=score, nms=nms, limit=limit)
            for own, values, size in zip(boxes.split(counts), scores.split(counts), each, strict=True)
        ]

    @torch.no_grad()
    def measure(self, pictures: Iterable[Target]) -> dict[str, float]:
        """Learn the deltas' mean and deviation of every class from targets with `regions`, as Fast R-CNN does.

        Over all regions that overlap an object by `OBJECT` or more. A class without any keeps 0 and `STDS`.
        """
        count = torch.zeros(len(self.means), 1, dtype=torch.float64)
        total, squares = (
            torch.zeros(len(count), 4, dtype=torch.float64),
            torch.zeros(len(count), 4, dtype=torch.float64),
        )
        for target in pictures:
            if not len(target["boxes"]):
                continue
            regions, boxes = torch.cat([target["regions"], target["boxes"]]).float(), target["boxes"].float()
            owner = match(iou(boxes, regions), OBJECT, OBJECT)
            mine = owner >= 0
            labels = (target["labels"][owner[mine]] + 1).cpu()
            deltas = encode(boxes[owner[mine]], regions[mine]).double().cpu()
            count.index_add_(0, labels, torch.ones(len(labels), 1, dtype=torch.float64))
            total.index_add_(0, labels, deltas)
            squares.index_add_(0, labels, deltas.square())
        seen = count.flatten() > 1
        means = total[seen] / count[seen]
        self.means[seen] = means.to(self.means)
        self.stds[seen] = (squares[seen] / count[seen] - means.square()).clamp(min=1e-8).sqrt().to(self.stds)
        return {"regions": float(count.sum())}
