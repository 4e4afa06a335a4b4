"""StyleGAN2 (Karras, Laine, Aittala, Hellsten, Lehtinen, Aila: Analyzing and Improving the Image Quality of StyleGAN,
CVPR 2020).

Styles scale the convolutions' weights instead of normalised maps, and what they did to the maps' size is undone by the
same arithmetic. Every size adds its part to the picture (skips), the discriminator is residual, nothing grows.
(N, 512) → (N, 3, S, S) → (N,). Its penalties stand in `anmok.losses.penalties`.

Initialisation: all weights N(0, 1), scaled at run time; styles begin at 1, noise strengths and biases at 0.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._generate import Adversaries, Takes, log2_size
from anmok.networks._one_size import OneSize
from anmok.networks._pretrained import Source, load
from anmok.networks._stylegan import (
    EqualConv2d,
    EqualLinear,
    Mapping,
    Noise,
    StyleGenerator,
    Verdict,
    channels_at,
    filtered,
)

CARD = Card(
    title="StyleGAN2",
    paper=Paper(
        "Analyzing and Improving the Image Quality of StyleGAN",
        "Karras, Laine, Aittala, Hellsten, Lehtinen, Aila",
        2020,
        "CVPR",
        "1912.04958",
    ),
    idea="Put the style into the convolution's weights and divide by what it would do to the maps' deviation, expected "
    "rather than measured. Let every size add to the picture, and ask that equal steps of w move it equally far.",
    fixed="StyleGAN's pictures carried blobs, made to outwit its normalisation, and teeth and eyes that stuck to "
    "places, made by growing.",
    cost="30.4 million parameters in the generator and 29.0 million in the discriminator at 1024 × 1024; at 64 × 64 "
    "with a quarter of the channels it trains overnight on one small graphics card.",
    reach_for="The best pictures of a narrow kind: faces, garments, products, some ten thousand of them.",
    avoid="Scenes of everything, where diffusion models are better; a laptop's processor beyond 64 pixels.",
    differences=(
        "leaky ReLU's gain √2 stands in the weights instead of behind the activation, so biases weigh √2 less",
        "a class enters the mapping beside z, and chooses one of the discriminator's outputs",
    ),
    natural=1024,
    smallest=8,
)
TAPS = (1, 3, 3, 1)  # the filter with which maps and pictures are resized


def modulated_conv(x: Tensor, weight: Tensor, styles: Tensor, up: bool = False) -> Tensor:
    """A convolution whose weights are w' = s·w, divided by their norm √Σw'².

    Scaling the maps before and after the convolution comes to the same as scaling its weights picture by picture.

    Args:
        x: (N, C, H, W).
        weight: (O, C, k, k).
        styles: s, (N, C).
        up: double the maps on the way.

    Returns:
        (N, O, H, W), or (N, O, 2H, 2W).

    >>> x, weight = torch.eye(2).reshape(2, 2, 1, 1), torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1)
    >>> [round(v, 6) for v in modulated_conv(x, weight, torch.tensor([[3.0, 0.5]])).flatten().tolist()]
    [0.948683, 0.316228]
    """
    norm = torch.rsqrt(styles.square() @ weight.square().sum((2, 3)).T + 1e-8)  # N, O
    x = x * styles[:, :, None, None]
    if up:
        x = filtered(F.conv_transpose2d(x, weight.transpose(0, 1), stride=2), TAPS, pad=1, gain=4)
    else:
        x = F.conv2d(x, weight, padding=weight.shape[2] // 2)
    return x * norm[:, :, None, None]


def doubled(picture: Tensor) -> Tensor:
    """(N, C, H, W) → (N, C, 2H, 2W), interpolated by the same filter."""
    line = torch.tensor(TAPS, device=picture.device, dtype=picture.dtype) / 4
    n, c, h, w = picture.shape
    larger = F.conv_transpose2d(
        picture.reshape(n * c, 1, h, w), torch.outer(line, line)[None, None], stride=2, padding=1
    )
    return larger.reshape(n, c, 2 * h, 2 * w)


class StyledConv(nn.Module):
    """A modulated convolution, noise, bias, leaky ReLU. (N, C, S, S) or half that size → (N, out, S, S)."""

    def __init__(self, channels: int, out: int, size: int, style: int, up: bool = False) -> None:
        super().__init__()
        self.up = up
        self.style = EqualLinear(style, channels, bias=1)
        self.weight = nn.Parameter(torch.randn(out, channels, 3, 3))
        self.noise = Noise(size)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(out, 1, 1))

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """In that order."""
        x = modulated_conv(x, self.weight, self.style(w), self.up)
        x = x + self.strength * self.noise(x) + self.bias
        return F.leaky_relu(x, 0.2) * math.sqrt(2)


class ToRGB(nn.Module):
    """A 1×1 convolution with modulated weights whose size is left as it is. (N, C, S, S) → (N, 3, S, S)."""

    def __init__(self, channels: int, out: int, style: int) -> None:
        super().__init__()
        self.style = EqualLinear(style, channels, bias=1)
        self.conv = EqualConv2d(channels, out, 1, gain=1)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """Maps → what they add to the picture."""
        return self.conv(x * self.style(w)[:, :, None, None])


class Block(nn.Module):
    """Two styled convolutions of one size (at 4×4 one, on the constant), and their part of the picture."""

    def __init__(self, before: int | None, channels: int, size: int, takes: Takes) -> None:
        super().__init__()
        if before is None:
            self.const = nn.Parameter(torch.randn(1, channels, size, size))
        else:
            self.conv1 = StyledConv(before, channels, size, takes.latent, up=True)
        self.conv2 = StyledConv(channels, channels, size, takes.latent)
        self.to_rgb = ToRGB(channels, takes.channels, takes.latent)

    def forward(self, x: Tensor | None, picture: Tensor | None, styles: Tensor) -> tuple[Tensor, Tensor]:
        """Maps and picture of half the size, styles (N, 3, D) → maps and picture of this size."""
        if x is None or picture is None:
            x = self.const.expand(styles.shape[0], -1, -1, -1)
        else:
            x, picture = self.conv1(x, styles[:, 0]), doubled(picture)
        x = self.conv2(x, styles[:, 1])
        part = self.to_rgb(x, styles[:, 2])
        return x, part if picture is None else picture + part


class Synthesis(nn.Module):
    """From the constant to a picture, one block a size."""

    def __init__(self, takes: Takes, widths: list[int]) -> None:
        super().__init__()
        before = [None, *widths[:-1]]
        self.blocks = nn.ModuleList(
            Block(b, c, 4 * 2**i, takes) for i, (b, c) in enumerate(zip(before, widths, strict=True))
        )

    def forward(self, styles: Tensor) -> Tensor:
        """(N, layers, D) → (N, C, S, S). A picture's part shares its style with the next block's first layer."""
        x, picture = None, None
        for i, block in enumerate(self.blocks):
            own = [max(0, 2 * i - 1), 2 * i, 2 * i + 1]
            x, picture = block(x, picture, styles[:, own])  # N, 512, 4, 4 … N, 32, 1024, 1024
        assert picture is not None
        return picture


class ResidualDown(nn.Module):
    """Two convolutions beside a 1×1 one; both ways halve the maps. (N, C, S, S) → (N, out, S/2, S/2)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv1 = EqualConv2d(channels, channels, 3)
        self.conv2 = EqualConv2d(channels, out, 3, stride=2, padding=0)
        self.skip = EqualConv2d(channels, out, 1, gain=1, stride=2, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Their sum, divided by √2 to keep its size."""
        shortcut = self.skip(filtered(x, TAPS, pad=1))
        x = F.leaky_relu(self.conv1(x), 0.2)
        x = F.leaky_relu(self.conv2(filtered(x, TAPS, pad=2)), 0.2)
        return (x + shortcut) / math.sqrt(2)


class Discriminator(nn.Module):
    """Residual blocks down to 4×4."""

    def __init__(self, takes: Takes, widths: list[int]) -> None:
        super().__init__()
        self.takes = takes
        self.accepts = OneSize(
            "the discriminator of stylegan2", takes.channels, smallest=takes.size, natural=takes.size
        )
        self.from_rgb = EqualConv2d(takes.channels, widths[-1], 1)
        self.blocks = nn.Sequential(*(ResidualDown(a, b) for a, b in pairwise(reversed(widths))))
        self.verdict = Verdict(widths[0], takes.num_classes)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, C, S, S), class ids (N,) → logits (N,)."""
        self.accepts.check(x)
        self.takes.check_labels(labels)
        x = F.leaky_relu(self.from_rgb(x), 0.2)  #     N,  32, 1024, 1024
        return self.verdict(self.blocks(x), labels)  # N, 512, 4, 4 → N


@register("generate network")
@about(CARD)
def stylegan2(
    num_classes: int = 0,
    in_channels: int = 3,
    *,
    input_size: int = 1024,
    latent: int = 512,
    base: int = 32768,
    widest: int = 512,
    mapping_layers: int = 8,
    weights: Source = None,
) -> Adversaries:
    """StyleGAN2, configuration F, for pictures of `input_size` (8, 16, 32 …).

    Maps of size s have `base` / s channels, at most `widest`.
    """
    sizes = log2_size("stylegan2", input_size, CARD.smallest) - 1
    widths = [channels_at(4 * 2**i, base, widest) for i in range(sizes)]
    takes = Takes("stylegan2", latent, num_classes, in_channels, input_size)
    generator = StyleGenerator(takes, Mapping(takes, latent, mapping_layers), Synthesis(takes, widths), 2 * sizes)
    return load(Adversaries(takes, generator, Discriminator(takes, widths)), weights, {})
