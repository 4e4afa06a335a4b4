"""Has a network learned anything? Told from its weights alone.

Weights drawn at random form matrices whose largest singular value follows from their size and spread (Marchenko &
Pastur 1967). Learning writes correlations into them, and single values leave that bulk (Martin & Mahoney 2021,
"Implicit Self-Regularization in Deep Neural Networks"). So each matrix is compared with itself, its entries shuffled.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anmok.core.seeds import derive

SHUFFLES = 16
ROUNDS = 24
MOST_LAYERS = 24  # evenly spaced, the last included
MOST_ROWS, MOST_COLUMNS = 256, 512  # larger matrices are judged by evenly spaced rows and columns


def learned_structure(network: nn.Module, seed: int = 0) -> float:
    """By how many standard deviations the weights' largest singular value exceeds its shuffles', at the best layer.

    Random weights stay below about 4, whatever their law and scale, as long as their entries are independent; a small
    network is beyond 20 after an epoch of training. 0 for a network without weight matrices.
    """
    generator = torch.Generator().manual_seed(derive(seed, "shuffle"))
    weights = [weight for weight in network.parameters() if weight.ndim >= 2 and min(weight.flatten(1).shape) >= 2]
    chosen = weights[::-1][:: max(1, -(-len(weights) // MOST_LAYERS))]
    return max((_excess(_matrix(weight), generator) for weight in chosen), default=0.0)


def _matrix(weight: Tensor) -> Tensor:
    """Output channels × everything else, float32, not too large."""
    matrix = weight.detach().to("cpu", torch.float32).flatten(1)
    rows, columns = (-(-size // most) for size, most in zip(matrix.shape, (MOST_ROWS, MOST_COLUMNS), strict=True))
    return matrix[::rows, ::columns]


def _excess(matrix: Tensor, generator: torch.Generator) -> float:
    entries = matrix.flatten()
    shuffles = torch.stack([entries[torch.randperm(entries.numel(), generator=generator)] for _ in range(SHUFFLES)])
    tops = _largest_singular(torch.cat([entries[None], shuffles]).view(-1, *matrix.shape))
    spread = float(tops[1:].std())
    return float(tops[0] - tops[1:].mean()) / spread if spread > 1e-9 * float(tops[0]) else 0.0


def _largest_singular(matrices: Tensor) -> Tensor:
    """Of each of (K, rows, columns), by the power method: a value that left the bulk is found in a few rounds, and one
    within it is underestimated alike for the matrix and its shuffles."""
    vectors = torch.ones(len(matrices), matrices.shape[2], 1)
    vectors[:, ::2] *= 0.5  # not the mean alone, which shuffling keeps
    for _ in range(ROUNDS):
        vectors = matrices.mT @ (matrices @ vectors)
        vectors = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-30)
    return (matrices @ vectors).norm(dim=(1, 2))
