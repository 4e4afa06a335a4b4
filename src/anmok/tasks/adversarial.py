"""What tasks of two players have in common: their optimizer, penalties that need exact gradients."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any

import torch
from torch import nn

BETAS = (0.5, 0.999)  # of Adam, as DCGAN's authors found: less momentum than usual, or the players overrun each other


def adam(
    networks: nn.Module | Iterable[nn.Module],
    learning_rate: float,
    betas: tuple[float, float] = BETAS,
    every: int = 1,
    eps: float = 1e-8,
) -> torch.optim.Adam:
    """Adam over all weights of one player.

    Args:
        networks: the player's network, or several.
        learning_rate: of a step.
        betas: decay of both running means.
        every: a penalty runs lazily on the same optimizer, every so many steps: rate and decay are corrected for the
            steps it adds (Karras et al., CVPR 2020, appendix B).
        eps: keeps the division finite.
    """
    players = [networks] if isinstance(networks, nn.Module) else list(networks)
    weights = [weight for network in players for weight in network.parameters() if weight.requires_grad]
    share = 1.0 if every == 1 else every / (every + 1)
    return torch.optim.Adam(weights, learning_rate * share, (betas[0] ** share, betas[1] ** share), eps, fused=True)


def in_float32(device: torch.device) -> AbstractContextManager[Any]:
    """No autocast inside: penalties differentiate gradients, which 8 bits of mantissa do not carry."""
    return torch.autocast(device.type, enabled=False)
