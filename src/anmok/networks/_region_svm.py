"""R-CNN and SPPnet after their features: fine-tuning by classes, then SVMs and box regression in closed form.

    net(pictures, targets).losses …          first, by descent: features and a softmax over classes and background
    net.solves["svm"](passes)                then one SVM a class, on the last but one dense layer
    net.solves["boxes"](passes)              then box regression, on the pooled map

`passes()` gives a fresh pass over the training pictures each time it is called: pairs of (outputs, targets), the
outputs those of `net(pictures, with_objects(targets))` in evaluation. Until they are solved, the softmax answers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anmok.core.boxes import decode, encode, iou
from anmok.networks._closed_form import BoxRidge, Floats, Mined, SVMHead
from anmok.networks._detector import Found, Overlap, Sizes, Target, check_targets, select
from anmok.networks._interface import Accepts
from anmok.networks._region_heads import choose
from anmok.networks.fast_rcnn import given_regions


class RegionFeatures(NamedTuple):
    """What R regions of a batch look like to the network."""

    logits: Tensor  # (R, C + 1), background first
    vectors: Tensor  # (R, D): the last but one dense layer
    pooled: Tensor  # (R, P): the last map
    regions: tuple[Tensor, ...]  # (R_i, 4) a picture
    labels: Tensor | None = None  # int64 (R,), while training: 0 background, class + 1


Passes = Callable[[], Iterable[tuple[RegionFeatures, Sequence[Target]]]]


def with_objects(targets: Sequence[Target]) -> list[dict[str, Tensor]]:
    """The same targets with the objects' own boxes as their last regions: the SVMs' positives."""
    return [{**target, "regions": torch.cat([target["regions"], target["boxes"]]).float()} for target in targets]


class RegionSVM(nn.Module):
    """Features of regions, a softmax to train them, SVMs and box regression to answer.

    Args:
        accepts: the input.
        features: (pictures, regions) → for every region its last map (R, …), the vector before the last dense layer
            (R, vector), and its logits (R, C + 1), background first; `heads` names the layers that give these, and
            `at_once`, where it has that, is `Detector`'s `regions_at_once`.
        num_classes: C.
        pooled: numbers in a region's last map.
        vector: numbers before the last dense layer.
        lowest: IoU with an object that background regions need while fine-tuning.
        close: IoU with an object from which a region teaches the box regression (exclusive).
        ridge: λ of that.
    """

    takes_regions = True
    count, positives = 64, 0.25  # regions a picture that learn (128 of two pictures), and the objects' share

    def __init__(
        self,
        accepts: Accepts,
        features: Any,
        num_classes: int,
        *,
        pooled: int,
        vector: int,
        lowest: float,
        close: float,
        ridge: float,
    ) -> None:
        super().__init__()
        self.accepts, self.num_classes, self.features = accepts, num_classes, features
        self.svm, self.ridge = SVMHead(vector, num_classes), BoxRidge(pooled, num_classes)
        self.lowest, self.close, self.strength = lowest, close, ridge
        self.heads = tuple(f"features.{name}" for name in features.heads)
        self.regions_at_once = getattr(features, "at_once", None)

    @property
    def solves(self) -> Mapping[str, Callable[[Passes], dict[str, float]]]:
        """What is fitted after descent, in order."""
        return {"svm": self.fit_svm, "boxes": self.fit_boxes}

    def forward(self, pictures: Tensor, targets: Sequence[Target] | None = None) -> RegionFeatures:
        """(N, C, H, W) and the targets' regions → their features; while training, of a sample of them."""
        self.accepts.check(pictures)
        regions, labels = given_regions(pictures, targets), None
        if self.training and targets is not None and "labels" in targets[0]:
            check_targets(targets, len(pictures), self.num_classes)
            chosen = choose(regions, targets, count=self.count, positives=self.positives, lowest=self.lowest)
            regions, labels = list(chosen.regions), torch.cat(chosen.labels)
        pooled, vectors, logits = self.features(pictures, regions)
        return RegionFeatures(logits, vectors, pooled.flatten(1), tuple(regions), labels)

    def losses(self, outputs: RegionFeatures, targets: Sequence[Target]) -> dict[str, Tensor]:
        """`classes`: the log loss of fine-tuning."""
        assert outputs.labels is not None
        return {"classes": F.cross_entropy(outputs.logits.float(), outputs.labels)}

    def candidates(self, outputs: RegionFeatures) -> tuple[Tensor, Tensor]:
        """Boxes (R, C, 4) and scores (R, C) before suppression: 1 / (1 + exp(-margin)), or the softmax's."""
        return self._read(outputs.pooled, outputs.vectors, outputs.logits, torch.cat(outputs.regions))

    def candidates_at(self, pictures: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        """See `Detector`: `candidates` of regions (R, 5), the number of its picture before each."""
        pooled, vectors, logits = self.features(pictures, regions)
        return self._read(pooled.flatten(1), vectors, logits, regions[:, 1:])

    def _read(self, pooled: Tensor, vectors: Tensor, logits: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        if self.ridge.solved:
            boxes = decode(self.ridge(pooled), regions[:, None])
        else:
            boxes = regions[:, None].expand(-1, self.num_classes, -1)
        if self.svm.solved:
            return boxes, self.svm(vectors).sigmoid()
        return boxes, logits.float().softmax(1)[:, 1:]

    @torch.no_grad()
    def detect(
        self, outputs: RegionFeatures, sizes: Sizes | None = None, *, score: float = 0.05, nms: Overlap = 0.3,
        limit: int = 100,
    ) -> list[Found]:  # fmt: skip
        """See `Detector.detect`."""
        counts = [len(own) for own in outputs.regions]
        boxes, scores = self.candidates(outputs)
        each = sizes if sizes is not None else [None] * len(counts)
        return [
            select(own, values, size, score=score, nms=nms, limit=limit)
            for own, values, size in zip(boxes.split(counts), scores.split(counts), each, strict=True)
        ]

    @torch.no_grad()
    def fit_svm(self, passes: Passes) -> dict[str, float]:
        """A linear SVM a class: objects' own boxes are positives, regions far from them negatives, mined."""
        positives: list[list[Floats]] = [[] for _ in range(self.num_classes)]
        lengths = []
        for vectors, _, target in _by_picture(passes(), "vectors"):
            lengths.append(np.linalg.norm(vectors, axis=1))
            own = vectors[len(vectors) - len(target["labels"]) :]
            for vector, label in zip(own, target["labels"].tolist(), strict=True):
                positives[label].append(vector)
        stacked = [np.stack(own) if own else np.zeros((0, self.svm.weight.shape[1])) for own in positives]
        seen = (
            Mined(vectors, _overlap_by_class(target, regions, self.num_classes))
            for vectors, regions, target in _by_picture(passes(), "vectors")
        )
        return self.svm.fit(stacked, seen, float(np.concatenate(lengths).mean()))

    @torch.no_grad()
    def fit_boxes(self, passes: Passes) -> dict[str, float]:
        """Ridge regression of box deltas a class, from regions that overlap an object by more than `close`."""
        examples: list[list[tuple[Floats, Floats]]] = [[] for _ in range(self.num_classes)]
        lengths = []
        for pooled, regions, target in _by_picture(passes(), "pooled"):
            lengths.append(np.linalg.norm(pooled, axis=1))
            if not len(target["boxes"]):
                continue
            boxes = target["boxes"].float()
            overlap, owner = iou(boxes, regions).max(0)
            deltas = encode(boxes[owner], regions).cpu().numpy()
            labels = target["labels"][owner].tolist()
            for place in (overlap > self.close).nonzero().flatten().tolist():
                examples[labels[place]].append((pooled[place], deltas[place]))
        stacked = [
            (np.stack([one for one, _ in own]), np.stack([two for _, two in own])) if own else _nothing(self.ridge)
            for own in examples
        ]
        return self.ridge.fit(stacked, float(np.concatenate(lengths).mean()), self.strength)


def _nothing(ridge: BoxRidge) -> tuple[Floats, Floats]:
    return np.zeros((0, ridge.weight.shape[-1])), np.zeros((0, 4))


def _by_picture(
    batches: Iterable[tuple[RegionFeatures, Sequence[Target]]], part: str
) -> Iterator[tuple[Floats, Tensor, Target]]:
    """Each picture's features (R_i, D) as float32, its regions (R_i, 4), its target."""
    for outputs, targets in batches:
        counts = [len(own) for own in outputs.regions]
        features = getattr(outputs, part).float().cpu().split(counts)
        for own, regions, target in zip(features, outputs.regions, targets, strict=True):
            if len(own):
                yield own.numpy(), regions, target


def _overlap_by_class(target: Target, regions: Tensor, num_classes: int) -> Floats:
    """The largest IoU of each region with an object of each class: (R, C)."""
    overlaps = iou(target["boxes"].float(), regions)
    best = regions.new_zeros(num_classes, len(regions))
    best = best.scatter_reduce(0, target["labels"][:, None].expand_as(overlaps), overlaps, "amax")
    return best.T.cpu().numpy()
