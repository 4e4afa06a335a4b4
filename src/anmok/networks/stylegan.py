"""StyleGAN (Karras, Laine, Aila: A Style-Based Generator Architecture for Generative Adversarial Networks, CVPR 2019).

Noise is first mapped to w. The picture grows from a learned 4×4 constant; w enters every layer as the scale and shift
of its normalised maps (AdaIN), and fresh noise as everything that is left to chance. (N, 512) → (N, 3, S, S) → (N,).

Growing (Karras et al.: Progressive Growing of GANs, ICLR 2018): with `progressive`, both networks take `growth`, the
number of doublings done so far; 2.5 means 16×16, half faded into 32×32. Pictures then have the grown size.

Initialisation: all weights N(0, 1), scaled at run time; the constant 1; noise strengths and biases 0.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.errors import UsageError
from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._generate import Adversaries, Takes, log2_size
from anmok.networks._interface import Accepts
from anmok.networks._pretrained import Source, load
from anmok.networks._stylegan import (
    EqualConv2d,
    EqualLinear,
    Growth,
    Mapping,
    Noise,
    StyleGenerator,
    Verdict,
    channels_at,
    filtered,
)

CARD = Card(
    title="StyleGAN",
    paper=Paper(
        "A Style-Based Generator Architecture for Generative Adversarial Networks",
        "Karras, Laine, Aila",
        2019,
        "CVPR",
        "1812.04948",
    ),
    idea="Give the code not to the first layer but, after a mapping that untangles it, to every layer as a style; give "
    "chance its own way in. Coarse layers then decide pose and shape, fine ones colour and texture.",
    fixed="In earlier generators one vector had to mean everything at once: directions in it were entangled, and "
    "nothing said which of its effects were style and which mere chance.",
    cost="26.2 million parameters in the generator and 23.1 million in the discriminator at 1024 × 1024, where it took "
    "a week on eight graphics cards; far less below 64 pixels with narrower layers.",
    reach_for="Mixing styles, walks through a space that is nearly linear, and reading how it came about.",
    avoid="New work: `stylegan2` removes its blobs and its growing. Fewer than some thousand pictures.",
    differences=(
        "below its full size the discriminator sees pictures of the grown size, not enlarged ones",
        "a class chooses one of the discriminator's outputs, as in the authors' code, which the paper does not treat",
    ),
    natural=1024,
    smallest=8,
)


def spread(weight: Tensor) -> Tensor:
    """A 3×3 kernel spread over two neighbouring cells each way, (…, 4, 4): resizing and convolving in one step."""
    w = F.pad(weight, (1, 1, 1, 1))
    return w[..., 1:, 1:] + w[..., :-1, 1:] + w[..., 1:, :-1] + w[..., :-1, :-1]


def blurred(x: Tensor) -> Tensor:
    """Maps smoothed by [1 2 1] / 4 each way."""
    return filtered(x, (1, 2, 1), pad=1)


class UpConv(EqualConv2d):
    """Each cell doubled, a 3×3 convolution, smoothing. (N, C, H, W) → (N, out, 2H, 2W)."""

    def forward(self, x: Tensor) -> Tensor:
        """As one transposed convolution."""
        weight = spread((self.weight * self.scale).flip(2, 3)).transpose(0, 1)
        return blurred(F.conv_transpose2d(x, weight, stride=2, padding=1))


class DownConv(EqualConv2d):
    """Smoothing, a 3×3 convolution, each 2×2 cells averaged. (N, C, H, W) → (N, out, H/2, W/2)."""

    def forward(self, x: Tensor) -> Tensor:
        """As one convolution of stride 2."""
        return F.conv2d(blurred(x), spread(self.weight * self.scale) / 4, self.bias, stride=2, padding=1)


class Epilogue(nn.Module):
    """What follows each convolution: noise, bias, leaky ReLU, instance normalisation, style."""

    def __init__(self, channels: int, size: int, style: int) -> None:
        super().__init__()
        self.noise = Noise(size)
        self.strength = nn.Parameter(torch.zeros(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))
        self.style = EqualLinear(style, 2 * channels)

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(N, C, S, S), (N, D) → (N, C, S, S)."""
        x = x + self.strength * self.noise(x) + self.bias
        x = F.instance_norm(F.leaky_relu(x, 0.2), eps=1e-8)
        scale, shift = self.style(w)[:, :, None, None].chunk(2, 1)
        return x * (scale + 1) + shift


class Block(nn.Module):
    """Two styled layers of one size; the first doubles the maps it is given, or is the constant they begin as."""

    def __init__(self, before: int | None, channels: int, size: int, style: int) -> None:
        super().__init__()
        if before is None:
            self.const = nn.Parameter(torch.ones(1, channels, size, size))
        else:
            self.conv1 = UpConv(before, channels, 3, bias=False)
        self.epilogue1 = Epilogue(channels, size, style)
        self.conv2 = EqualConv2d(channels, channels, 3, bias=False)
        self.epilogue2 = Epilogue(channels, size, style)

    def forward(self, x: Tensor | None, styles: Tensor) -> Tensor:
        """(N, before, S/2, S/2) or nothing, (N, 2, D) → (N, channels, S, S)."""
        x = self.const.expand(styles.shape[0], -1, -1, -1) if x is None else self.conv1(x)
        x = self.epilogue1(x, styles[:, 0])
        return self.epilogue2(self.conv2(x), styles[:, 1])


