"""A small residual network for small pictures and few minutes, in the line of Page's ResNet-9.

Page ("How to Train Your ResNet", 2018, myrtle.ai) cut a residual network down to what CIFAR-10 needs and trained it in
seconds on one graphics card: wide and shallow, one residual block a resolution, one pooled vector, one dense layer.

    stem 3×3, pool – conv, pool – residual – conv, pool – residual – average – dense

What differs here, for the sake of ordinary processors: the stem is pooled at once, and the widths are about an eighth:
16, 32, 64. (N, 3, 32, 32) → (N, 10).

Initialisation: PyTorch's own. Shown pictures first (`begin_with`), the stem takes their principal components and keeps
them: what is alike in neighbouring pixels is taken apart before the first step, as Page does, and the finest maps need
no gradient, which saves two fifths of the time.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts, StageInfo, reset_heads
from anmok.networks._pretrained import Source, load

CARD = Card(
    title="Small residual network",
    paper=Paper("How to Train Your ResNet", "David Page", 2018, "myrtle.ai"),
    idea="Keep what makes residual networks train fast (shortcuts, normalisation after every convolution), leave out "
    "what only a thousand classes need: depth, width, resolution.",
    fixed="Between the textbook network, which learns fast and stops early, and ResNet-18, which spends a minute on "
    "what a small picture tells in a second, there was nothing to begin with.",
    cost="About 117,000 parameters and 3.5 million multiply-adds for a 28 × 28 picture: a few seconds an epoch of "
    "Fashion-MNIST on two processor cores.",
    reach_for="Small pictures (28 to 128 pixels), a first honest answer within minutes, lessons, tests.",
    avoid="Photographs with fine classes: a backbone that has seen a million photographs is better there, even frozen.",
    differences=(
        "the stem is not normalised, and averaged over 2×2 places, where Page goes on at full resolution",
        "average pooling, and an eighth of the width",
    ),
    natural=28,
    smallest=8,
)

FAINT = 1e-3  # variance below which a component of the patches is rather noise than picture


class Residual(nn.Module):
    """x + two convolutions of x."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = conv(channels, channels)
        self.conv2 = conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape."""
        return x + self.conv2(self.conv1(x))


def conv(before: int, after: int, pool: bool = False) -> nn.Sequential:
    """3×3 convolution, pooling where asked, batch normalisation, ReLU."""
    layers: list[nn.Module] = [nn.Conv2d(before, after, 3, padding=1, bias=False)]
    layers += [nn.AvgPool2d(2)] if pool else []
    return nn.Sequential(*layers, nn.BatchNorm2d(after), nn.ReLU(inplace=True))


class SmallResNet(nn.Module):
    """A stem and two or more lower resolutions with a residual block each. See `small_resnet`."""

    heads = ("fc",)

    def __init__(self, num_classes: int, in_channels: int, width: int, resolutions: int) -> None:
        super().__init__()
        widths = [width * 2**i for i in range(resolutions)]
        self.accepts = Accepts("small_resnet", in_channels, smallest=2**resolutions, natural=28)
        self.stages = tuple(StageInfo(f"stage{i + 1}", w, 2 ** (i + 1)) for i, w in enumerate(widths))
        stem = nn.Conv2d(in_channels, width, 3, padding=1, bias=False)
        self.stage1 = nn.Sequential(stem, nn.ReLU(inplace=True), nn.AvgPool2d(2))
        for i, (before, after) in enumerate(pairwise(widths), start=2):
            setattr(self, f"stage{i}", nn.Sequential(conv(before, after, pool=True), Residual(after)))
        self.fc = nn.Linear(widths[-1], num_classes)

    def features(self, x: Tensor) -> list[Tensor]:
        """(N, C, H, W) → one map a resolution: (N, 16, H/2, W/2), (N, 32, H/4, W/4), (N, 64, H/8, W/8)."""
        self.accepts.check(x)
        maps = []
        for stage in self.stages:
            x = self.get_submodule(stage.name)(x)
            maps.append(x)
        return maps

    def forward_features(self, x: Tensor) -> Tensor:
        """The coarsest map."""
        return self.features(x)[-1]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The coarsest map → logits, or its mean over all places.

        The mean of every place's logits is the logits of the mean; in this order gradients stay channels last.
        """
        return x.mean((2, 3)) if pre_logits else self.fc(x.movedim(1, 3)).mean((1, 2))

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))

    @torch.no_grad()
    def begin_with(self, pictures: Tensor) -> None:
        """Let the stem be what these pictures show, for good: the principal components of their 3×3 patches, each
        scaled to unit variance and taken once with either sign, since a ReLU passes one half only (Page 2018, part 8).

        Args:
            pictures: (N, in_channels, H, W), normalised; a few hundred tell enough.
        """
        kernels = self.get_parameter("stage1.0.weight").requires_grad_(False)
        patches = F.unfold(pictures.float(), 3, padding=1).movedim(1, 2).flatten(0, 1).double()
        variances, components = torch.linalg.eigh(patches.T @ patches / len(patches))
        count = min(len(kernels) // 2, len(variances))
        scaled = (components / (variances + FAINT).sqrt()).flip(1)[:, :count].T
        kernels[: 2 * count] = torch.cat([scaled, -scaled]).view(-1, *kernels.shape[1:]).to(kernels.dtype)

    def initialize(self, module: nn.Module) -> None:
        """Nothing: layers come as PyTorch initialises them."""

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer for `num_classes`."""
        reset_heads(self, num_classes)


@register("network")
@about(CARD)
def small_resnet(
    num_classes: int = 10, in_channels: int = 3, *, width: int = 16, resolutions: int = 3, weights: Source = None
) -> SmallResNet:
    """The small residual network: `width` channels at half the picture's size, twice as many at each halving."""
    return load(SmallResNet(num_classes, in_channels, width, resolutions), weights, {})
