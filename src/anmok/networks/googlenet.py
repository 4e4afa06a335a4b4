"""GoogLeNet (Szegedy, Liu, Jia, Sermanet, Reed, Anguelov, Erhan, Vanhoucke, Rabinovich: Going Deeper with
Convolutions, CVPR 2015).

A stem, nine inception blocks, global average pooling, one dense layer; two auxiliary classifiers help in training.

`googlenet`       the form that published weights are for: batch normalisation everywhere, and 3×3 where the paper has
                  5×5 (an oversight in the original conversion that the weights have made permanent).
`googlenet_2014`  the paper's: 5×5 convolutions, biases, no batch normalisation, local response normalisation in the
                  stem, all poolings 3×3.

(N, 3, 224, 224) → logits (N, 1000). In training with auxiliary heads: `GoogLeNetOutputs` of three logits; the paper
adds the auxiliary losses with weight 0.3.

Initialisation: all weights from N(0, 0.01²) cut off at ±2. The paper's form, which has no normalisation to rescue it,
is initialised by He's normal for convolutions (the paper does not say how).
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.registry import register
from anmok.networks._blocks import BasicConv2d
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts, Keep, Kept, StageInfo, all_stages, keep_nothing, reset_heads
from anmok.networks._pretrained import (
    Source,
    initialize_convolutions,
    load,
    to_unit_range,
    torchvision_file,
    truncated_normal,
    wants_published,
)

CARD = Card(
    title="GoogLeNet",
    paper=Paper("Going Deeper with Convolutions", "Szegedy et al.", 2015, "CVPR", "1409.4842"),
    idea="Look at several scales side by side (1×1, 3×3, 5×5 and pooling, concatenated), and pay for it with 1×1 "
    "convolutions that squeeze the channels before every expensive layer.",
    fixed="VGG buys depth with huge dense layers and full-width convolutions. Here an average over places replaces the "
    "dense layers, and 22 layers cost a tenth of VGG-16's operations and a twentieth of its parameters.",
    cost="6.6 million parameters in use (13.0 million with the auxiliary heads), 1.5 billion multiply-adds.",
    reach_for="Good answers from few parameters on modest hardware, and the lesson of the 1×1 convolution.",
    avoid="A new project: the many small branches keep processors poorly fed, and a ResNet-18 of similar cost is "
    "simpler to train, change and read.",
    differences=(
        "batch normalisation after every convolution, so no biases and no local response normalisation.",
        "the 5×5 branch has 3×3 kernels; published weights depend on it.",
        "the fourth pooling is 2×2.",
        "auxiliary heads pool adaptively to 4×4; those in the published file were never trained.",
    ),
    natural=224,
    smallest=15,
)
CARD_2014 = replace(
    CARD,
    title="GoogLeNet, the paper's form of 2014",
    cost="7.0 million parameters in use (13.4 million with the auxiliary heads), 1.6 billion multiply-adds.",
    reach_for="Reading the paper next to code that is it. There are no published weights for this form here.",
    differences=("the constants of local response normalisation are AlexNet's; the paper gives none.",),
    smallest=31,
)
WEIGHTS = {"imagenet-v1": torchvision_file("googlenet-1378be20", 69.778, 89.530)}


class GoogLeNetOutputs(NamedTuple):
    """What training returns: logits (N, classes) of the classifier and of the heads after 4d and after 4a."""

    logits: Tensor
    aux_logits2: Tensor | None
    aux_logits1: Tensor | None


class BiasedConv2d(nn.Module):
    """Convolution with a bias, ReLU: the paper's."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int, stride: int = 1, padding: int = 0
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, kernel_size, stride, padding)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → (N, out_channels, H', W')."""
        return F.relu(self.conv(x), inplace=True)


Conv = type[BasicConv2d] | type[BiasedConv2d]


class Inception(nn.Module):
    """Four branches side by side. (N, C, H, W) → (N, one + three + five + pool, H, W).

    `squeeze3` and `squeeze5` are the channels of the 1×1 convolutions before the larger ones; `kernel5` is the larger
    branch's kernel: 5 in the paper, 3 in the published weights.
    """

    def __init__(
        self, channels: int, one: int, squeeze3: int, three: int, squeeze5: int, five: int, pool: int,
        *, conv: Conv, kernel5: int,
    ) -> None:  # fmt: skip
        super().__init__()
        self.branch1 = conv(channels, one, kernel_size=1)
        self.branch2 = nn.Sequential(
            conv(channels, squeeze3, kernel_size=1), conv(squeeze3, three, kernel_size=3, padding=1)
        )
        self.branch3 = nn.Sequential(
            conv(channels, squeeze5, kernel_size=1),
            conv(squeeze5, five, kernel_size=kernel5, padding=kernel5 // 2),
        )
        self.branch4 = nn.Sequential(
            nn.MaxPool2d(kernel_size=3, stride=1, padding=1), conv(channels, pool, kernel_size=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """All branches see the same map."""
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)


class InceptionAux(nn.Module):
    """An auxiliary classifier. (N, C, 14, 14) → (N, num_classes)."""

    def __init__(self, channels: int, num_classes: int, pool: nn.Module, conv: Conv, dropout: float) -> None:
        super().__init__()
        self.pool = pool
        self.conv = conv(channels, 128, kernel_size=1)
        self.fc1 = nn.Linear(128 * 4 * 4, 1024)
        self.fc2 = nn.Linear(1024, num_classes)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """Logits from the middle of the network."""
        x = self.conv(self.pool(x))  #                       N, 128, 4, 4
        x = F.relu(self.fc1(torch.flatten(x, 1)), inplace=True)  # N, 1024
        return self.fc2(self.dropout(x))


class GoogLeNet(nn.Module):
    """A stem, nine inception blocks, one dense layer. See `googlenet` and `googlenet_2014`."""

    def __init__(
        self, num_classes: int, in_channels: int, *, aux_logits: bool, transform_input: bool,
        dropout: float, dropout_aux: float, paper: bool,
    ) -> None:  # fmt: skip
        super().__init__()
        card = CARD_2014 if paper else CARD
        name = "googlenet_2014" if paper else "googlenet"
        self.accepts = Accepts(name, in_channels, card.smallest, card.natural)
        self.stages = (
            StageInfo("conv1", 64, 2),
            StageInfo("conv3", 192, 4),
            StageInfo("inception3b", 480, 8),
            StageInfo("inception4e", 832, 16),
            StageInfo("inception5b", 1024, 32),
        )
        self.paper, self.aux_logits, self.transform_input = paper, aux_logits, transform_input
        self.heads = ("fc", "aux1.fc2", "aux2.fc2") if aux_logits else ("fc",)
        conv: Conv = BiasedConv2d if paper else BasicConv2d
        block = partial(Inception, conv=conv, kernel5=5 if paper else 3)
        pool = partial(nn.MaxPool2d, stride=2, ceil_mode=True)
        norm = partial(nn.LocalResponseNorm, size=5, alpha=5e-4, beta=0.75, k=2.0) if paper else nn.Identity

        self.conv1 = conv(in_channels, 64, kernel_size=7, stride=2, padding=3)
        self.maxpool1 = pool(3)
        self.norm1 = norm()
        self.conv2 = conv(64, 64, kernel_size=1)
        self.conv3 = conv(64, 192, kernel_size=3, padding=1)
        self.norm2 = norm()
        self.maxpool2 = pool(3)
        #              channels   1×1  3×3: squeeze, out  5×5: squeeze, out  pool
        self.inception3a = block(192, 64, 96, 128, 16, 32, 32)
        self.inception3b = block(256, 128, 128, 192, 32, 96, 64)
        self.maxpool3 = pool(3)
        self.inception4a = block(480, 192, 96, 208, 16, 48, 64)
        self.inception4b = block(512, 160, 112, 224, 24, 64, 64)
        self.inception4c = block(512, 128, 128, 256, 24, 64, 64)
        self.inception4d = block(512, 112, 144, 288, 32, 64, 64)
        self.inception4e = block(528, 256, 160, 320, 32, 128, 128)
        self.maxpool4 = pool(3 if paper else 2)
        self.inception5a = block(832, 256, 160, 320, 32, 128, 128)
        self.inception5b = block(832, 384, 192, 384, 48, 128, 128)
        if aux_logits:
            self.aux1 = InceptionAux(512, num_classes, _aux_pool(paper), conv, dropout_aux)
            self.aux2 = InceptionAux(528, num_classes, _aux_pool(paper), conv, dropout_aux)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(1024, num_classes)
        self.apply(self.initialize)

    def trunk(self, x: Tensor, keep: Keep) -> Tensor:
        """The map after 5b; `keep` is shown every map that stages or auxiliary heads read, with its module's name."""
        self.accepts.check(x)
        if self.transform_input:
            x = to_unit_range(x, self.accepts.channels)
        x = keep("conv1", self.conv1(x))  #               N,   64, 112, 112
        x = self.norm1(self.maxpool1(x))  #               N,   64,  56,  56
        x = keep("conv3", self.conv3(self.conv2(x)))  #   N,  192,  56,  56
        x = self.maxpool2(self.norm2(x))  #               N,  192,  28,  28
        x = self.inception3a(x)
        x = keep("inception3b", self.inception3b(x))  #   N,  480,  28,  28
        x = self.maxpool3(x)
        x = keep("inception4a", self.inception4a(x))  #   N,  512,  14,  14
        x = self.inception4c(self.inception4b(x))
        x = keep("inception4d", self.inception4d(x))  #   N,  528,  14,  14
        x = keep("inception4e", self.inception4e(x))  #   N,  832,  14,  14
        x = self.inception5a(self.maxpool4(x))
        return keep("inception5b", self.inception5b(x))  # N, 1024,  7,   7

    def features(self, x: Tensor) -> list[Tensor]:
        """(N, C, H, W) → the stem's two maps and those after 3b, 4e and 5b."""
        return all_stages(self, x)

    def forward_features(self, x: Tensor) -> Tensor:
        """The map after 5b."""
        return self.trunk(x, keep_nothing)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The last map → logits, or its mean over all places."""
        x = self.dropout(torch.flatten(self.avgpool(x), 1))
        return x if pre_logits else self.fc(x)

    def forward(self, x: Tensor) -> Tensor | GoogLeNetOutputs:
        """(N, in_channels, H, W) → logits (N, num_classes); in training with auxiliary heads all three."""
        if not (self.training and self.aux_logits):
            return self.forward_head(self.forward_features(x))
        kept = Kept()
        logits = self.forward_head(self.trunk(x, kept))
        return GoogLeNetOutputs(logits, self.aux2(kept["inception4d"]), self.aux1(kept["inception4a"]))

    def initialize(self, module: nn.Module) -> None:
        """See the head of this file."""
        if self.paper:
            initialize_convolutions(module)
        else:
            truncated_normal(module, std=0.01)

    def reset_classifier(self, num_classes: int) -> None:
        """Fresh last layers for `num_classes`, those of the auxiliary heads too."""
        reset_heads(self, num_classes)


def _aux_pool(paper: bool) -> nn.Module:
    """To 4×4 places. The paper's 5×5 pooling with stride 3 does that for 14×14 maps; others are brought to 14×14."""
    if not paper:
        return nn.AdaptiveAvgPool2d(4)
    return nn.Sequential(nn.AdaptiveAvgPool2d(14), nn.AvgPool2d(kernel_size=5, stride=3))


