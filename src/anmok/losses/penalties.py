"""Penalties on gradients that keep the game between generator and discriminator from running away.

They need gradients of gradients, so call them outside of autocast. A penalty evaluated only every k-th step ("lazily",
Karras et al. 2020) is weighed k times as much by its caller.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from anmok.core.errors import UsageError

Discriminator = Callable[[Tensor], Tensor]


def gradient_penalty(discriminator: Discriminator, real: Tensor, fake: Tensor, weight: float = 10.0) -> Tensor:
    """WGAN-GP: λ (‖∇D(x̂)‖ − 1)² between each real picture and its drawn neighbour (Gulrajani et al., NeurIPS 2017).

    Args:
        discriminator: pictures (N, C, H, W) → verdicts, none of which may depend on another picture (no batch norm).
        real, fake: of the same shape; where x̂ lies between them is drawn from torch's generator.
        weight: λ.

    Raises:
        UsageError: `real` and `fake` differ in shape.
    """
    if real.shape != fake.shape:
        raise UsageError("each real picture needs a drawn one", got=tuple(fake.shape), allowed=tuple(real.shape))
    share = torch.rand(len(real), *[1] * (real.ndim - 1), device=real.device, dtype=real.dtype)
    between = torch.lerp(real.detach(), fake.detach(), share)
    return weight * (_slopes(discriminator, between).norm(2, 1) - 1).square().mean()


def r1_penalty(discriminator: Discriminator, real: Tensor, gamma: float = 10.0) -> Tensor:
    """R1: γ/2 · ‖∇D(real)‖² (Mescheder, Geiger, Nowozin, ICML 2018): at the optimum D is flat where the data lie."""
    return gamma / 2 * _slopes(discriminator, real.detach()).square().sum(1).mean()


def _slopes(discriminator: Discriminator, pictures: Tensor) -> Tensor:
    """Each picture's gradient of its verdicts, (N, C·H·W)."""
    pictures = pictures.requires_grad_()
    (slopes,) = torch.autograd.grad(discriminator(pictures).sum(), pictures, create_graph=True)
    return slopes.flatten(1).float()


def path_length(pictures: Tensor, styles: Tensor, noise: Tensor | None = None) -> Tensor:
    """How far pictures move for a small step of their styles, in a random direction of pixels: (N,).

    ‖Jᵀ y‖ for y ~ N(0, 1)/√(H·W) (Karras et al.: Analyzing and Improving the Image Quality of StyleGAN, CVPR 2020).

    Args:
        pictures: (N, C, H, W), computed from `styles`.
        styles: (N, layers, D), requiring gradients; squares are summed over D and averaged over layers.
        noise: y·√(H·W), of the pictures' shape; drawn where it is left out.
    """
    noise = torch.randn_like(pictures) if noise is None else noise
    moved = (pictures * noise).sum() / math.sqrt(pictures.shape[2] * pictures.shape[3])
    (slopes,) = torch.autograd.grad(moved, styles, create_graph=True)
    return slopes.float().square().sum(2).mean(1).sqrt()


def path_length_penalty(lengths: Tensor, mean: Tensor, decay: float = 0.01) -> tuple[Tensor, Tensor]:
    """(length − their running mean)², and the mean moved by `decay` towards these lengths.

    Args:
        lengths: (N,), from `path_length`.
        mean: the running mean so far, a scalar; 0 at the start.

    >>> penalty, mean = path_length_penalty(torch.tensor([2.0, 4.0]), torch.tensor(0.0), decay=0.5)
    >>> penalty.item(), mean.item()   # mean ½·3; (0.5² + 2.5²) / 2
    (3.25, 1.5)
    """
    mean = torch.lerp(mean, lengths.detach().mean(), decay)
    return (lengths - mean).square().mean(), mean
