"""Faster R-CNN with a feature pyramid (Ren et al., NIPS 2015; Lin et al.: Feature Pyramid Networks, CVPR 2017).

The form in everyday use, with torchvision's names and weights: ResNet-50, maps of stride 4 to 64, one anchor size a
level in three shapes, RoI align from the level that suits a region. (N, 3, H, W) → up to 1000 regions a picture.

With published weights, batch normalisation is frozen (statistics and scale are constants), and so is what lies before
the second group of residual blocks. Initialisation otherwise: the encoder's own; proposals N(0, 0.01²); dense layers
PyTorch's own, but the answers N(0, 0.01²) and N(0, 0.001²).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from torch import Tensor, nn

from anmok.core.registry import register
from anmok.core.weights import Preprocessing, Weights
from anmok.networks import published
from anmok.networks._anchors import RATIOS, centred
from anmok.networks._card import about
from anmok.networks._encoder import Encoder, freeze
from anmok.networks._pretrained import Source, load, wants_published
from anmok.networks._pyramid import FeaturePyramid
from anmok.networks._region_heads import DenseHead, Predictor, RegionHeads
from anmok.networks._regions import Regions, roi_align
from anmok.networks._rpn import RegionProposals, RPNHead
from anmok.networks.faster_rcnn import CARD as PUBLISHED_CARD
from anmok.networks.faster_rcnn import FasterRCNN

STRIDES = (4, 8, 16, 32)
SIZES = (32.0, 64.0, 128.0, 256.0, 512.0)  # of the anchors, pixels, a level each
REGIONS = (1000, 512)  # of a picture: proposed, and learning
COCO = Preprocessing(size=800, resize=800)  # shorter side; the longer one at most 1333

CARD = replace(
    PUBLISHED_CARD,
    title="Faster R-CNN with a feature pyramid",
    idea=f"{PUBLISHED_CARD.idea} With a pyramid of maps, small objects are looked up where places are fine, large ones "
    "where meaning is.",
    cost="With ResNet-50 41.8 million parameters, and at 800 × 800 about 134 billion multiply-adds.",
    reach_for="The measure of two-stage detection, with weights that know COCO's classes.",
    differences=("as torchvision has it: RoI align, one anchor size a level, anchors may cross the edge.",),
    natural=800,
    smallest=1,
)
WEIGHTS = {
    "coco-v1": Weights(
        url="https://download.pytorch.org/models/fasterrcnn_resnet50_fpn_coco-258fb6c6.pth",
        classes=90,
        preprocessing=COCO,
        source="torchvision, COCO_V1: box AP 37.0 on COCO val2017; labels are COCO's category ids less one",
    )
}


@dataclass(frozen=True)
class Dimensions:
    """How large the parts beside the encoder are; by default as published.

    Args:
        hidden: numbers in the two dense layers.
        sizes: of the anchors, pixels, the first for the finest level.
        width: channels of the pyramid, and of all convolutions after it.
        regions: a picture's that are proposed in evaluation, twice as many in training; and those of them that learn.
    """

    hidden: int = 1024
    sizes: Sequence[float] = SIZES
    width: int = 256
    regions: tuple[int, int] = REGIONS


class PyramidBackbone(nn.Module):
    """An encoder's maps, mixed by a feature pyramid. (N, C, H, W) → maps of `width` channels, the last of half size."""

    def __init__(self, encoder: Encoder, width: int) -> None:
        super().__init__()
        self.body, self.pooled, self.kept = encoder.net, encoder.pooled, encoder.kept
        self.fpn = FeaturePyramid([stage.channels for stage in encoder.stages], width)
        self.strides = [stage.stride for stage in encoder.stages]

    def forward(self, x: Tensor) -> list[Tensor]:
        """See above."""
        maps = self.body.features_before_pooling(x) if self.pooled else self.body.features(x)
        return self.fpn([maps[i] for i in self.kept])


