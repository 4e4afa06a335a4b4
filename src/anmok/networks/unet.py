"""U-Net on any encoder (after Ronneberger, Fischer, Brox: U-Net, MICCAI 2015), for pictures of any size.

The encoder is a network of the zoo or of timm; its stages are the left arm of the U. The right arm goes up one
resolution a block: enlarge, put the encoder's map of that resolution beside, convolve twice. A 3×3 head gives the
classes at every pixel. (N, 3, H, W) → logits (N, num_classes, H, W). `unet_2015` is the paper's own network.

Blocks at stride s have `width` · s channels: 16 at full size, 256 at a sixteenth. Block for block this is the U-Net of
Iakubovskii's segmentation_models.pytorch, with the same number of parameters.

Initialisation: the encoder's own; decoder and head He's normal, fan in, as in the paper.
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.errors import UsageError
from anmok.core.registry import register
from anmok.networks import published
from anmok.networks._card import Card, Paper, about
from anmok.networks._encoder import Encoder
from anmok.networks._interface import reset_heads
from anmok.networks._pretrained import Source, load, wants_published

CARD = Card(
    title="U-Net on any encoder",
    paper=Paper(
        "U-Net: Convolutional Networks for Biomedical Image Segmentation",
        "Ronneberger, Fischer, Brox",
        2015,
        "MICCAI",
        "1505.04597",
    ),
    idea="Go down to see what it is, go up again to say where it is, and on the way up put the encoder's map of the "
    "same size beside: coarse knowledge and fine edges meet at every resolution.",
    fixed="Decoders that start from the coarsest map alone draw blurred outlines; and a network trained from nothing "
    "needs more annotated pictures than a laboratory has. Any pretrained network can be the left arm here.",
    cost="For 256 × 256 pixels, with the small default encoder 0.25 million parameters and 1.7 billion multiply-adds; "
    "on ResNet-34 24.4 million and 7.8 billion.",
    reach_for="Every pixel a class: cells, roads, defects, organs. The first try, and often the last. Small pictures "
    "or minutes only: as it is. Photographs: encoder='resnet34' or 'efficientnet_lite0' with weights='imagenet'.",
    avoid="Hundreds of classes in street scenes, where context beyond the receptive field decides; single objects "
    "that touch, unless their borders are learned too.",
    differences=(
        "same padding and enlarging by nearest neighbour, so that any picture size comes out as it went in; the "
        "paper's valid convolutions and learned enlarging are in unet_2015.",
        "batch normalisation after every convolution of the decoder.",
        "no skip from the picture's own resolution: encoders halve the picture first.",
    ),
    natural=256,
    smallest=8,
)


class UNet(nn.Module):
    """An encoder, one block a resolution on the way up, a head. See `unet`."""

    heads = ("head",)

    def __init__(self, encoder: Encoder, num_classes: int, width: int) -> None:
        super().__init__()
        fixed = encoder.accepts.smallest == encoder.accepts.natural
        natural = encoder.accepts.natural if fixed else CARD.natural
        self.accepts = replace(encoder.accepts, network="unet", natural=natural)
        self.encoder = encoder
        # Which of the encoder's maps has stride 2^depth; of two with one depth the later.
        self.map_at = {_depth(stage.stride): i for i, stage in enumerate(encoder.stages)}
        deepest = max(self.map_at)
        channels = encoder.stages[-1].channels
        self.bottom = Twice(channels, channels) if encoder.pooled else nn.Identity()
        self.ups = nn.ModuleList()
        for depth in reversed(range(deepest)):
            skip = encoder.stages[self.map_at[depth]].channels if depth in self.map_at and depth else 0
            self.ups.append(Up(channels, skip, width * 2**depth))
            channels = width * 2**depth
        self.head = nn.Conv2d(channels, num_classes, kernel_size=3, padding=1)
        for part in (self.bottom, self.ups, self.head):
            part.apply(self.initialize)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes, H, W)."""
        self.accepts.check(x)
        maps, height, width = self.encoder(x), x.shape[2], x.shape[3]
        x = self.bottom(maps[-1])
        for depth, up in zip(reversed(range(len(self.ups))), self.ups, strict=True):
            skip = maps[self.map_at[depth]] if up.skip else None
            like = (-(-height // 2**depth), -(-width // 2**depth)) if skip is None else (skip.shape[2], skip.shape[3])
            x = up(x, like, skip)
        return self.head(x)

    def initialize(self, module: nn.Module) -> None:
        """See the head of this file."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh head for `num_classes`."""
        reset_heads(self, num_classes)


class Twice(nn.Sequential):
    """3×3 convolution, batch normalisation, ReLU; and again. (N, channels, H, W) → (N, out, H, W)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(
            nn.Conv2d(channels, out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
            nn.Conv2d(out, out, kernel_size=3, padding=1, bias=False),
            nn.BatchNorm2d(out),
            nn.ReLU(inplace=True),
        )


class Up(nn.Module):
    """One resolution up: enlarge, put the encoder's map beside, convolve twice.

    (N, channels, h, w) and (N, skip, H, W) → (N, out, H, W).
    """

    def __init__(self, channels: int, skip: int, out: int) -> None:
        super().__init__()
        self.skip = skip
        self.convs = Twice(channels + skip, out)

    def forward(self, x: Tensor, size: tuple[int, int], skip: Tensor | None) -> Tensor:
        """To height and width `size`, those of the skip where there is one."""
        x = F.interpolate(x, size=size, mode="nearest")
        return self.convs(x if skip is None else torch.cat([x, skip], dim=1))


def _depth(stride: int) -> int:
    """How often the picture was halved, to the nearest whole number."""
    return round(math.log2(stride))


@register("segment network")
@about(CARD)
def unet(
    num_classes: int = 2,
    in_channels: int = 3,
    *,
    encoder: str = "small_resnet",
    width: int = 16,
    weights: Source = None,
) -> UNet:
    """U-Net on any encoder.

    Args:
        num_classes: classes a pixel may have, the background counted.
        in_channels: channels of the pictures.
        encoder: a classification network's name, or `timm:<name>`; also written `unet:<encoder>` where networks are
            named.
        width: channels of the decoder at full resolution, doubled at each halving.
        weights: None; `"imagenet"` and the encoder's other published names for a pretrained encoder; or the path of a
            file of the whole network.

    Raises:
        UsageError: no such encoder or weights, or the encoder hands out no maps.
    """
    if width < 1:
        raise UsageError("a decoder needs channels", got=f"width={width}", allowed="1 or more", fix="width=16")
    pretrained = weights if wants_published(weights, published(encoder)) else None
    net = UNet(Encoder(encoder, in_channels, pretrained), num_classes, width)
    return net if pretrained is not None else load(net, weights, {})
