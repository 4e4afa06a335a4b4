"""FCN on a dilated ResNet-50, in torchvision's form (after Long, Shelhamer, Darrell, CVPR 2015).

A ResNet-50 whose last two groups give up their strides for spread kernels, so that its map is an eighth of the picture
and not a thirty-second; a head of a 3×3 and a 1×1 convolution; bilinear enlarging to the picture's size.
(N, 3, H, W) → logits (N, 21, H, W). In training with the auxiliary head: `SegmentationOutputs` of two logits;
torchvision adds the auxiliary loss with weight 0.5.

Keys of the state dict are torchvision's, so its published file loads. Initialisation: backbone as ResNet, heads
PyTorch's own.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.registry import register
from anmok.core.weights import Preprocessing, Weights
from anmok.networks._card import Card, Paper, about, of_encoder
from anmok.networks._interface import Accepts, Kept, keep_nothing, reset_heads
from anmok.networks._pretrained import Source, load, wants_published
from anmok.networks.resnet import WEIGHTS as RESNET_WEIGHTS
from anmok.networks.resnet import Bottleneck, ResNet, resnet50

BACKBONE = of_encoder(RESNET_WEIGHTS["resnet50"])
OWN = {
    "coco-v1": Weights(
        url="https://download.pytorch.org/models/fcn_resnet50_coco-1167a1af.pth",
        classes=21,
        preprocessing=Preprocessing(size=520, resize=520),
        figures={"mean IoU": 60.5, "pixel accuracy": 91.4},
        data="COCO val2017 pictures with VOC's 21 classes",
        source="torchvision, COCO_WITH_VOC_LABELS_V1",
    )
}

CARD = Card(
    title="FCN on ResNet-50",
    paper=Paper(
        "Fully Convolutional Networks for Semantic Segmentation", "Long, Shelhamer, Darrell", 2015, "CVPR", "1411.4038"
    ),
    idea="Keep the backbone's map large: where a group would halve it, spread the kernels' taps instead. They see as "
    "far, and the map is an eighth of the picture: large enough to be enlarged in one step.",
    fixed="FCN on VGG enlarges a map 32 times coarser than the picture, and needs skips, crops and a border of 100 "
    "zeros to mend it.",
    cost="35.3 million parameters (33.0 million in use) and 143 billion multiply-adds for 520 × 520 pixels: the last "
    "group works on a map sixteen times larger than in the classifier.",
    reach_for="Photographs with VOC's twenty classes as it is (weights='coco-v1'), or a strong start for one's own "
    "classes on a graphics card.",
    avoid="Training on a processor, and thin or small structures: nothing finer than an eighth reaches the answer. A "
    "U-Net on ResNet-34 does both for a quarter of the operations.",
    differences=(
        "a ResNet-50 for VGG-16, kernels spread (dilation 2 and 4) in place of skips, and an auxiliary head on the "
        "third group for training.",
    ),
    natural=520,
    smallest=1,
)


class SegmentationOutputs(NamedTuple):
    """Logits of both heads, (N, num_classes, H, W) each."""

    logits: Tensor
    aux_logits: Tensor


class FCNResNet50(nn.Module):
    """Dilated ResNet-50, head, auxiliary head. See `fcn_resnet50`."""

    def __init__(self, num_classes: int, in_channels: int, aux_logits: bool) -> None:
        super().__init__()
        self.accepts = Accepts("fcn_resnet50", in_channels, CARD.smallest, CARD.natural)
        self.aux_logits = aux_logits
        self.heads = ("classifier.4", "aux_classifier.4") if aux_logits else ("classifier.4",)
        self.backbone = dilated(resnet50(in_channels=in_channels))
        aux = head(1024, num_classes) if aux_logits else None
        self.classifier = head(2048, num_classes)
        self.aux_classifier = aux

    def forward(self, x: Tensor) -> Tensor | SegmentationOutputs:
        """(N, in_channels, H, W) → logits (N, num_classes, H, W); in training with the auxiliary head both."""
        self.accepts.check(x)
        if self.aux_classifier is None or not self.training:
            return enlarged(self.classifier(self.backbone.trunk(x, keep_nothing)), x)
        kept = Kept()
        logits = self.classifier(self.backbone.trunk(x, kept))
        return SegmentationOutputs(enlarged(logits, x), enlarged(self.aux_classifier(kept["layer3"]), x))

    def initialize(self, module: nn.Module) -> None:
        """Nothing: heads come as PyTorch initialises them."""

    def reset_classifier(self, num_classes: int) -> None:
        """Fresh last layers for `num_classes`, that of the auxiliary head too."""
        reset_heads(self, num_classes)


def head(channels: int, num_classes: int) -> nn.Sequential:
    """(N, channels, h, w) → (N, num_classes, h, w)."""
    return nn.Sequential(
        nn.Conv2d(channels, channels // 4, kernel_size=3, padding=1, bias=False),
        nn.BatchNorm2d(channels // 4),
        nn.ReLU(),
        nn.Dropout(0.1),
        nn.Conv2d(channels // 4, num_classes, kernel_size=1),
    )


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """Bilinearly to the height and width of `like`."""
    return F.interpolate(x, size=(like.shape[2], like.shape[3]), mode="bilinear", align_corners=False)


def dilated(net: ResNet) -> ResNet:
    """A ResNet's convolutions with its last two strides turned into dilation, and without its classifier.

    A kernel behind a dropped stride spreads its taps by it, so that it sees the pixels it saw before. The block that
    drops it still reads the map as it came, so its own kernel spreads only by what was dropped earlier.
    """
    for group, before, after in ((net.layer3, 1, 2), (net.layer4, 2, 4)):
        for number, block in enumerate(group.children()):
            assert isinstance(block, Bottleneck)
            spread = after if number else before
            block.conv2.stride, block.conv2.dilation, block.conv2.padding = (1, 1), (spread, spread), (spread, spread)
            if block.downsample is not None:
                block.downsample[0].stride = (1, 1)  # type: ignore[index]
    net.stages = tuple(replace(stage, stride=min(stage.stride, 8)) for stage in net.stages)
    del net.avgpool, net.fc
    return net


@register("segment network")
@about(CARD, {**OWN, **BACKBONE})
def fcn_resnet50(
    num_classes: int = 21, in_channels: int = 3, *, aux_logits: bool = True, weights: Source = None
) -> FCNResNet50:
    """FCN on a dilated ResNet-50.

    Args:
        num_classes: classes a pixel may have, the background counted.
        in_channels: channels of the pictures.
        aux_logits: with the auxiliary head, which only training uses.
        weights: `"coco-v1"` for torchvision's file of the whole network; `"imagenet"`, `"imagenet-v1"` … for
            ResNet-50's, which fill the backbone; the path of a file; or None.
    """
    net = FCNResNet50(num_classes, in_channels, aux_logits)
    if wants_published(weights, BACKBONE):
        net.backbone = load(net.backbone, weights, BACKBONE, unused=("fc.",))
        return net
    return load(net, weights, OWN, unused=() if aux_logits else ("aux_classifier.",))
