"""pix2pix (Isola, Zhu, Zhou, Efros: Image-to-Image Translation with Conditional Adversarial Networks, CVPR 2017).

A U-Net of eight halvings draws the second picture of a pair from the first; a PatchGAN that sees both judges whether
they belong together. (N, 3, 256, 256) → (N, 3, 256, 256).

Initialisation: as the paper, N(0, 0.02²), biases 0, batch normalisation N(1, 0.02²).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._generate import log2_size
from anmok.networks._interface import Accepts
from anmok.networks._pretrained import Source, load
from anmok.networks._translate import PatchGAN, initialize

CARD = Card(
    title="pix2pix",
    paper=Paper(
        "Image-to-Image Translation with Conditional Adversarial Networks",
        "Isola, Zhu, Zhou, Efros",
        2017,
        "CVPR",
        "1611.07004",
    ),
    idea="Learn from pairs what the second picture should be, with L1 for what is certain and an opponent, who sees "
    "both pictures, for what is not. One recipe for maps, sketches, colours and labels.",
    fixed="Every such task had a loss of its own, and L1 or L2 alone gave blurred averages.",
    cost="54.4 million parameters in the generator, 2.8 million in the discriminator; hours on one graphics card for "
    "some hundreds of pairs.",
    reach_for="Pairs of pictures that lie on each other pixel by pixel, a few hundred or more.",
    avoid="Unpaired folders (`cyclegan`), and answers that must be certain, as in measuring: it invents plausible "
    "detail.",
    differences=(
        "dropout, the paper's only source of chance, acts in training only unless the network is left in training "
        "mode when it answers",
        "pictures whose sides are not multiples of the generator's stride are padded by their border and cut again",
    ),
    natural=256,
    smallest=1,
)


class Down(nn.Module):
    """Leaky ReLU, a 4×4 convolution of stride 2, batch normalisation. (N, C, H, W) → (N, out, H/2, W/2)."""

    def __init__(self, channels: int, out: int, activate: bool = True, norm: bool = True) -> None:
        super().__init__()
        self.activate = nn.LeakyReLU(0.2) if activate else nn.Identity()
        self.conv = nn.Conv2d(channels, out, 4, stride=2, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(out) if norm else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """In that order."""
        return self.norm(self.conv(self.activate(x)))


class Up(nn.Module):
    """ReLU, a 4×4 transposed convolution of stride 2, batch normalisation, dropout. (N, C, H, W) → (N, out, 2H, 2W)."""

    def __init__(self, channels: int, out: int, dropout: float = 0.0, last: bool = False) -> None:
        super().__init__()
        self.conv = nn.ConvTranspose2d(channels, out, 4, stride=2, padding=1, bias=last)
        self.norm = nn.Identity() if last else nn.BatchNorm2d(out)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        """In that order."""
        return self.dropout(self.norm(self.conv(F.relu(x))))


class UNetGenerator(nn.Module):
    """Halvings down to one cell and doublings up again, each doubling given the map of its size from the way down."""

    def __init__(self, channels: int, out: int, halvings: int, width: int, dropout: float) -> None:
        super().__init__()
        self.accepts = Accepts("pix2pix", channels, CARD.smallest, natural=2**halvings)
        widths = [width * min(2**i, 8) for i in range(halvings)]  # 64 128 256 512 512 512 512 512
        last = halvings - 1
        self.down = nn.ModuleList(
            Down(before, after, activate=i > 0, norm=0 < i < last)
            for i, (before, after) in enumerate(zip([channels, *widths], widths, strict=False))
        )
        self.up = nn.ModuleList()
        for i in reversed(range(1, halvings)):
            deeper = widths[i] * (1 if i == last else 2)
            self.up.append(Up(deeper, widths[i - 1], dropout if 4 <= i < last else 0.0))
        self.up.append(Up(widths[0] * (2 if last else 1), out, last=True))

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → (N, C', H, W) in [-1, 1]."""
        self.accepts.check(x)
        height, width = x.shape[2:]
        stride = 2 ** len(self.down)
        x = F.pad(x, (0, -width % stride, 0, -height % stride), mode="replicate")
        maps = []
        for down in self.down:
            x = down(x)
            maps.append(x)  #                    N, 64, 128, 128 … N, 512, 1, 1
        x = self.up[0](maps.pop())
        for up in self.up[1:]:
            x = up(torch.cat([maps.pop(), x], 1))  # N, 512, 2, 2 … N, 3, 256, 256
        return torch.tanh(x)[:, :, :height, :width]


class Pix2Pix(nn.Module):
    """A generator, and a discriminator of pairs. See `pix2pix`."""

    heads = ()

    def __init__(self, generator: UNetGenerator, discriminator: PatchGAN) -> None:
        super().__init__()
        self.accepts = generator.accepts
        self.generator, self.discriminator = generator, discriminator

    def forward(self, x: Tensor) -> Tensor:
        """The first picture of each pair → the second."""
        return self.generator(x)

    def judge(self, x: Tensor, y: Tensor) -> Tensor:
        """Logits (N, 1, h, w), one a patch: do the pictures x and y make a pair?"""
        return self.discriminator(torch.cat([x, y], 1))


@register("translate network")
@about(CARD)
def pix2pix(
    in_channels: int = 3,
    *,
    out_channels: int | None = None,
    input_size: int = 256,
    width: int = 64,
    dropout: float = 0.5,
    layers: int = 3,
    weights: Source = None,
) -> Pix2Pix:
    """pix2pix with a U-Net that halves pictures of `input_size` (a power of two) down to one cell."""
    out = out_channels or in_channels
    halvings = log2_size("pix2pix", input_size, smallest=4)
    generator = UNetGenerator(in_channels, out, halvings, width, dropout)
    net = Pix2Pix(generator, PatchGAN("pix2pix", in_channels + out, width, layers, nn.BatchNorm2d))
    return load(net.apply(initialize), weights, {})
