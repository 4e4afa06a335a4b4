"""VGG (Simonyan, Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, ICLR 2015).

Five blocks of 3×3 convolutions, each ended by a pooling that halves the map while the next block doubles the
channels, then three dense layers. The paper's columns A, B, D and E are VGG-11, -13, -16 and -19. The `_bn` forms,
with batch normalisation after every convolution, came later. (N, 3, 224, 224) → (N, 1000).

Initialisation: convolutions He's normal, fan out; dense layers N(0, 0.01²); biases 0. (The paper started its deeper
columns from a trained column A; with He's initialisation that is not needed.)
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts, StageInfo, Stages, numbered, reset_heads
from anmok.networks._pretrained import Source, initialize_convolutions, load, torchvision_file

BLOCKS = {  # convolutions in each of the five blocks
    "vgg11": (1, 1, 2, 2, 2),
    "vgg13": (2, 2, 2, 2, 2),
    "vgg16": (2, 2, 3, 3, 3),
    "vgg19": (2, 2, 4, 4, 4),
}
WIDTHS = (64, 128, 256, 512, 512)

WEIGHTS = {
    name: {"imagenet-v1": torchvision_file(stem, top1, top5)}
    for name, stem, top1, top5 in (
        ("vgg11", "vgg11-8a719046", 69.020, 88.628),
        ("vgg13", "vgg13-19584684", 69.928, 89.246),
        ("vgg16", "vgg16-397923af", 71.592, 90.382),
        ("vgg19", "vgg19-dcbb9e9d", 72.376, 90.876),
        ("vgg11_bn", "vgg11_bn-6002323d", 70.370, 89.810),
        ("vgg13_bn", "vgg13_bn-abd245e5", 71.586, 90.374),
        ("vgg16_bn", "vgg16_bn-6c64b313", 73.360, 91.516),
        ("vgg19_bn", "vgg19_bn-c79401a0", 74.218, 91.842),
    )
}

CARD = Card(
    title="VGG",
    paper=Paper(
        "Very Deep Convolutional Networks for Large-Scale Image Recognition",
        "Simonyan, Zisserman",
        2015,
        "ICLR",
        "1409.1556",
    ),
    idea="Only 3×3 convolutions, many of them. Two in a row see as far as one 5×5 and three as far as one 7×7, with "
    "fewer weights and more non-linearities.",
    fixed="AlexNet's layers each had a size and stride of their own, chosen by trial. Here one block is repeated, and "
    "depth becomes a number that can be turned up.",
    cost="",
    reach_for="A plain, legible feature extractor: perceptual losses, style transfer, FCN and the first detectors are "
    "built on it, and its maps are easy to read.",
    avoid="Phones, small disks and most new work: a ResNet-50 is more accurate with a fifth of the parameters and a "
    "quarter of the operations. Nothing beyond 19 layers trains well in this form; that took residuals.",
    differences=(),
    natural=224,
    smallest=32,
)
_COSTS = {
    "vgg11": "133 million parameters, 124 million of them in the dense layers, and 7.6 billion multiply-adds: ten "
    "times AlexNet's.",
    "vgg13": "133 million parameters, 124 million of them in the dense layers, and 11.3 billion multiply-adds.",
    "vgg16": "138 million parameters, 89 % of them in the dense layers, and 15.5 billion multiply-adds, more than a "
    "ResNet-152.",
    "vgg19": "144 million parameters, 124 million of them in the dense layers, and 19.6 billion multiply-adds: the "
    "heaviest of the classics.",
}
_ADAPTIVE = "an adaptive pooling before the dense layers, idle at 224, lets other sizes pass."
_NORMALISED = "batch normalisation after every convolution; the paper predates it."


def _card(name: str) -> Card:
    plain = replace(CARD, title=name.replace("vgg", "VGG-"), cost=_COSTS[name.removesuffix("_bn")])
    if not name.endswith("_bn"):
        return replace(plain, differences=(_ADAPTIVE,))
    return replace(
        plain,
        title=plain.title.replace("_bn", " with batch normalisation"),
        cost=f"{plain.cost} Normalisation adds time and memory in training, and lets depth train from the start.",
        differences=(_NORMALISED, _ADAPTIVE),
    )


class VGG(nn.Module):
    """Five blocks of 3×3 convolutions and three dense layers. See `vgg16`."""

    heads = ("classifier.6",)

    def __init__(self, name: str, num_classes: int, in_channels: int, *, normalise: bool, dropout: float) -> None:
        super().__init__()
        self.accepts = Accepts(name, in_channels, CARD.smallest, CARD.natural)
        layers, ends = five_blocks(BLOCKS[name.removesuffix("_bn")], in_channels, normalise)
        self.features = Stages(self.accepts, numbered(layers), ends)  # maps 112, 56, 28, 14, 7 wide
        self.stages = tuple(
            StageInfo(f"features.{end}", width, 2 ** (block + 1))
            for block, (end, width) in enumerate(zip(ends, WIDTHS, strict=True))
        )
        self.before_pooling = (
            *(replace(stage, name=f"features.{int(end) - 1}", stride=stage.stride // 2)
              for stage, end in zip(self.stages, ends, strict=True)),
            self.stages[-1],
        )  # fmt: skip
        self.avgpool = nn.AdaptiveAvgPool2d(7)
        self.classifier = nn.Sequential(
            nn.Linear(512 * 7 * 7, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )
        self.apply(self.initialize)

    def features_before_pooling(self, x: Tensor) -> list[Tensor]:
        """(N, C, H, W) → the five maps before each pooling, 224 to 14 wide, and the one after the fifth."""
        return self.features.before_ends(x)

    def forward_features(self, x: Tensor) -> Tensor:
        """The map after the fifth pooling."""
        return self.features(x, last=True)[-1]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The last map → logits, or the 4096 numbers before them."""
        x = torch.flatten(self.avgpool(x), 1)  # N, 25088
        return self.classifier[:-1](x) if pre_logits else self.classifier(x)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def initialize(self, module: nn.Module) -> None:
        """See the head of this file."""
        initialize_convolutions(module)
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.zeros_(module.bias)

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer for `num_classes`."""
        reset_heads(self, num_classes)


def five_blocks(
    depths: tuple[int, ...], channels: int, normalise: bool, *, border: int = 1, ceil_mode: bool = False
) -> tuple[list[nn.Module], list[str]]:
    """The layers in order, and the numbers of the five poolings.

    `border`: the first convolution's padding. `ceil_mode`: poolings keep the last row and column of an odd map.
    """
    layers: list[nn.Module] = []
    ends = []
    for depth, width in zip(depths, WIDTHS, strict=True):
        for _ in range(depth):
            layers.append(nn.Conv2d(channels, width, kernel_size=3, padding=1 if layers else border))
            if normalise:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
            channels = width
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2, ceil_mode=ceil_mode))
        ends.append(str(len(layers) - 1))
    return layers, ends


def _vgg(name: str, num_classes: int, in_channels: int, dropout: float, weights: Source) -> VGG:
    net = VGG(name, num_classes, in_channels, normalise=name.endswith("_bn"), dropout=dropout)
    return load(net, weights, WEIGHTS[name])


@register("network")
@about(_card("vgg11"), WEIGHTS["vgg11"])
def vgg11(num_classes: int = 1000, in_channels: int = 3, *, dropout: float = 0.5, weights: Source = None) -> VGG:
    """VGG-11, column A of the paper."""
    return _vgg("vgg11", num_classes, in_channels, dropout, weights)


@register("network")
@about(_card("vgg13"), WEIGHTS["vgg13"])
def vgg13(num_classes: int = 1000, in_channels: int = 3, *, dropout: float = 0.5, weights: Source = None) -> VGG:
    """VGG-13, column B of the paper."""
    return _vgg("vgg13", num_classes, in_channels, dropout, weights)


@register("network")
@about(_card("vgg16"), WEIGHTS["vgg16"])
def vgg16(num_classes: int = 1000, in_channels: int = 3, *, dropout: float = 0.5, weights: Source = None) -> VGG:
    """VGG-16, column D of the paper."""
    return _vgg("vgg16", num_classes, in_channels, dropout, weights)


@register("network")
@about(_card("vgg19"), WEIGHTS["vgg19"])
def vgg19(num_classes: int = 1000, in_channels: int = 3, *, dropout: float = 0.5, weights: Source = None) -> VGG:
    """VGG-19, column E of the paper."""
    return _vgg("vgg19", num_classes, in_channels, dropout, weights)


@register("network")
@about(_card("vgg11_bn"), WEIGHTS["vgg11_bn"])
def vgg11_bn(num_classes: int = 1000, in_channels: int = 3, *, dropout: float = 0.5, weights: Source = None) -> VGG:
    """VGG-11 with batch normalisation."""
    return _vgg("vgg11_bn", num_classes, in_channels, dropout, weights)


@register("network")
@about(_card("vgg13_bn"), WEIGHTS["vgg13_bn"])
def vgg13_bn(num_classes: int = 1000, in_channels: int = 3, *, dropout: float = 0.5, weights: Source = None) -> VGG:
    """VGG-13 with batch normalisation."""
    return _vgg("vgg13_bn", num_classes, in_channels, dropout, weights)


@register("network")
@about(_card("vgg16_bn"), WEIGHTS["vgg16_bn"])
def vgg16_bn(num_classes: int = 1000, in_channels: int = 3, *, dropout: float = 0.5, weights: Source = None) -> VGG:
    """VGG-16 with batch normalisation."""
    return _vgg("vgg16_bn", num_classes, in_channels, dropout, weights)


@register("network")
@about(_card("vgg19_bn"), WEIGHTS["vgg19_bn"])
def vgg19_bn(num_classes: int = 1000, in_channels: int = 3, *, dropout: float = 0.5, weights: Source = None) -> VGG:
    """VGG-19 with batch normalisation."""
    return _vgg("vgg19_bn", num_classes, in_channels, dropout, weights)
