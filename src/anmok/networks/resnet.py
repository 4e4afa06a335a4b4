"""ResNet (He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition, CVPR 2016).

A 7×7 convolution, then four groups of residual blocks, global average pooling, one dense layer. ResNet-18 and -34
are made of two-convolution blocks, the deeper ones of bottlenecks. (N, 3, 224, 224) → (N, 1000).

Where a bottleneck halves the map, the paper gives the stride to its first 1×1 convolution, which throws away three
quarters of what it was given. `resnet50` and deeper give it to the 3×3, as all published weights do (v1.5);
`resnet50_2015` and deeper are the paper's form, with the same parameters and fewer operations.

Initialisation: convolutions He's normal, fan out; batch normalisation 1 and 0; the dense layer PyTorch's own.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts, Keep, StageInfo, all_stages, keep_nothing, reset_heads
from anmok.networks._pretrained import Source, initialize_convolutions, load, torchvision_file

DEPTHS = {  # residual blocks in each of the four groups
    "resnet18": (2, 2, 2, 2),
    "resnet34": (3, 4, 6, 3),
    "resnet50": (3, 4, 6, 3),
    "resnet101": (3, 4, 23, 3),
    "resnet152": (3, 8, 36, 3),
}


def _v1_and_v2(v1: tuple[str, float, float], v2: tuple[str, float, float]) -> dict:
    return {
        "imagenet-v1": torchvision_file(*v1),
        "imagenet-v2": torchvision_file(*v2, resize=232, version=2),
    }


WEIGHTS = {
    "resnet18": {"imagenet-v1": torchvision_file("resnet18-f37072fd", 69.758, 89.078)},
    "resnet34": {"imagenet-v1": torchvision_file("resnet34-b627a593", 73.314, 91.420)},
    "resnet50": _v1_and_v2(("resnet50-0676ba61", 76.130, 92.862), ("resnet50-11ad3fa6", 80.858, 95.434)),
    "resnet101": _v1_and_v2(("resnet101-63fe2227", 77.374, 93.546), ("resnet101-cd907fc2", 81.886, 95.780)),
    "resnet152": _v1_and_v2(("resnet152-394f9c45", 78.312, 94.046), ("resnet152-f82ba261", 82.284, 96.002)),
}

CARD = Card(
    title="ResNet",
    paper=Paper("Deep Residual Learning for Image Recognition", "He, Zhang, Ren, Sun", 2016, "CVPR", "1512.03385"),
    idea="Let each block learn only what to add to its input. A block with nothing to add can stay near zero, so more "
    "layers cannot make the network worse, and gradients reach the first layer along the additions.",
    fixed="Beyond about twenty layers, plain networks got worse on the very pictures they were trained on: not "
    "overfitting, but optimisation failing. With the shortcuts, 152 layers train.",
    cost="",
    reach_for="",
    avoid="Very small pictures (the first two layers already shrink 32 pixels to 8) and chips where every "
    "multiplication counts, which MobileNets and EfficientNets serve better.",
    differences=(),
    natural=224,
    smallest=1,
)
_COSTS = {
    "resnet18": "11.7 million parameters, 1.8 billion multiply-adds.",
    "resnet34": "21.8 million parameters, 3.7 billion multiply-adds.",
    "resnet50": "25.6 million parameters, 4.1 billion multiply-adds; its wide maps take more memory in training than "
    "these figures suggest.",
    "resnet101": "44.5 million parameters, 7.8 billion multiply-adds.",
    "resnet152": "60.2 million parameters, 11.5 billion multiply-adds, for 1.4 points over ResNet-50 (newer weights).",
}
_REACH = {
    "resnet18": "The first serious try on a few thousand photographs; fast enough for a laptop's CPU.",
    "resnet34": "When ResNet-18 underfits and bottlenecks feel like too much; a favourite encoder for U-Nets.",
    "resnet50": "The measure of everything: when in doubt, and as the backbone of detectors and segmenters.",
    "resnet101": "When ResNet-50 has stopped gaining and there are pictures and hours enough for depth.",
    "resnet152": "The last points of accuracy from the family; more often the teacher in distillation.",
}
_V15 = (
    "the bottleneck's stride is in the 3×3 convolution, not in the first 1×1 (v1.5): 6 % more operations for a little "
    "accuracy."
)


def _card(name: str) -> Card:
    title = name.replace("resnet", "ResNet-")
    bottleneck = name not in ("resnet18", "resnet34")
    differences = (_V15,) if bottleneck else ()
    return replace(CARD, title=title, cost=_COSTS[name], reach_for=_REACH[name], differences=differences)


def _card_2015(name: str, macs: str) -> Card:
    base = _card(name)
    return replace(
        base,
        title=f"{base.title}, the paper's form of 2015",
        cost=f"{_COSTS[name].split(' parameters')[0]} parameters, {macs} billion multiply-adds.",
        reach_for="Reading the paper next to code that is it, and weights converted from the authors' own.",
        differences=(),
    )


class BasicBlock(nn.Module):
    """Two 3×3 convolutions beside a shortcut. (N, C, H, W) → (N, width, H/stride, W/stride)."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int, downsample: nn.Module | None, early: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Relu(F(x) + x)."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(residual))
        shortcut = x if self.downsample is None else self.downsample(x)
        residual += shortcut  # in place: nothing behind needs the two apart
        return self.relu(residual)


