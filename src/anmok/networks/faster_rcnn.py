"""Faster R-CNN (Ren, He, Girshick, Sun: Faster R-CNN, NIPS 2015), as its authors released it.

A region proposal network on the map that the detector reads makes the proposals; the rest is Fast R-CNN. VGG-16, nine
anchors a cell, trained end to end. (N, 3, H, W) → up to 300 regions a picture, named and corrected.
`fasterrcnn_resnet50_fpn` is the form with a feature pyramid.

Initialisation: the encoder's own; proposals and classes N(0, 0.01²), boxes N(0, 0.001²), biases 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks import published
from anmok.networks._anchors import published as published_anchors
from anmok.networks._card import Card, Paper, about
from anmok.networks._detector import Found, Overlap, Sizes, Target, check_targets
from anmok.networks._interface import Accepts
from anmok.networks._pretrained import Source, load, wants_published
from anmok.networks._region_encoder import region_encoder
from anmok.networks._region_heads import Predictor, RegionAnswers, RegionHeads
from anmok.networks._regions import pool_one
from anmok.networks._rpn import Proposed, RegionProposals, RPNHead, rpn_losses

PAPER = Paper(
    "Faster R-CNN: Towards Real-Time Object Detection with Region Proposal Networks",
    "Ren, He, Girshick, Sun",
    2015,
    "NIPS",
    "1506.01497",
)
CARD = Card(
    title="Faster R-CNN",
    paper=PAPER,
    idea="Let the network propose its own regions: a small convolution on the shared map says at every cell how likely "
    "an object is and how nine anchor boxes should be moved to fit it.",
    fixed="Proposals by selective search took two seconds a picture and learned nothing. Now they cost ten "
    "milliseconds, are fewer and better, and the whole detector is one network.",
    cost="With VGG-16 137 million parameters, 2.4 million of them in the proposal network.",
    reach_for="Accuracy where time is not short; small objects, with the feature pyramid of fasterrcnn_resnet50_fpn.",
    avoid="Real time on a processor, and minutes of training from scratch: one stage (anchor_free) is quicker at both.",
    differences=(
        "trained end to end, as the released Python program does; the paper alternates in four steps.",
        "what the losses divide by is the batch's, where the released program sees one picture at a time.",
    ),
    natural=600,
    smallest=32,
)


class TwoStage(NamedTuple):
    """Answers of both stages."""

    proposed: Proposed
    regions: RegionAnswers


class FasterRCNN(nn.Module):
    """Maps, proposals, region heads. See `faster_rcnn`."""

    takes_regions = False
    heads = ("roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred")

    def __init__(
        self,
        accepts: Accepts,
        backbone: nn.Module,
        rpn: RegionProposals,
        roi_heads: RegionHeads,
        num_classes: int,
    ) -> None:
        super().__init__()
        self.accepts, self.num_classes = accepts, num_classes
        self.backbone, self.rpn, self.roi_heads = backbone, rpn, roi_heads

    def forward(self, pictures: Tensor, targets: Sequence[Target] | None = None) -> TwoStage:
        """(N, C, H, W) → answers of both stages; while training, for a sample of the proposals."""
        self.accepts.check(pictures)
        size = (pictures.shape[2], pictures.shape[3])
        maps = self.backbone(pictures)
        proposals, proposed = self.rpn(maps[: len(self.rpn.shapes)], size)
        if not self.training or targets is None:
            return TwoStage(proposed, self.roi_heads(maps, proposals))
        check_targets(targets, len(pictures), self.num_classes)
        chosen = self.roi_heads.choose(proposals, targets)
        return TwoStage(proposed, self.roi_heads.learn(maps, chosen, targets))

    def losses(self, outputs: TwoStage, targets: Sequence[Target]) -> dict[str, Tensor]:
        """`objectness` and `proposals` of the first stage, `classes` and `boxes` of the second."""
        return {**rpn_losses(outputs.proposed, targets), **self.roi_heads.losses(outputs.regions)}

    def candidates_of(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """See `Detector`: every class's own box (N, R, C, 4) and score (N, R, C); empty proposals score 0."""
        return candidates_in(self.backbone(pictures), (pictures.shape[2], pictures.shape[3]), self.rpn, self.roi_heads)

    @torch.no_grad()
    def detect(
        self,
        outputs: TwoStage,
        sizes: Sizes | None = None,
        *,
        score: float = 0.05,
        nms: Overlap = 0.5,
        limit: int = 100,
    ) -> list[Found]:
        """See `Detector.detect`."""
        return self.roi_heads.detect(outputs.regions, sizes, score=score, nms=nms, limit=limit)


def candidates_in(
    maps: Sequence[Tensor], size: tuple[int, int], rpn: RegionProposals, roi_heads: RegionHeads
) -> tuple[Tensor, Tensor]:
    """`candidates_of` in the maps of pictures of `size` (height, width)."""
    regions = rpn.as_many(maps[: len(rpn.shapes)], size)
    boxes, scores = roi_heads.candidates_of(maps, regions)
    return boxes, scores * (regions[..., 2] > regions[..., 0])[..., None]


@register("detect network")
@about(CARD)
def faster_rcnn(
    num_classes: int = 20,
    in_channels: int = 3,
    *,
    encoder: str = "vgg16",
    hidden: int | None = None,
    sizes: tuple[float, ...] = (128, 256, 512),
    weights: Source = None,
) -> FasterRCNN:
    """Faster R-CNN as published, on one map.

    Args:
        num_classes: without background.
        in_channels: channels of the pictures.
        encoder: a classification network's name, or `timm:<name>`; also written `faster_rcnn:<encoder>`.
        hidden: numbers in the two dense layers; None: the encoder's own dense layers where it has them, else 1024.
        sizes: of the anchors, pixels; three shapes each. The published ones suit pictures of 600 pixels and more.
        weights: None; `"imagenet"` and the encoder's other published names for a pretrained encoder; or the path of a
            file of the whole network.
    """
    pretrained = wants_published(weights, published(encoder))
    backbone, box_head, width, side = region_encoder(encoder, in_channels, hidden, weights if pretrained else None)
    shapes = published_anchors(sizes)
    rpn = RegionProposals(
        RPNHead(backbone.channels, min(512, backbone.channels), len(shapes), ways=2),
        [shapes],
        [backbone.stride],
        within=True,
        before=(12000, 6000),
        after=(2000, 300),
        smallest=min(sizes) / 8,  # 16 pixels as published
    )
    pool = partial(pool_one, size=side, stride=backbone.stride)
    heads = RegionHeads(box_head, Predictor(width, num_classes), pool, count=64, lowest=0.0, beta=1.0)
    accepts = replace(backbone.accepts, network="faster_rcnn")
    net = FasterRCNN(accepts, backbone, rpn, heads, num_classes)
    return net if pretrained else load(net, weights, {})
