"""Fast R-CNN (Girshick: Fast R-CNN, ICCV 2015).

The whole picture passes the convolutions once; every proposal is pooled from the last map to 7 × 7, read by VGG-16's
dense layers, and named and corrected at once by two siblings. Proposals come from outside (selective search).
(N, 3, H, W) and R regions → (R, 21) class logits and (R, 21, 4) deltas.

Initialisation: the encoder's own; classes N(0, 0.01²), boxes N(0, 0.001²), biases 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.registry import register
from anmok.networks import published
from anmok.networks._card import Card, Paper, about
from anmok.networks._detector import Found, Overlap, Sizes, Target, check_targets
from anmok.networks._pretrained import Source, load, wants_published
from anmok.networks._region_encoder import RegionEncoder, region_encoder
from anmok.networks._region_heads import Predictor, RegionAnswers, RegionHeads
from anmok.networks._regions import pool_one

CARD = Card(
    title="Fast R-CNN",
    paper=Paper("Fast R-CNN", "Girshick", 2015, "ICCV", "1504.08083"),
    idea="Convolve the picture once, pool every region from the last map, and train classifier and box corrector "
    "together with everything below them, by one loss.",
    fixed="R-CNN convolved every region anew and was trained in three stages with features on disk; SPPnet shared the "
    "convolutions but could not train through its pooling. Training became nine times faster, answering hundreds.",
    cost="With VGG-16 134.7 million parameters, nine tenths of them in the dense layers; and proposals, which now take "
    "longer than the network.",
    reach_for="The lesson of region pooling and the multi-task loss; and whenever proposals are given.",
    avoid="When proposals must be searched first: Faster R-CNN makes its own, from the same maps, almost for free.",
    differences=("one picture size a batch; the paper's shorter side of 600 is what the pictures are prepared to.",),
    natural=600,
    smallest=32,
)


class FastRCNN(nn.Module):
    """An encoder and the region heads. See `fast_rcnn`."""

    takes_regions = True
    heads = ("roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred")

    def __init__(self, backbone: RegionEncoder, roi_heads: RegionHeads, num_classes: int) -> None:
        super().__init__()
        self.accepts, self.num_classes = replace(backbone.accepts, network="fast_rcnn"), num_classes
        self.backbone, self.roi_heads = backbone, roi_heads

    def forward(self, pictures: Tensor, targets: Sequence[Target] | None = None) -> RegionAnswers:
        """(N, C, H, W) and the targets' regions → answers; while training, for a sample of them."""
        self.accepts.check(pictures)
        regions = given_regions(pictures, targets)
        maps = self.backbone(pictures)  #     N, 512, H / 16, W / 16
        if not self.training or targets is None:
            return self.roi_heads(maps, regions)
        check_targets(targets, len(pictures), self.num_classes)
        return self.roi_heads.learn(maps, self.roi_heads.choose(regions, targets), targets)

    def losses(self, outputs: RegionAnswers, targets: Sequence[Target]) -> dict[str, Tensor]:
        """The multi-task loss: `classes` and `boxes`."""
        return self.roi_heads.losses(outputs)

    def measure(self, pictures: Iterable[Target]) -> dict[str, float]:
        """Before training: the mean and deviation of every class's box deltas, from targets with `regions`."""
        return self.roi_heads.measure(pictures)

    def candidates_at(self, pictures: Tensor, regions: Tensor) -> tuple[Tensor, Tensor]:
        """See `Detector`: every class's own box (R, C, 4) and score (R, C)."""
        return self.roi_heads.candidates_at(self.backbone(pictures), regions)

    @torch.no_grad()
    def detect(
        self, outputs: RegionAnswers, sizes: Sizes | None = None, *, score: float = 0.05, nms: Overlap = 0.3,
        limit: int = 100,
    ) -> list[Found]:  # fmt: skip
        """See `Detector.detect`."""
        return self.roi_heads.detect(outputs, sizes, score=score, nms=nms, limit=limit)


def given_regions(pictures: Tensor, targets: Sequence[Target] | None) -> list[Tensor]:
    """The proposals of every picture; without any targets the whole picture is its one region, for looking at the
    network.

    Raises:
        UsageError: there are targets, but none of them has regions.
    """
    if targets is None:
        height, width = pictures.shape[2:]
        return [pictures.new_tensor([[0, 0, width, height]], dtype=torch.float32) for _ in pictures]
    if any("regions" not in target for target in targets):
        raise UsageError(
            "this network looks at regions it is given",
            got="targets without regions",
            allowed="net(pictures, [{'regions': float (R, 4)}, …])",
            fix="proposals of selective search, or faster_rcnn, which makes its own",
        )
    return [target["regions"].float() for target in targets]


@register("detect network")
@about(CARD)
def fast_rcnn(
    num_classes: int = 20,
    in_channels: int = 3,
    *,
    encoder: str = "vgg16",
    hidden: int | None = None,
    weights: Source = None,
) -> FastRCNN:
    """Fast R-CNN.

    Args:
        num_classes: without background.
        in_channels: channels of the pictures.
        encoder: a classification network's name, or `timm:<name>`; also written `fast_rcnn:<encoder>`.
        hidden: numbers in the two dense layers; None: the encoder's own dense layers where it has them, else 1024.
        weights: None; `"imagenet"` and the encoder's other published names for a pretrained encoder; or the path of a
            file of the whole network.
    """
    pretrained = wants_published(weights, published(encoder))
    backbone, box_head, width, side = region_encoder(encoder, in_channels, hidden, weights if pretrained else None)
    pool = partial(pool_one, size=side, stride=backbone.stride)
    heads = RegionHeads(
        box_head, Predictor(width, num_classes), pool, count=64, lowest=0.1, beta=1.0, measured=True
    )  # 128 regions of two pictures
    net = FastRCNN(backbone, heads, num_classes)
    return net if pretrained else load(net, weights, {})