class Synthesis(nn.Module):
    """From the constant to a picture, one block a size."""

    def __init__(self, takes: Takes, widths: list[int], progressive: bool) -> None:
        super().__init__()
        before = [None, *widths[:-1]]
        self.blocks = nn.ModuleList(
            Block(b, c, 4 * 2**i, takes.latent) for i, (b, c) in enumerate(zip(before, widths, strict=True))
        )
        shown = widths if progressive else widths[-1:]
        self.to_rgb = nn.ModuleList(EqualConv2d(c, takes.channels, 1, gain=1) for c in shown)

    def forward(self, styles: Tensor, growth: Growth = None) -> Tensor:
        """(N, layers, D) → (N, C, S, S), or (N, C, s, s) of the grown size."""
        last, share = grown(growth, len(self.blocks), len(self.to_rgb))
        x, before = None, None
        for i, block in enumerate(self.blocks[: last + 1]):
            x, before = block(x, styles[:, 2 * i : 2 * i + 2]), x  # N, 512, 4, 4 … N, 16, 1024, 1024
        if share == 1:
            return self.to_rgb[last if growth is not None else -1](x)
        return torch.lerp(F.interpolate(self.to_rgb[last - 1](before), scale_factor=2), self.to_rgb[last](x), share)


class DownBlock(nn.Module):
    """Two convolutions; the second halves the maps."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.conv1 = EqualConv2d(channels, channels, 3)
        self.conv2 = DownConv(channels, out, 3)

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, S, S) → (N, out, S/2, S/2)."""
        return F.leaky_relu(self.conv2(F.leaky_relu(self.conv1(x), 0.2)), 0.2)


class Discriminator(nn.Module):
    """Progressive GAN's discriminator: one block a size, down to 4×4."""

    def __init__(self, takes: Takes, widths: list[int], progressive: bool) -> None:
        super().__init__()
        self.takes = takes
        shown = widths if progressive else widths[-1:]
        self.from_rgb = nn.ModuleList(EqualConv2d(takes.channels, c, 1) for c in shown)
        self.blocks = nn.ModuleList(DownBlock(c, out) for out, c in pairwise(widths))
        self.verdict = Verdict(widths[0], takes.num_classes)

    def forward(self, x: Tensor, labels: Tensor | None = None, growth: Growth = None) -> Tensor:
        """(N, C, S, S), or of the grown size, class ids (N,) → logits (N,)."""
        last, share = grown(growth, len(self.blocks) + 1, len(self.from_rgb))
        Accepts("the discriminator of stylegan", self.takes.channels, 4 * 2**last, self.takes.size).check(x)
        self.takes.check_labels(labels)
        h = F.leaky_relu(self.from_rgb[last if growth is not None else -1](x), 0.2)
        if last:
            h = self.blocks[last - 1](h)
        if share < 1:
            coarse = F.leaky_relu(self.from_rgb[last - 1](F.avg_pool2d(x, 2)), 0.2)
            h = torch.lerp(coarse, h, share)
        for block in reversed(self.blocks[: max(0, last - 1)]):
            h = block(h)
        return self.verdict(h, labels)


def grown(growth: Growth, blocks: int, shown: int) -> tuple[int, float]:
    """The finest block in use, counted from 0, and its share in the picture, above 0 to 1."""
    if growth is None:
        return blocks - 1, 1.0
    if shown < blocks:
        raise UsageError("this stylegan was built at a fixed size", got=f"growth={growth}", fix="progressive=True")
    if not 0 <= growth <= blocks - 1:
        raise UsageError("growth counts doublings of 4×4", got=growth, allowed=f"0 to {blocks - 1}")
    last = math.ceil(growth)
    return last, 1.0 if growth == last else growth - (last - 1)


@register("generate network")
@about(CARD)
def stylegan(
    num_classes: int = 0,
    in_channels: int = 3,
    *,
    input_size: int = 1024,
    latent: int = 512,
    base: int = 16384,
    widest: int = 512,
    progressive: bool = False,
    weights: Source = None,
) -> Adversaries:
    """StyleGAN for pictures of `input_size` (8, 16, 32 …).

    Maps of size s have `base` / s channels, at most `widest`. `progressive`: built to grow, see above.
    """
    sizes = log2_size("stylegan", input_size, CARD.smallest) - 1
    widths = [channels_at(4 * 2**i, base, widest) for i in range(sizes)]
    takes = Takes("stylegan", latent, num_classes, in_channels, input_size)
    mapping = Mapping(takes, latent, layers=8)
    generator = StyleGenerator(takes, mapping, Synthesis(takes, widths, progressive), layers=2 * sizes)
    return load(Adversaries(takes, generator, Discriminator(takes, widths, progressive)), weights, {})
