"""AlexNet (Krizhevsky, Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural Networks, NIPS 2012).

Two forms:

`alexnet`       the form everybody's weights are for, from Krizhevsky's "One weird trick for parallelizing
                convolutional neural networks" (arXiv:1404.5997): one tower of 64-192-384-256-256 kernels, no local
                response normalisation. (N, 3, 224, 224) → (N, 1000). Initialisation: PyTorch's own.
`alexnet_2012`  the paper's: 96-256-384-384-256 kernels; conv2, conv4 and conv5 in two groups that do not see each
                other (the two graphics cards); local response normalisation after conv1 and conv2; overlapping 3×3
                pooling with stride 2. (N, 3, 227, 227) → (N, 1000). Initialisation: the paper's, N(0, 0.01²), biases
                1 in conv2, conv4, conv5 and the hidden dense layers, else 0.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts, StageInfo, Stages, numbered, reset_heads
from anmok.networks._pretrained import Source, load, torchvision_file

CARD = Card(
    title="AlexNet",
    paper=Paper(
        "ImageNet Classification with Deep Convolutional Neural Networks",
        "Krizhevsky, Sutskever, Hinton",
        2012,
        "NIPS",
    ),
    idea="What LeNet did for digits works for photographs, if the network is deep enough, large enough and trained on "
    "a graphics card with a million pictures. ReLU makes it learn fast, dropout and augmentation keep it from "
    "memorising.",
    fixed="Recognition rested on descriptors designed by hand, and had stopped getting better. Here every layer, from "
    "edges to objects, is learned from the pictures.",
    cost="61 million parameters, 96 % of them in three dense layers, for 0.7 billion multiply-adds: few operations, "
    "much memory.",
    reach_for="History, lessons, and very fast inference where 56 % top-1 will do. Its 11×11 first filters are the "
    "easiest to look at.",
    avoid="Anything new. A ResNet-18 has a fifth of the parameters and is 13 points more accurate; the coarse first "
    "stride of 4 loses fine texture.",
    differences=(
        "one tower without groups, and narrower (64 and 192 kernels for 96 and 256): the 2014 form.",
        "no local response normalisation.",
        "padding 2 in the first layer, so that pictures are 224 and not 227 wide.",
        "an adaptive pooling before the dense layers, idle at 224, lets other sizes pass.",
    ),
    natural=224,
    smallest=63,
)
CARD_2012 = replace(
    CARD,
    title="AlexNet, the paper's form of 2012",
    cost="61 million parameters and 0.7 billion multiply-adds, as in the later form; the two groups save half of the "
    "weights of three layers. Local response normalisation costs time and memory and was soon found to bring little.",
    reach_for="Reading the paper next to code that is it. There are no published weights for this form here.",
    differences=(
        "both halves live on one device; the two groups are what remains of the two graphics cards.",
        "pictures are 227 wide: the paper says 224, with which its own 55 × 55 maps do not come out.",
        "an adaptive pooling before the dense layers, idle at 227, lets other sizes pass.",
    ),
    natural=227,
    smallest=67,
)
WEIGHTS = {"imagenet-v1": torchvision_file("alexnet-owt-7be5be79", 56.522, 79.066)}


class AlexNet(nn.Module):
    """Five convolutions, three dense layers. See `alexnet` and `alexnet_2012`."""

    heads = ("classifier.6",)

    def __init__(self, features: Stages, stages: tuple[StageInfo, ...], num_classes: int, dropout: float) -> None:
        super().__init__()
        self.accepts, self.stages = features.accepts, stages
        self.features = features  # (N, C, 224, 224) → list of maps, the last N, 256, 6, 6
        self.avgpool = nn.AdaptiveAvgPool2d(6)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward_features(self, x: Tensor) -> Tensor:
        """The map after the last pooling."""
        return self.features(x, last=True)[-1]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The last map → logits, or the 4096 numbers before them."""
        x = torch.flatten(self.avgpool(x), 1)  # N, 9216
        return self.classifier[:-1](x) if pre_logits else self.classifier(x)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def initialize(self, module: nn.Module) -> None:
        """Nothing: layers come as PyTorch initialises them."""

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer for `num_classes`."""
        reset_heads(self, num_classes)


@register("network")
@about(CARD, WEIGHTS)
def alexnet(num_classes: int = 1000, in_channels: int = 3, *, dropout: float = 0.5, weights: Source = None) -> AlexNet:
    """AlexNet as torchvision has it: one tower, no normalisation."""
    accepts = Accepts("alexnet", in_channels, CARD.smallest, CARD.natural)
    layers = (
        nn.Conv2d(in_channels, 64, kernel_size=11, stride=4, padding=2),  # 0:  N,  64, 55, 55
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),  #                           2:  N,  64, 27, 27
        nn.Conv2d(64, 192, kernel_size=5, padding=2),  #                    3:  N, 192, 27, 27
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),  #                           5:  N, 192, 13, 13
        nn.Conv2d(192, 384, kernel_size=3, padding=1),  #                   6:  N, 384, 13, 13
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, kernel_size=3, padding=1),  #                   8:  N, 256, 13, 13
        nn.ReLU(inplace=True),
        nn.Conv2d(256, 256, kernel_size=3, padding=1),  #                  10:  N, 256, 13, 13
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),  #                          12:  N, 256,  6,  6
    )
    stages = (
        StageInfo("features.1", 64, 4),
        StageInfo("features.4", 192, 8),
        StageInfo("features.11", 256, 16),
        StageInfo("features.12", 256, 32),
    )
    features = Stages(accepts, numbered(layers), ends=("1", "4", "11", "12"))
    return load(AlexNet(features, stages, num_classes, dropout), weights, WEIGHTS)


@register("network")
@about(CARD_2012)
def alexnet_2012(
    num_classes: int = 1000, in_channels: int = 3, *, dropout: float = 0.5, weights: Source = None
) -> AlexNet:
    """AlexNet as in the paper: two groups, local response normalisation, overlapping pooling, 227 × 227."""
    accepts = Accepts("alexnet_2012", in_channels, CARD_2012.smallest, CARD_2012.natural)
    layers = (
        nn.Conv2d(in_channels, 96, kernel_size=11, stride=4),  #           0:  N,  96, 55, 55
        nn.ReLU(inplace=True),
        response_norm(),
        nn.MaxPool2d(kernel_size=3, stride=2),  #                          3:  N,  96, 27, 27
        nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=2),  #         4:  N, 256, 27, 27
        nn.ReLU(inplace=True),
        response_norm(),
        nn.MaxPool2d(kernel_size=3, stride=2),  #                          7:  N, 256, 13, 13
        nn.Conv2d(256, 384, kernel_size=3, padding=1),  #                  8:  N, 384, 13, 13
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=2),  #       10:  N, 384, 13, 13
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=2),  #       12:  N, 256, 13, 13
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2),  #                         14:  N, 256,  6,  6
    )
    stages = (
        StageInfo("features.2", 96, 4),
        StageInfo("features.6", 256, 8),
        StageInfo("features.13", 256, 16),
        StageInfo("features.14", 256, 32),
    )
    features = Stages(accepts, numbered(layers), ends=("2", "6", "13", "14"))
    net = AlexNet(features, stages, num_classes, dropout)
    _initialize_2012(net)
    return load(net, weights, {})


def response_norm() -> nn.LocalResponseNorm:
    """The paper's local response normalisation: 5 neighbours, k = 2, α = 1e-4, β = 0.75.

    PyTorch divides α by the number of neighbours, the paper does not; hence five times α.
    """
    return nn.LocalResponseNorm(size=5, alpha=5e-4, beta=0.75, k=2.0)


def _initialize_2012(net: AlexNet) -> None:
    biased = {net.features[4], net.features[10], net.features[12], net.classifier[1], net.classifier[4]}
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.normal_(module.weight, std=0.01)
            if module.bias is not None:
                nn.init.constant_(module.bias, 1.0 if module in biased else 0.0)
