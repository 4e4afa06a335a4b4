"""What every network that generates offers: a generator, and the discriminator it is trained against.

    net.takes                    codes and classes the generator takes, the pictures it gives
    net.generator(z, labels)     codes (N, D) and class ids (N,) → pictures (N, C, S, S), about -1 to 1
    net.discriminator(x, labels) pictures → logits (N,): above zero means real
    net(z, labels)               net.generator(z, labels): what ships

Labels are left out where `num_classes` is 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError


@dataclass(frozen=True)
class Takes:
    """What a generator takes and gives.

    Args:
        network: the name used in errors.
        latent: numbers in a code; codes are drawn from N(0, 1).
        num_classes: classes to choose from; 0: no labels.
        channels: of the pictures it gives.
        size: their height and width.
    """

    network: str
    latent: int
    num_classes: int
    channels: int
    size: int

    def check(self, z: Tensor, labels: Tensor | None) -> None:
        """Raise `UsageError` for codes or labels that do not fit."""
        if z.ndim != 2 or z.shape[1] != self.latent:
            got, allowed = f"shape {tuple(z.shape)}", f"shape (N, {self.latent})"
            raise UsageError(f"{self.network} takes codes", got=got, allowed=allowed, fix=f"randn(n, {self.latent})")
        self.check_labels(labels)

    def check_labels(self, labels: Tensor | None) -> None:
        """Raise `UsageError` for labels where none belong, and for none where they do."""
        if (labels is not None) == (self.num_classes > 0):
            return
        if labels is None:
            allowed = f"int64 (N,), 0 to {self.num_classes - 1}"
            raise UsageError(f"{self.network} was built for classes", got="no labels", allowed=allowed)
        raise UsageError(f"{self.network} was built without classes", got="labels", fix="build it with num_classes")


@runtime_checkable
class Adversarial(Protocol):
    """The agreement, for type checkers and for `isinstance`."""

    takes: Takes
    generator: nn.Module
    discriminator: nn.Module


class Adversaries(nn.Module):
    """A generator and its discriminator under one roof."""

    heads = ()

    def __init__(self, takes: Takes, generator: nn.Module, discriminator: nn.Module) -> None:
        super().__init__()
        self.takes, self.generator, self.discriminator = takes, generator, discriminator

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Codes (N, D), class ids (N,) → pictures (N, C, S, S)."""
        return self.generator(z, labels)


def beside_code(z: Tensor, labels: Tensor | None, num_classes: int) -> Tensor:
    """Codes (N, D) with their class as one-hot numbers behind them (N, D + K): Mirza & Osindero's conditional GAN."""
    return z if labels is None else torch.cat([z, one_hot(labels, num_classes).to(z)], 1)


def beside_picture(x: Tensor, labels: Tensor | None, num_classes: int) -> Tensor:
    """Pictures (N, C, H, W) with one plane a class behind them (N, C + K, H, W), ones in the right one."""
    if labels is None:
        return x
    planes = one_hot(labels, num_classes).to(x)[:, :, None, None].expand(-1, -1, *x.shape[2:])
    return torch.cat([x, planes], 1)


def one_hot(labels: Tensor, num_classes: int) -> Tensor:
    """Class ids (N,) → (N, K). A comparison, since `F.one_hot` looks at the values, which no traced graph can."""
    return labels[:, None] == torch.arange(num_classes, device=labels.device)


def log2_size(network: str, size: int, smallest: int) -> int:
    """The power of two that `size` is. Raises `UsageError` if it is none, or below `smallest`."""
    if size >= smallest and size & (size - 1) == 0:
        return size.bit_length() - 1
    raise UsageError(
        f"{network} doubles the picture layer by layer",
        got=f"input_size={size}",
        allowed=f"a power of two from {smallest} on",
        fix=f"input_size={max(smallest, 2 ** round(math.log2(max(size, 1))))}",
    )
