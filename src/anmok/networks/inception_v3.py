"""Inception v3 (Szegedy, Vanhoucke, Ioffe, Shlens, Wojna: Rethinking the Inception Architecture for Computer Vision,
CVPR 2016).

A stem of plain convolutions, three blocks at 35×35, five at 17×17, three at 8×8; large kernels are factorised, 5×5
into two 3×3 and 7×7 into 1×7 and 7×1. (N, 3, 299, 299) → logits (N, 1000). In training with the auxiliary head:
`InceptionOutputs` of two logits.

Layer names are those of the published weights (and of the TensorFlow code before them).
Initialisation: N(0, 0.1²) cut off at ±2; 0.001 for the auxiliary head's dense layer.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.registry import register
from anmok.networks._blocks import BasicConv2d
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts, Keep, Kept, StageInfo, all_stages, keep_nothing, reset_heads
from anmok.networks._pretrained import Source, load, to_unit_range, torchvision_file, truncated_normal, wants_published

CARD = Card(
    title="Inception v3",
    paper=Paper(
        "Rethinking the Inception Architecture for Computer Vision",
        "Szegedy, Vanhoucke, Ioffe, Shlens, Wojna",
        2016,
        "CVPR",
        "1512.00567",
    ),
    idea="Factorise: two 3×3 see what one 5×5 sees, a 1×7 and a 7×1 what one 7×7 sees, for a fraction of the work. "
    "Shrink maps by convolution and pooling side by side, so that nothing is squeezed through a bottleneck.",
    fixed="GoogLeNet's blocks could not simply be made wider: cost grew faster than accuracy. Factorised blocks, "
    "batch normalisation and label smoothing turned more operations into better answers again.",
    cost="23.8 million parameters in use (27.2 million with the auxiliary head), 5.7 billion multiply-adds at 299.",
    reach_for="Comparable image statistics (the FID of generative models is measured on a relative of this network), "
    "and 77 % top-1 from published weights.",
    avoid="Small pictures (below 75 it cannot run, below 299 it cannot train with its auxiliary head) and networks you "
    "mean to change: five kinds of block, each with its own widths.",
    differences=("blocks and widths follow the released weights, which differ from the paper's tables in details.",),
    natural=299,
    smallest=75,
)
WEIGHTS = {"imagenet-v1": torchvision_file("inception_v3_google-0cc3c7bd", 77.294, 93.450, size=299, resize=342)}


class InceptionOutputs(NamedTuple):
    """What training returns: logits (N, classes) of the classifier and of the auxiliary head."""

    logits: Tensor
    aux_logits: Tensor | None


def wide(channels: int, out: int) -> BasicConv2d:
    """1×7."""
    return BasicConv2d(channels, out, kernel_size=(1, 7), padding=(0, 3))


def tall(channels: int, out: int) -> BasicConv2d:
    """7×1."""
    return BasicConv2d(channels, out, kernel_size=(7, 1), padding=(3, 0))


class InceptionA(nn.Module):
    """1×1, 5×5, double 3×3 and pooling. (N, C, 35, 35) → (N, 224 + pool, 35, 35)."""

    def __init__(self, channels: int, pool: int) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(channels, 64, kernel_size=1)
        self.branch5x5_1 = BasicConv2d(channels, 48, kernel_size=1)
        self.branch5x5_2 = BasicConv2d(48, 64, kernel_size=5, padding=2)
        self.branch3x3dbl_1 = BasicConv2d(channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, kernel_size=3, padding=1)
        self.branch_pool = BasicConv2d(channels, pool, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """The four branches, concatenated."""
        five = self.branch5x5_2(self.branch5x5_1(x))
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        pooled = self.branch_pool(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        return torch.cat([self.branch1x1(x), five, double, pooled], dim=1)


class InceptionB(nn.Module):
    """Halve the map: 3×3, double 3×3 and pooling, all with stride 2. (N, C, 35, 35) → (N, C + 480, 17, 17)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3 = BasicConv2d(channels, 384, kernel_size=3, stride=2)
        self.branch3x3dbl_1 = BasicConv2d(channels, 64, kernel_size=1)
        self.branch3x3dbl_2 = BasicConv2d(64, 96, kernel_size=3, padding=1)
        self.branch3x3dbl_3 = BasicConv2d(96, 96, kernel_size=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """The three branches, concatenated."""
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, F.max_pool2d(x, kernel_size=3, stride=2)], dim=1)