@register("network")
@about(CARD, WEIGHTS)
def googlenet(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    aux_logits: bool | None = None,
    transform_input: bool | None = None,
    dropout: float = 0.2,
    dropout_aux: float = 0.7,
    weights: Source = None,
) -> GoogLeNet:
    """GoogLeNet as published weights know it.

    Args:
        aux_logits: with the auxiliary heads. By default yes, except with published weights, whose heads were never
            trained.
        transform_input: rescale pictures from ImageNet's normalisation to [-1, 1], as published weights need it. By
            default only with those.
    """
    trained = wants_published(weights, WEIGHTS)
    aux = not trained if aux_logits is None else aux_logits
    rescale = trained if transform_input is None else transform_input
    dropouts = {"dropout": dropout, "dropout_aux": dropout_aux}
    net = GoogLeNet(num_classes, in_channels, aux_logits=aux, transform_input=rescale, paper=False, **dropouts)
    return load(net, weights, WEIGHTS, unused=() if aux else ("aux1.", "aux2."))


@register("network")
@about(CARD_2014)
def googlenet_2014(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    aux_logits: bool = True,
    dropout: float = 0.4,
    dropout_aux: float = 0.7,
    weights: Source = None,
) -> GoogLeNet:
    """GoogLeNet as in the paper: 5×5 convolutions, biases, no batch normalisation."""
    dropouts = {"dropout": dropout, "dropout_aux": dropout_aux}
    net = GoogLeNet(num_classes, in_channels, aux_logits=aux_logits, transform_input=False, paper=True, **dropouts)
    return load(net, weights, {})
