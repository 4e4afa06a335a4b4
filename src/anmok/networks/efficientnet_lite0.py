"""EfficientNet-Lite0 (Tan, Le: EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks, ICML 2019; the
Lite form was published by Google with its TensorFlow code in 2020).

A stem, seven stretches of inverted residual blocks (Sandler et al.: MobileNetV2, CVPR 2018), a head: wide inside a
block, narrow between two, where nothing bends the numbers. (N, 3, 224, 224) → (N, 1000). Its ImageNet weights come
inside a registry package, so `weights="imagenet"` needs no download: the package's 296 tensors stand in this order.

Initialisation, as published: convolutions N(0, 2 / fan out), of which each group has its share; the dense layer uniform
within 1 / √classes, its biases 0. Module names as in timm, whose weights fit.
"""

from __future__ import annotations

import math

import torch.nn.functional as F
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._embedded import WEIGHTS
from anmok.networks._interface import Accepts, StageInfo, reset_heads
from anmok.networks._pretrained import Source, State, load

STEM, HEAD = 32, 1280  # channels
STRETCHES = (  # blocks, kernel, stride of the first, how much wider inside, channels
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)

CARD = Card(
    title="EfficientNet-Lite0",
    paper=Paper(
        "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks",
        "Tan, Le",
        2019,
        "ICML",
        "1905.11946",
    ),
    idea="Convolve each channel by itself and mix channels with 1×1 convolutions; then grow depth, width and picture "
    "size together, in fixed proportion, from a small network found by search.",
    fixed="Networks were made larger in one direction, deeper or wider, which stops paying early.",
    cost="4.7 million parameters, 0.4 billion multiply-adds. Convolutions of single channels do little work for every "
    "byte they fetch, so it is slower than its operations promise.",
    reach_for="A pretrained network with no download, laptops and phones, and a few hundred pictures to learn from "
    "(with the backbone frozen).",
    avoid="Training from nothing on little data, and reading: it came out of a search, and its widths show it.",
    differences=(
        "the Lite form: ReLU6 for SiLU and no squeeze-and-excitation, so that it quantises well; stem and head are "
        "not scaled.",
    ),
    natural=224,
    smallest=1,
)


class Separable(nn.Module):
    """Each channel convolved by itself, then all mixed: the first block, which is not wider inside."""

    def __init__(self, before: int, after: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.conv_dw = depthwise(before, kernel, stride)
        self.bn1 = nn.BatchNorm2d(before)
        self.conv_pw = nn.Conv2d(before, after, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) → (N, after, H/stride, W/stride)."""
        x = F.relu6(self.bn1(self.conv_dw(x)))
        return self.bn2(self.conv_pw(x))


class InvertedResidual(nn.Module):
    """Widened, each channel convolved by itself, narrowed; added to what came in where the shapes are the same."""

    def __init__(self, before: int, after: int, kernel: int, stride: int, wider: int) -> None:
        super().__init__()
        inside = before * wider
        self.conv_pw = nn.Conv2d(before, inside, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(inside)
        self.conv_dw = depthwise(inside, kernel, stride)
        self.bn2 = nn.BatchNorm2d(inside)
        self.conv_pwl = nn.Conv2d(inside, after, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(after)
        self.adds = stride == 1 and before == after

    def forward(self, x: Tensor) -> Tensor:
        """(N, before, H, W) → (N, after, H/stride, W/stride)."""
        wide = F.relu6(self.bn1(self.conv_pw(x)))
        wide = F.relu6(self.bn2(self.conv_dw(wide)))
        narrow = self.bn3(self.conv_pwl(wide))
        return x + narrow if self.adds else narrow


def depthwise(channels: int, kernel: int, stride: int) -> nn.Conv2d:
    """A convolution of each channel by itself."""
    return nn.Conv2d(channels, channels, kernel, stride, kernel // 2, groups=channels, bias=False)


class EfficientNetLite0(nn.Module):
    """See the head of this file."""

    heads = ("classifier",)

    def __init__(self, num_classes: int, in_channels: int) -> None:
        super().__init__()
        self.accepts = Accepts("efficientnet_lite0", in_channels, CARD.smallest, CARD.natural)
        self.conv_stem = nn.Conv2d(in_channels, STEM, 3, stride=2, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(STEM)
        stretches, stages, channels, reduced = [], list[StageInfo](), STEM, 2
        for number, (count, kernel, stride, wider, after) in enumerate(STRETCHES):
            blocks: list[nn.Module] = []
            for first in (True, *[False] * (count - 1)):
                form = (channels, after, kernel, stride if first else 1)
                blocks.append(Separable(*form) if wider == 1 else InvertedResidual(*form, wider))
                channels = after
            stretches.append(nn.Sequential(*blocks))
            reduced *= stride
            stages = [one for one in stages if one.stride < reduced]  # of one resolution the last
            stages.append(StageInfo(f"blocks.{number}", after, reduced))
        self.blocks, self.stages = nn.Sequential(*stretches), tuple(stages)
        self.conv_head = nn.Conv2d(channels, HEAD, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(HEAD)
        self.classifier = nn.Linear(HEAD, num_classes)
        self.apply(self.initialize)

    def features(self, x: Tensor) -> list[Tensor]:
        """(N, C, H, W) → one map a resolution, the last of each: 16, 24, 40, 112 and 320 channels, H/2 to H/32."""
        self.accepts.check(x)
        wanted = {stage.name for stage in self.stages}
        maps = []
        x = F.relu6(self.bn1(self.conv_stem(x)))
        for number, stretch in enumerate(self.blocks):
            x = stretch(x)
            if f"blocks.{number}" in wanted:
                maps.append(x)
        return maps

    def forward_features(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, 1280, H/32, W/32)."""
        return F.relu6(self.bn2(self.conv_head(self.features(x)[-1])))

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """That → logits (N, num_classes), or the vector before them (N, 1280)."""
        vector = x.mean((2, 3))
        return vector if pre_logits else self.classifier(vector)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def initialize(self, module: nn.Module) -> None:
        """See the head of this file."""
        if isinstance(module, nn.Conv2d):
            fan_out = module.out_channels * math.prod(module.kernel_size) // module.groups
            nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
        elif isinstance(module, nn.Linear):
            nn.init.uniform_(module.weight, -(module.out_features**-0.5), module.out_features**-0.5)
            nn.init.zeros_(module.bias)

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer for `num_classes`."""
        reset_heads(self, num_classes)


@register("network")
@about(CARD, WEIGHTS)
def efficientnet_lite0(num_classes: int = 1000, in_channels: int = 3, *, weights: Source = None) -> EfficientNetLite0:
    """EfficientNet-Lite0, with ImageNet weights from an installed package."""
    net = EfficientNetLite0(num_classes, in_channels)

    def translate(state: State) -> State:
        own = net.state_dict()
        if state.keys() != own.keys() and len(state) == len(own):
            return dict(zip(own, state.values(), strict=True))  # the package's names differ, its order does not
        return state

    return load(net, weights, WEIGHTS, translate=translate)
