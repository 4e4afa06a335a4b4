"""DenseNet (Huang, Liu, van der Maaten, Weinberger: Densely Connected Convolutional Networks, CVPR 2017).

A 7×7 convolution, then four dense blocks with halving transitions between them. Inside a block every layer sees the
maps of all layers before it and adds `growth` maps of its own. These are the paper's DenseNet-BC: bottlenecks of four
times the growth, transitions that keep half of the channels. (N, 3, 224, 224) → (N, 1000).

Initialisation: convolutions He's normal, fan in; batch normalisation 1 and 0; the dense layer's bias 0.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import replace

import torch
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts, StageInfo, Stages, reset_heads
from anmok.networks._pretrained import Source, load, torchvision_file

BOTTLENECK = 4  # a layer's 1×1 convolution makes this many times the growth
FORMS = {  # growth, channels of the stem, layers in each of the four blocks
    "densenet121": (32, 64, (6, 12, 24, 16)),
    "densenet161": (48, 96, (6, 12, 36, 24)),
    "densenet169": (32, 64, (6, 12, 32, 32)),
    "densenet201": (32, 64, (6, 12, 48, 32)),
}
WEIGHTS = {
    "densenet121": {"imagenet-v1": torchvision_file("densenet121-a639ec97", 74.434, 91.972)},
    "densenet161": {"imagenet-v1": torchvision_file("densenet161-8d451a50", 77.138, 93.560)},
    "densenet169": {"imagenet-v1": torchvision_file("densenet169-b2777c0a", 75.600, 92.806)},
    "densenet201": {"imagenet-v1": torchvision_file("densenet201-c1103571", 76.896, 93.370)},
}

CARD = Card(
    title="DenseNet",
    paper=Paper(
        "Densely Connected Convolutional Networks",
        "Huang, Liu, van der Maaten, Weinberger",
        2017,
        "CVPR",
        "1608.06993",
    ),
    idea="Concatenate instead of adding: every layer reads the maps of all layers before it in its block, so nothing "
    "need be learned twice and each layer can be thin.",
    fixed="In a ResNet early features survive only inside sums, and layers spend weights on carrying them along. Here "
    "they stay readable to the end of the block, and the loss is a few steps from every layer.",
    cost="",
    reach_for="Few parameters for their accuracy: small data sets, medical pictures, downloads that must stay small.",
    avoid="Speed and memory in training: every concatenation is kept for the backward pass, and many thin layers keep "
    "a processor poorly fed. A ResNet with the same operations runs faster.",
    differences=("the dropout that the paper uses only on small data sets without augmentation is left out.",),
    natural=224,
    smallest=29,
)
_COSTS = {
    "densenet121": "8.0 million parameters, 2.8 billion multiply-adds.",
    "densenet161": "28.7 million parameters, 7.7 billion multiply-adds: the widest of the family (growth 48), and the "
    "most accurate.",
    "densenet169": "14.1 million parameters, 3.4 billion multiply-adds.",
    "densenet201": "20.0 million parameters, 4.3 billion multiply-adds: about a ResNet-50's.",
}


class DenseLayer(nn.Module):
    """Norm, ReLU, 1×1, norm, ReLU, 3×3. (N, channels, H, W) → (N, growth, H, W)."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(channels, BOTTLENECK * growth, kernel_size=1, bias=False)
        self.norm2 = nn.BatchNorm2d(BOTTLENECK * growth)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(BOTTLENECK * growth, growth, kernel_size=3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Only the new maps; the block puts them beside the old ones."""
        x = self.conv1(self.relu1(self.norm1(x)))
        return self.conv2(self.relu2(self.norm2(x)))


class DenseBlock(nn.Module):
    """`depth` layers, each reading all before it. (N, C, H, W) → (N, C + depth·growth, H, W)."""

    def __init__(self, channels: int, depth: int, growth: int) -> None:
        super().__init__()
        for i in range(depth):
            self.add_module(f"denselayer{i + 1}", DenseLayer(channels + i * growth, growth))

    def forward(self, x: Tensor) -> Tensor:
        """The block's input and every layer's maps, side by side."""
        for layer in self.children():
            x = torch.cat([x, layer(x)], dim=1)
        return x


class Transition(nn.Sequential):
    """Keep half of the channels and a quarter of the places. (N, C, H, W) → (N, C/2, H/2, W/2)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(channels, channels // 2, kernel_size=1, bias=False)
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """A stem, four dense blocks, one dense layer. See `densenet121`."""

    heads = ("classifier",)

    def __init__(
        self, name: str, growth: int, stem: int, depths: tuple[int, ...], num_classes: int, in_channels: int
    ) -> None:
        super().__init__()
        self.accepts = Accepts(name, in_channels, CARD.smallest, CARD.natural)
        layers: OrderedDict[str, nn.Module] = OrderedDict(
            conv0=nn.Conv2d(in_channels, stem, kernel_size=7, stride=2, padding=3, bias=False),  # N, 64, 112, 112
            norm0=nn.BatchNorm2d(stem),
            relu0=nn.ReLU(inplace=True),
            pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),  #                             N, 64,  56,  56
        )
        stages, channels = [StageInfo("relu0", stem, 2)], stem
        for i, depth in enumerate(depths, start=1):
            layers[f"denseblock{i}"] = DenseBlock(channels, depth, growth)  # 56, 28, 14, 7 wide
            channels += depth * growth
            if i < len(depths):
                stages.append(StageInfo(f"denseblock{i}", channels, 2 ** (i + 1)))
                layers[f"transition{i}"] = Transition(channels)
                channels //= 2
        layers["norm5"] = nn.BatchNorm2d(channels)
        layers["relu5"] = nn.ReLU(inplace=True)
        stages.append(StageInfo("relu5", channels, 32))
        self.features = Stages(self.accepts, layers, ends=[stage.name for stage in stages])
        self.stages = tuple(replace(stage, name=f"features.{stage.name}") for stage in stages)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Linear(channels, num_classes)
        self.apply(self.initialize)

    def forward_features(self, x: Tensor) -> Tensor:
        """The map after the fourth block, normalised and rectified."""
        return self.features(x, last=True)[-1]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The last map → logits, or its mean over all places."""
        x = torch.flatten(self.avgpool(x), 1)
        return x if pre_logits else self.classifier(x)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def initialize(self, module: nn.Module) -> None:
        """See the head of this file."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.ones_(module.weight)
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.zeros_(module.bias)

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer for `num_classes`."""
        reset_heads(self, num_classes)


_OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.([12])\.")


def new_name(key: str) -> str:
    """Published files were written when a module could be called `norm.1`.

    >>> new_name("features.denseblock1.denselayer2.norm.1.weight")
    'features.denseblock1.denselayer2.norm1.weight'
    """
    return _OLD_NAME.sub(r"\1\2.", key)


def _card(name: str) -> Card:
    return replace(CARD, title=name.replace("densenet", "DenseNet-"), cost=_COSTS[name])


def _densenet(name: str, num_classes: int, in_channels: int, weights: Source) -> DenseNet:
    growth, stem, depths = FORMS[name]
    net = DenseNet(name, growth, stem, depths, num_classes, in_channels)
    return load(net, weights, WEIGHTS[name], translate=lambda state: {new_name(k): v for k, v in state.items()})


@register("network")
@about(_card("densenet121"), WEIGHTS["densenet121"])
def densenet121(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> DenseNet:
    """DenseNet-121, growth 32."""
    return _densenet("densenet121", num_classes, in_channels, weights)


@register("network")
@about(_card("densenet161"), WEIGHTS["densenet161"])
def densenet161(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> DenseNet:
    """DenseNet-161, growth 48."""
    return _densenet("densenet161", num_classes, in_channels, weights)


@register("network")
@about(_card("densenet169"), WEIGHTS["densenet169"])
def densenet169(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> DenseNet:
    """DenseNet-169, growth 32."""
    return _densenet("densenet169", num_classes, in_channels, weights)


@register("network")
@about(_card("densenet201"), WEIGHTS["densenet201"])
def densenet201(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> DenseNet:
    """DenseNet-201, growth 32."""
    return _densenet("densenet201", num_classes, in_channels, weights)
