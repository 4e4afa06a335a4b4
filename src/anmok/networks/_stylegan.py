"""What both StyleGAN papers' files are built of, and how their pictures are asked for.

net.generator(z, labels, truncation=0.7)   codes (N, 512) → pictures (N, C, S, S)
styles = net.generator.styles(z, labels)   (N, layers, 512): the layers' own copies of w, to be mixed
net.generator.synthesis(styles)            pictures from styles
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.networks._generate import Takes, one_hot

Growth = float | None


class EqualLinear(nn.Module):
    """A dense layer whose weights are all drawn from N(0, 1) and scaled at run time (Karras et al., ICLR 2018).

    Every weight then has the same range, and Adam moves all layers at the same speed. `slower`: the layer learns so
    many times slower than the rest. `bias`: where biases start.
    """

    def __init__(self, channels: int, out: int, gain: float = 1.0, slower: float = 1.0, bias: float = 0.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, channels) / slower)
        self.bias = nn.Parameter(torch.full((out,), bias / slower))
        self.scale, self.slower = gain * slower / math.sqrt(channels), slower

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels) → (N, out)."""
        return F.linear(x, self.weight * self.scale, self.bias * self.slower)


class EqualConv2d(nn.Module):
    """A convolution with weights scaled at run time, see `EqualLinear`; "same" unless `padding` says otherwise."""

    def __init__(self, channels: int, out: int, kernel: int, *, gain: float = math.sqrt(2), stride: int = 1,
                 padding: int | None = None, bias: bool = True) -> None:  # fmt: skip
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        self.scale, self.stride = gain / (kernel * math.sqrt(channels)), stride
        self.padding = kernel // 2 if padding is None else padding

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) → (N, out, H', W')."""
        return F.conv2d(x, self.weight * self.scale, self.bias, self.stride, self.padding)


def pixel_norm(x: Tensor) -> Tensor:
    """Each picture's (or pixel's) vector to a mean square of 1: (N, D, …) → the same shape.

    >>> [round(value, 6) for value in pixel_norm(torch.tensor([[3.0, 4.0]]))[0].tolist()]
    [0.848528, 1.131371]
    """
    return x * torch.rsqrt(x.square().mean(1, keepdim=True) + 1e-8)


class Mapping(nn.Module):
    """Z → w: eight dense layers that learn a hundred times slower than the rest. (N, 512) → (N, 512).

    A class enters as a vector of its own beside z. `w_mean` is the running mean of all w met in training, from which
    truncation measures.
    """

    w_mean: Tensor

    def __init__(self, takes: Takes, width: int, layers: int, decay: float = 0.995) -> None:
        super().__init__()
        self.takes, self.decay = takes, decay
        embedded = takes.latent if takes.num_classes else 0
        self.embed = EqualLinear(takes.num_classes, embedded) if takes.num_classes else None
        widths = [takes.latent + embedded] + [width] * layers
        gain = math.sqrt(2)
        self.layers = nn.ModuleList(EqualLinear(a, width, gain, slower=0.01) for a in widths[:-1])
        self.register_buffer("w_mean", torch.zeros(width))

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, latent), class ids (N,) → w."""
        self.takes.check(z, labels)
        w = pixel_norm(z)
        if self.embed is not None and labels is not None:
            w = torch.cat([w, pixel_norm(self.embed(one_hot(labels, self.takes.num_classes).to(z)))], 1)
        for layer in self.layers:
            w = F.leaky_relu(layer(w), 0.2)
        if self.training:
            self.w_mean.lerp_(w.detach().float().mean(0), 1 - self.decay)
        return w


class StyleGenerator(nn.Module):
    """A mapping and a synthesis network."""

    def __init__(self, takes: Takes, mapping: Mapping, synthesis: nn.Module, layers: int) -> None:
        super().__init__()
        self.takes, self.mapping, self.synthesis, self.layers = takes, mapping, synthesis, layers

    def styles(self, z: Tensor, labels: Tensor | None = None, truncation: float = 1.0, cutoff: int = 8) -> Tensor:
        """One w a layer, (N, layers, D); the first `cutoff` of them drawn towards the mean by `truncation`.

        1 keeps all variety, 0 gives the mean picture; the papers show 0.7.
        """
        w = self.mapping(z, labels)[:, None].expand(-1, self.layers, -1)
        if truncation == 1:
            return w
        strength = torch.ones(self.layers, 1, device=w.device, dtype=w.dtype)
        strength[:cutoff] = truncation
        return torch.lerp(self.mapping.w_mean.to(w), w, strength)

    def forward(
        self, z: Tensor, labels: Tensor | None = None, truncation: float = 1.0, growth: Growth = None
    ) -> Tensor:
        """(N, latent), class ids (N,) → pictures (N, C, S, S), about -1 to 1. `growth`: see `stylegan`."""
        styles = self.styles(z, labels, truncation)
        return self.synthesis(styles) if growth is None else self.synthesis(styles, growth)