class InceptionC(nn.Module):
    """1×1, factorised 7×7, double factorised 7×7 and pooling. (N, C, 17, 17) → (N, 768, 17, 17)."""

    def __init__(self, channels: int, squeeze: int) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(channels, 192, kernel_size=1)
        self.branch7x7_1 = BasicConv2d(channels, squeeze, kernel_size=1)
        self.branch7x7_2 = wide(squeeze, squeeze)
        self.branch7x7_3 = tall(squeeze, 192)
        self.branch7x7dbl_1 = BasicConv2d(channels, squeeze, kernel_size=1)
        self.branch7x7dbl_2 = tall(squeeze, squeeze)
        self.branch7x7dbl_3 = wide(squeeze, squeeze)
        self.branch7x7dbl_4 = tall(squeeze, squeeze)
        self.branch7x7dbl_5 = wide(squeeze, 192)
        self.branch_pool = BasicConv2d(channels, 192, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """The four branches, concatenated."""
        seven = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        pooled = self.branch_pool(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        return torch.cat([self.branch1x1(x), seven, double, pooled], dim=1)


class InceptionD(nn.Module):
    """Halve the map again. (N, C, 17, 17) → (N, C + 512, 8, 8)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch3x3_1 = BasicConv2d(channels, 192, kernel_size=1)
        self.branch3x3_2 = BasicConv2d(192, 320, kernel_size=3, stride=2)
        self.branch7x7x3_1 = BasicConv2d(channels, 192, kernel_size=1)
        self.branch7x7x3_2 = wide(192, 192)
        self.branch7x7x3_3 = tall(192, 192)
        self.branch7x7x3_4 = BasicConv2d(192, 192, kernel_size=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """The three branches, concatenated."""
        three = self.branch3x3_2(self.branch3x3_1(x))
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([three, seven, F.max_pool2d(x, kernel_size=3, stride=2)], dim=1)


class InceptionE(nn.Module):
    """1×1, split 3×3, double split 3×3 and pooling: the widest blocks. (N, C, 8, 8) → (N, 2048, 8, 8)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch1x1 = BasicConv2d(channels, 320, kernel_size=1)
        self.branch3x3_1 = BasicConv2d(channels, 384, kernel_size=1)
        self.branch3x3_2a = BasicConv2d(384, 384, kernel_size=(1, 3), padding=(0, 1))
        self.branch3x3_2b = BasicConv2d(384, 384, kernel_size=(3, 1), padding=(1, 0))
        self.branch3x3dbl_1 = BasicConv2d(channels, 448, kernel_size=1)
        self.branch3x3dbl_2 = BasicConv2d(448, 384, kernel_size=3, padding=1)
        self.branch3x3dbl_3a = BasicConv2d(384, 384, kernel_size=(1, 3), padding=(0, 1))
        self.branch3x3dbl_3b = BasicConv2d(384, 384, kernel_size=(3, 1), padding=(1, 0))
        self.branch_pool = BasicConv2d(channels, 192, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """The branches, concatenated; two of them fork at their end."""
        three = self.branch3x3_1(x)
        double = self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pooled = self.branch_pool(F.avg_pool2d(x, kernel_size=3, stride=1, padding=1))
        split3 = [self.branch3x3_2a(three), self.branch3x3_2b(three)]
        split_double = [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([self.branch1x1(x), *split3, *split_double, pooled], dim=1)


class InceptionAux(nn.Module):
    """The auxiliary classifier. (N, C, 17, 17) → (N, num_classes)."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.conv0 = BasicConv2d(channels, 128, kernel_size=1)
        self.conv1 = BasicConv2d(128, 768, kernel_size=5)
        self.fc = nn.Linear(768, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Logits from the 17×17 map."""
        x = self.conv0(F.avg_pool2d(x, kernel_size=5, stride=3))  #  N, 128, 5, 5
        x = F.adaptive_avg_pool2d(self.conv1(x), 1)  #               N, 768, 1, 1
        return self.fc(torch.flatten(x, 1))


class Inception3(nn.Module):
    """A stem, eleven inception blocks, one dense layer. See `inception_v3`."""

    def __init__(
        self, num_classes: int, in_channels: int, *, aux_logits: bool, transform_input: bool, dropout: float
    ) -> None:
        super().__init__()
        self.accepts = Accepts("inception_v3", in_channels, CARD.smallest, CARD.natural)
        # In training the auxiliary head needs a 17×17 map to take a 5×5 convolution of its pooled form.
        self.accepts_with_aux = Accepts("inception_v3 with aux_logits, in training,", in_channels, 299, CARD.natural)
        self.stages = (
            StageInfo("Conv2d_2b_3x3", 64, 2),
            StageInfo("Conv2d_4a_3x3", 192, 4),
            StageInfo("Mixed_5d", 288, 8),
            StageInfo("Mixed_6e", 768, 16),
            StageInfo("Mixed_7c", 2048, 32),
        )
        self.aux_logits, self.transform_input = aux_logits, transform_input
        self.heads = ("fc", "AuxLogits.fc") if aux_logits else ("fc",)
        self.Conv2d_1a_3x3 = BasicConv2d(in_channels, 32, kernel_size=3, stride=2)
        self.Conv2d_2a_3x3 = BasicConv2d(32, 32, kernel_size=3)
        self.Conv2d_2b_3x3 = BasicConv2d(32, 64, kernel_size=3, padding=1)
        self.maxpool1 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Conv2d_3b_1x1 = BasicConv2d(64, 80, kernel_size=1)
        self.Conv2d_4a_3x3 = BasicConv2d(80, 192, kernel_size=3)
        self.maxpool2 = nn.MaxPool2d(kernel_size=3, stride=2)
        self.Mixed_5b = InceptionA(192, pool=32)
        self.Mixed_5c = InceptionA(256, pool=64)
        self.Mixed_5d = InceptionA(288, pool=64)
        self.Mixed_6a = InceptionB(288)
        self.Mixed_6b = InceptionC(768, squeeze=128)
        self.Mixed_6c = InceptionC(768, squeeze=160)
        self.Mixed_6d = InceptionC(768, squeeze=160)
        self.Mixed_6e = InceptionC(768, squeeze=192)
        if aux_logits:
            self.AuxLogits = InceptionAux(768, num_classes)
        self.Mixed_7a = InceptionD(768)
        self.Mixed_7b = InceptionE(1280)
        self.Mixed_7c = InceptionE(2048)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(2048, num_classes)
        self.apply(self.initialize)

    def trunk(self, x: Tensor, keep: Keep) -> Tensor:
        """The map after the last block; `keep` is shown the maps of all stages with their modules' names."""
        self.accepts.check(x)
        if self.transform_input:
            x = to_unit_range(x, self.accepts.channels)
        x = self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))  #            N,   32, 147, 147
        x = keep("Conv2d_2b_3x3", self.Conv2d_2b_3x3(x))  #         N,   64, 147, 147
        x = self.Conv2d_3b_1x1(self.maxpool1(x))  #                 N,   80,  73,  73
        x = keep("Conv2d_4a_3x3", self.Conv2d_4a_3x3(x))  #         N,  192,  71,  71
        x = self.Mixed_5c(self.Mixed_5b(self.maxpool2(x)))  #       N,  288,  35,  35
        x = keep("Mixed_5d", self.Mixed_5d(x))  #                   N,  288,  35,  35
        x = self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x))))
        x = keep("Mixed_6e", self.Mixed_6e(x))  #                   N,  768,  17,  17
        return keep("Mixed_7c", self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x))))  # N, 2048, 8, 8

    def features(self, x: Tensor) -> list[Tensor]:
        """(N, C, H, W) → the stem's two maps and those after the blocks at 35, 17 and 8."""
        return all_stages(self, x)

    def forward_features(self, x: Tensor) -> Tensor:
        """The map after the last block."""
        return self.trunk(x, keep_nothing)

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The last map → logits, or its mean over all places."""
        x = torch.flatten(self.dropout(self.avgpool(x)), 1)
        return x if pre_logits else self.fc(x)

    def forward(self, x: Tensor) -> Tensor | InceptionOutputs:
        """(N, in_channels, H, W) → logits (N, num_classes); in training with the auxiliary head both."""
        if not (self.training and self.aux_logits):
            return self.forward_head(self.forward_features(x))
        self.accepts_with_aux.check(x)
        kept = Kept()
        logits = self.forward_head(self.trunk(x, kept))
        return InceptionOutputs(logits, self.AuxLogits(kept["Mixed_6e"]))

    def initialize(self, module: nn.Module) -> None:
        """See the head of this file."""
        of_aux = isinstance(module, nn.Linear) and module.in_features == 768
        truncated_normal(module, std=0.001 if of_aux else 0.1)

    def reset_classifier(self, num_classes: int) -> None:
        """Fresh last layers for `num_classes`, that of the auxiliary head too."""
        reset_heads(self, num_classes)


@register("network")
@about(CARD, WEIGHTS)
def inception_v3(
    num_classes: int = 1000,
    in_channels: int = 3,
    *,
    aux_logits: bool = True,
    transform_input: bool | None = None,
    dropout: float = 0.5,
    weights: Source = None,
) -> Inception3:
    """Inception v3.

    Args:
        aux_logits: with the auxiliary head, which in training needs pictures of 299 and more.
        transform_input: rescale ImageNet's normalisation to [-1, 1]; by default for published weights, which need it.
    """
    rescale = wants_published(weights, WEIGHTS) if transform_input is None else transform_input
    net = Inception3(num_classes, in_channels, aux_logits=aux_logits, transform_input=rescale, dropout=dropout)
    return load(net, weights, WEIGHTS, unused=() if aux_logits else ("AuxLogits.",))