class Bottleneck(nn.Module):
    """1×1 down, 3×3, 1×1 up by four, beside a shortcut. (N, C, H, W) → (N, 4·width, H/stride, W/stride).

    `early` gives the stride to the first 1×1 (the paper) instead of the 3×3 (v1.5).
    """

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int, downsample: nn.Module | None, early: bool) -> None:
        super().__init__()
        first, second = (stride, 1) if early else (1, stride)
        self.conv1 = nn.Conv2d(channels, width, kernel_size=1, stride=first, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, kernel_size=3, stride=second, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, width * self.expansion, kernel_size=1, bias=False)
        self.bn3 = nn.BatchNorm2d(width * self.expansion)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        """Relu(F(x) + x)."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        shortcut = x if self.downsample is None else self.downsample(x)
        residual += shortcut  # in place: nothing behind needs the two apart
        return self.relu(residual)


class ResNet(nn.Module):
    """A stem, four groups of residual blocks, one dense layer. See `resnet50`."""

    heads = ("fc",)

    def __init__(
        self,
        name: str,
        block: type[BasicBlock] | type[Bottleneck],
        depths: tuple[int, int, int, int],
        num_classes: int,
        in_channels: int,
        early: bool = False,
    ) -> None:
        super().__init__()
        self.accepts = Accepts(name, in_channels, CARD.smallest, CARD.natural)
        self.stages = (
            StageInfo("relu", 64, 2),
            *(StageInfo(f"layer{i + 1}", 64 * 2**i * block.expansion, 4 * 2**i) for i in range(4)),
        )
        self.conv1 = nn.Conv2d(in_channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        self.layer1 = _group(block, 64, 64, depths[0], stride=1, early=early)
        self.layer2 = _group(block, 64 * block.expansion, 128, depths[1], stride=2, early=early)
        self.layer3 = _group(block, 128 * block.expansion, 256, depths[2], stride=2, early=early)
        self.layer4 = _group(block, 256 * block.expansion, 512, depths[3], stride=2, early=early)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * block.expansion, num_classes)
        self.apply(self.initialize)

    def trunk(self, x: Tensor, keep: Keep) -> Tensor:
        """The map after the fourth group; `keep` is shown every stage's (widths as in ResNet-18)."""
        self.accepts.check(x)  #                              N,   3, 224, 224
        x = keep("relu", self.relu(self.bn1(self.conv1(x))))  # N, 64, 112, 112
        x = self.maxpool(x)
        x = keep("layer1", self.layer1(x))  #                 N,  64,  56,  56
        x = keep("layer2", self.layer2(x))  #                 N, 128,  28,  28
        x = keep("layer3", self.layer3(x))  #                 N, 256,  14,  14
        return keep("layer4", self.layer4(x))  #              N, 512,   7,   7

    def features(self, x: Tensor) -> list[Tensor]:
        """(N, C, H, W) → the stem's map and those of the four groups."""
        return all_stages(self, x)

    def forward_features(self, x: Tensor) -> Tensor:
        """The map after the fourth group."""
        return self.trunk(x, keep_nothing)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The last map → logits, or its mean over all places."""
        x = torch.flatten(self.avgpool(x), 1)
        return x if pre_logits else self.fc(x)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def initialize(self, module: nn.Module) -> None:
        """See the head of this file."""
        initialize_convolutions(module)

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer for `num_classes`."""
        reset_heads(self, num_classes)