def pyramid_backbone(
    encoder: str, in_channels: int, weights: Source, width: int, frozen: bool
) -> tuple[PyramidBackbone, Encoder]:
    """An encoder under a pyramid; `frozen`: its normalisation is constant and its finest maps do not learn."""
    stem = Encoder(encoder, in_channels, weights, STRIDES)
    if frozen:
        freeze(stem, 4)
        freeze_normalisation(stem)
    return PyramidBackbone(stem, width), stem


def freeze_normalisation(module: nn.Module) -> None:
    """Put constants in the place of every batch normalisation."""
    from torchvision.ops.misc import FrozenBatchNorm2d

    for name, child in module.named_children():
        if type(child) is nn.BatchNorm2d:
            constant = FrozenBatchNorm2d(child.num_features, child.eps)
            constant.load_state_dict(child.state_dict(), strict=False, assign=True)
            setattr(module, name, constant)
        else:
            freeze_normalisation(child)


def proposals_of(form: Dimensions, levels: int) -> RegionProposals:
    """torchvision's proposal network over the levels and the one above."""
    shapes = [centred([size]) for size in form.sizes[: levels + 1]]
    many = (2 * form.regions[0], form.regions[0])
    head = RPNHead(form.width, form.width, len(RATIOS), ways=1)
    return RegionProposals(head, shapes, None, within=False, before=many, after=many, smallest=1e-3)


def heads(form: Dimensions, strides: Sequence[int], num_classes: int) -> RegionHeads:
    """torchvision's region heads."""
    pool = partial(pool_levels, size=7, strides=strides)
    dense, siblings = DenseHead(form.width * 7 * 7, form.hidden), Predictor(form.hidden, num_classes)
    return RegionHeads(dense, siblings, pool, count=form.regions[1], lowest=0.0, beta=1 / 9)


def pool_levels(maps: Sequence[Tensor], regions: Regions, size: int, strides: Sequence[int]) -> Tensor:
    """`roi_align`, without the level that only proposes."""
    return roi_align(maps[: len(strides)], regions, size, strides)


@register("detect network")
@about(CARD, WEIGHTS)
def fasterrcnn_resnet50_fpn(
    num_classes: int = 90,
    in_channels: int = 3,
    *,
    encoder: str = "resnet50",
    hidden: int = 1024,
    sizes: tuple[float, ...] = SIZES,
    width: int = 256,
    regions: tuple[int, int] = REGIONS,
    weights: Source = None,
) -> FasterRCNN:
    """Faster R-CNN with a feature pyramid.

    Args:
        num_classes: without background.
        in_channels: channels of the pictures.
        encoder: a classification network's name, or `timm:<name>`, with maps of stride 4 to 32.
        hidden, sizes, width, regions: see `Dimensions`.
        weights: None; `"coco-v1"`; `"imagenet"` and the encoder's other published names for a pretrained encoder; or
            the path of a file of the whole network.
    """
    form = Dimensions(hidden, sizes, width, regions)
    whole = weights in WEIGHTS or isinstance(weights, Weights)
    pretrained = not whole and wants_published(weights, published(encoder))
    net = parts_of(num_classes, in_channels, encoder, form, weights if pretrained else None, frozen=whole or pretrained)
    return net if pretrained else load(net, weights, WEIGHTS)


def parts_of(
    num_classes: int, in_channels: int, encoder: str, form: Dimensions, weights: Source, *, frozen: bool
) -> FasterRCNN:
    """The network; `weights` those of the encoder, `frozen` as in `pyramid_backbone`."""
    backbone, stem = pyramid_backbone(encoder, in_channels, weights, form.width, frozen)
    return FasterRCNN(
        replace(stem.accepts, network="fasterrcnn_resnet50_fpn"),
        backbone,
        proposals_of(form, len(backbone.strides)),
        heads(form, backbone.strides, num_classes),
        num_classes,
    )