def mix_styles(styles: Tensor, others: Tensor, crossover: int | Tensor) -> Tensor:
    """The first `crossover` layers of `styles`, the rest of `others`: coarse traits of the one, fine of the other.

    styles, others: (N, layers, D). crossover: one number for all pictures, or one a picture (N,).
    """
    first = torch.as_tensor(crossover, device=styles.device).reshape(-1, 1, 1)
    layer = torch.arange(styles.shape[1], device=styles.device).reshape(1, -1, 1)
    return torch.where(layer < first, styles, others)


class Noise(nn.Module):
    """One plane of noise a picture, in evaluation always the same one; weighed by the caller."""

    plane: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("plane", torch.randn(1, 1, size, size))

    def forward(self, x: Tensor) -> Tensor:
        """A plane (N or 1, 1, S, S) for maps (N, C, S, S)."""
        return torch.randn_like(x[:, :1]) if self.training else self.plane.to(x)


class MinibatchDeviation(nn.Module):
    """One more map that says how much pictures differ within groups of four: collapse becomes visible.

    (N, C, H, W) → (N, C + 1, H, W). Deviations are taken over each group, averaged over channels and places. Groups
    are of the largest size up to `group` that divides the batch.
    """

    def __init__(self, group: int = 4) -> None:
        super().__init__()
        self.group = group

    def forward(self, x: Tensor) -> Tensor:
        """Maps and one more."""
        n, c, h, w = x.shape
        size = next(size for size in range(min(self.group, n), 0, -1) if n % size == 0)
        groups = x.reshape(size, n // size, c, h, w)
        variance = (groups - groups.mean(0)).square().mean(0)
        deviation = (variance + 1e-8).sqrt().mean((1, 2, 3))  # one number a group
        plane = deviation.repeat(size).reshape(n, 1, 1, 1).expand(n, 1, h, w)
        return torch.cat([x, plane.to(x)], 1)


class Verdict(nn.Module):
    """The discriminators' end: 4×4 maps → one logit a picture, of its class's own output where there are classes."""

    def __init__(self, channels: int, num_classes: int) -> None:
        super().__init__()
        self.deviation = MinibatchDeviation()
        self.conv = EqualConv2d(channels + 1, channels, 3)
        self.fc = EqualLinear(channels * 16, channels, gain=math.sqrt(2))
        self.output = EqualLinear(channels, max(1, num_classes))

    def forward(self, x: Tensor, labels: Tensor | None) -> Tensor:
        """(N, channels, 4, 4), class ids (N,) → (N,)."""
        x = F.leaky_relu(self.conv(self.deviation(x)), 0.2)
        x = self.output(F.leaky_relu(self.fc(torch.flatten(x, 1)), 0.2))
        return x[:, 0] if labels is None else x.gather(1, labels[:, None])[:, 0]


def filtered(x: Tensor, taps: tuple[float, ...], pad: int, gain: float = 1.0) -> Tensor:
    """Every map smoothed by a separable filter whose taps are scaled to sum to 1, then by `gain`; zeros around."""
    line = torch.tensor(taps, device=x.device, dtype=x.dtype)
    line = line / line.sum() * math.sqrt(gain)
    n, c, h, w = x.shape
    maps = F.pad(x.reshape(n * c, 1, h, w), (pad, pad, pad, pad))
    maps = F.conv2d(F.conv2d(maps, line.reshape(1, 1, 1, -1)), line.reshape(1, 1, -1, 1))
    return maps.reshape(n, c, *maps.shape[2:])


def channels_at(size: int, base: int, widest: int) -> int:
    """Channels of maps of `size`: `base` / size, at most `widest`."""
    return max(1, min(base // size, widest))