def _group(
    block: type[BasicBlock] | type[Bottleneck], channels: int, width: int, depth: int, stride: int, early: bool
) -> nn.Sequential:
    """`depth` blocks; the first changes size and channels, and its shortcut with them."""
    out = width * block.expansion
    downsample = None
    if stride != 1 or channels != out:
        project = nn.Conv2d(channels, out, kernel_size=1, stride=stride, bias=False)
        downsample = nn.Sequential(project, nn.BatchNorm2d(out))
    first = block(channels, width, stride, downsample, early)
    return nn.Sequential(first, *(block(out, width, 1, None, early) for _ in range(depth - 1)))


def _resnet(name: str, num_classes: int, in_channels: int, weights: Source) -> ResNet:
    plain = name.removesuffix("_2015")
    block = BasicBlock if plain in ("resnet18", "resnet34") else Bottleneck
    net = ResNet(name, block, DEPTHS[plain], num_classes, in_channels, early=name != plain)
    return load(net, weights, WEIGHTS.get(name, {}))


@register("network")
@about(_card("resnet18"), WEIGHTS["resnet18"])
def resnet18(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> ResNet:
    """ResNet-18."""
    return _resnet("resnet18", num_classes, in_channels, weights)


@register("network")
@about(_card("resnet34"), WEIGHTS["resnet34"])
def resnet34(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> ResNet:
    """ResNet-34."""
    return _resnet("resnet34", num_classes, in_channels, weights)


@register("network")
@about(_card("resnet50"), WEIGHTS["resnet50"])
def resnet50(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> ResNet:
    """ResNet-50, v1.5."""
    return _resnet("resnet50", num_classes, in_channels, weights)


@register("network")
@about(_card("resnet101"), WEIGHTS["resnet101"])
def resnet101(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> ResNet:
    """ResNet-101, v1.5."""
    return _resnet("resnet101", num_classes, in_channels, weights)


@register("network")
@about(_card("resnet152"), WEIGHTS["resnet152"])
def resnet152(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> ResNet:
    """ResNet-152, v1.5."""
    return _resnet("resnet152", num_classes, in_channels, weights)


@register("network")
@about(_card_2015("resnet50", "3.9"))
def resnet50_2015(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> ResNet:
    """ResNet-50 with the paper's stride in the first 1×1 convolution of a group."""
    return _resnet("resnet50_2015", num_classes, in_channels, weights)


@register("network")
@about(_card_2015("resnet101", "7.6"))
def resnet101_2015(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> ResNet:
    """ResNet-101 with the paper's stride in the first 1×1 convolution of a group."""
    return _resnet("resnet101_2015", num_classes, in_channels, weights)


@register("network")
@about(_card_2015("resnet152", "11.3"))
def resnet152_2015(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> ResNet:
    """ResNet-152 with the paper's stride in the first 1×1 convolution of a group."""
    return _resnet("resnet152_2015", num_classes, in_channels, weights)
