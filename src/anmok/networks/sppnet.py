"""SPPnet (He, Zhang, Ren, Sun: Spatial Pyramid Pooling in Deep Convolutional Networks, ECCV 2014).

The picture passes the convolutions (ZF-5) once. Each region of the last map is divided into 6 × 6, 3 × 3, 2 × 2 and 1
bins whatever its size; the largest value in each of the 50 goes to the dense layers, and then, as in R-CNN, SVMs and
ridge regression. (N, 3, H, W) and R regions → (R, 12800) pooled, (R, 4096), (R, 21) logits.

Initialisation: N(0, 0.01²); biases 1 in conv2, conv4, conv5 and the dense layers, else 0. Over another encoder
PyTorch's own.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks import build, published
from anmok.networks._card import Card, Paper, about
from anmok.networks._encoder import Encoder
from anmok.networks._interface import Accepts
from anmok.networks._pretrained import Source, load, wants_published
from anmok.networks._region_encoder import FINE, RegionEncoder
from anmok.networks._region_svm import RegionSVM
from anmok.networks._regions import LEVELS, Regions, pyramid_pool_regions

DROPOUT = 0.5
RIDGE = 4000.0  # λ of the box regression

CARD = Card(
    title="SPPnet",
    paper=Paper(
        "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition",
        "He, Zhang, Ren, Sun",
        2014,
        "ECCV",
        "1406.4729",
    ),
    idea="Dense layers want a fixed number of inputs, convolutions do not. A pyramid of pooled bins between them takes "
    "a region of any size, so that the picture is convolved once for all its regions.",
    fixed="R-CNN warped and convolved every region anew, thousands of times a picture. This is some fifty times faster "
    "at the same accuracy.",
    cost="77 million parameters, 52 million of them in the layer after the pyramid; one pass of the convolutions a "
    "picture, one of the dense layers a region.",
    reach_for="Seeing where Fast R-CNN comes from; and how much time sharing the convolutions saves.",
    avoid="Training end to end: as published, nothing below the pyramid learns from the regions. Fast R-CNN does.",
    differences=(
        "one picture size at a time; the paper answers from five and takes the one that suits each region.",
        "a region covers every cell it touches: the released program's offsets are not public.",
        "without published weights the convolutions learn through the pyramid too; with them they stay, as published.",
        "over another encoder than ZF-5 the dense layers begin as PyTorch has them, and nothing is dropped: from few "
        "regions they learned nothing otherwise.",
    ),
    natural=688,
    smallest=31,
)


class WithinChannel(nn.Module):
    """x · (1 + α · mean of x² over 3 × 3)^-β: local response normalisation within each channel, as ZF-5 has it."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape."""
        return x * (1 + 5e-5 * F.avg_pool2d(x.square(), 3, stride=1, padding=1)).pow(-0.75)


class ZF5(nn.Sequential):
    """Five convolutions after Zeiler and Fergus. (N, 3, 224, 224) → (N, 256, 13, 13)."""

    channels, stride = 256, 16

    def __init__(self, in_channels: int) -> None:
        relu = nn.ReLU(inplace=True)
        super().__init__(
            OrderedDict(
                conv1=nn.Conv2d(in_channels, 96, kernel_size=7, stride=2, padding=1),  # N,  96, 110, 110
                relu1=relu,
                norm1=WithinChannel(),
                pool1=nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),  #          N,  96,  55,  55
                conv2=nn.Conv2d(96, 256, kernel_size=5, stride=2),  #                    N, 256,  26,  26
                relu2=relu,
                norm2=WithinChannel(),
                pool2=nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True),  #          N, 256,  13,  13
                conv3=nn.Conv2d(256, 384, kernel_size=3, padding=1),
                relu3=relu,
                conv4=nn.Conv2d(384, 384, kernel_size=3, padding=1),
                relu4=relu,
                conv5=nn.Conv2d(384, 256, kernel_size=3, padding=1),
                relu5=relu,
            )
        )
        for name, module in self.named_children():
            if isinstance(module, nn.Conv2d):
                initialize(module, bias=1.0 if name in ("conv2", "conv4", "conv5") else 0.0)


def initialize(module: nn.Conv2d | nn.Linear, bias: float) -> None:
    """See the head of this file."""
    nn.init.normal_(module.weight, std=0.01)
    nn.init.constant_(module.bias, bias)  # type: ignore[arg-type]


class Pyramids(nn.Module):
    """Convolutions once, then every region's pyramid and dense layers. See `sppnet`.

    `dropout`: share of the dense layers' numbers that are dropped while training.
    """

    heads = ("fc8",)

    def __init__(
        self, convolutions: Any, hidden: int, outputs: int, levels: Sequence[int], dropout: float
    ) -> None:  # fmt: skip
        super().__init__()
        self.convolutions, self.levels, self.dropout = convolutions, tuple(levels), dropout
        self.pooled = convolutions.channels * sum(level**2 for level in levels)
        self.fc6, self.fc7 = nn.Linear(self.pooled, hidden), nn.Linear(hidden, hidden)
        self.fc8 = nn.Linear(hidden, outputs)

    def forward(self, pictures: Tensor, regions: Regions) -> tuple[Tensor, Tensor, Tensor]:
        """(N, C, H, W) and R regions → pooled, vectors, logits."""
        maps = self.convolutions(pictures)
        last = maps[-1] if isinstance(maps, list) else maps  #                                         N, 256, h, w
        pooled = pyramid_pool_regions(last, regions, self.convolutions.stride, self.levels)  #         R, 12800
        x = F.dropout(F.relu(self.fc6(pooled)), self.dropout, self.training)
        vectors = F.relu(self.fc7(x))  #                                                               R, 4096
        return pooled, vectors, self.fc8(F.dropout(vectors, self.dropout, self.training))


@register("detect network")
@about(CARD)
def sppnet(
    num_classes: int = 20,
    in_channels: int = 3,
    *,
    encoder: str | None = None,
    hidden: int = 4096,
    levels: tuple[int, ...] = LEVELS,
    weights: Source = None,
) -> RegionSVM:
    """SPPnet.

    Args:
        num_classes: without background.
        in_channels: channels of the pictures.
        encoder: a classification network's name, or `timm:<name>`; also written `sppnet:<encoder>`. None: ZF-5.
        hidden: numbers in each of the two dense layers.
        levels: bins a side of the pyramid.
        weights: None; `"imagenet"` and the encoder's other published names for a pretrained encoder; or the path of a
            file of the whole network.
    """
    pretrained = encoder is not None and wants_published(weights, published(encoder))
    if encoder is None:
        convolutions: nn.Module = ZF5(in_channels)
        accepts = Accepts("sppnet", in_channels, CARD.smallest, CARD.natural)
    else:
        net = build(encoder, num_classes=1, in_channels=in_channels, weights=weights if pretrained else None)
        convolutions = RegionEncoder(Encoder(net, strides=FINE)).requires_grad_(not pretrained)
        accepts = replace(convolutions.accepts, network="sppnet")  # type: ignore[type-var]
    features = Pyramids(convolutions, hidden, num_classes + 1, levels, DROPOUT if encoder is None else 0.0)
    if encoder is None:
        for layer in (features.fc6, features.fc7, features.fc8):
            initialize(layer, bias=1.0)
    found = RegionSVM(
        accepts,
        features,
        num_classes,
        pooled=features.pooled,
        vector=hidden,
        lowest=0.1,
        close=0.5,
        ridge=RIDGE,
    )
    return found if pretrained else load(found, weights, {})
