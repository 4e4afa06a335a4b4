"""Muon: momentum whose every update is made orthogonal, so that no direction of a layer learns faster than another.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024, kellerjordan.github.io/posts/muon). A
kernel (out, in, k, k) counts as a matrix (out, in·k·k). `torch.optim.Muon` takes matrices only; here a convolutional
network's weights share one optimizer: kernels are updated by Muon; dense layers (the classifier above all, for which
the post advises against it), biases and normalisation by plain Nesterov momentum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

# The quintic that drives singular values towards 1 fastest, from the post above: not to 1 exactly, but into its
# neighbourhood, which is all an update needs.
_A, _B, _C = 3.4445, -4.7750, 2.0315


def orthogonalised(matrix: Tensor, iterations: int = 3) -> Tensor:
    """The nearest matrix (out, in) with singular values about 1, by Newton–Schulz iteration in float32."""
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(iterations):
        gram = x @ x.T
        x = _A * x + (_B * gram + _C * gram @ gram) @ x
    return x.T if tall else x


class Muon(torch.optim.Optimizer):
    """Muon for convolution kernels, Nesterov momentum for everything else.

    Args:
        params: weights or groups.
        lr: learning rate of kernels; an update moves the singular values of a square matrix by about `lr`.
        other_lr: learning rate of everything else, as a multiple of `lr`.
        momentum: of both.
        weight_decay: decoupled, times the learning rate.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.05,
        other_lr: float = 6.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "other_lr": other_lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every weight that has a gradient."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            weights = [weight for weight in group["params"] if weight.grad is not None]
            if weights:
                self._update(weights, group)
        return loss

    def _update(self, weights: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [weight.grad for weight in weights if weight.grad is not None]
        for weight in weights:
            if "momentum" not in self.state[weight]:
                self.state[weight]["momentum"] = torch.zeros_like(weight)
        velocities = [self.state[weight]["momentum"] for weight in weights]
        torch._foreach_mul_(velocities, group["momentum"])
        torch._foreach_add_(velocities, gradients)
        directions = torch._foreach_add(gradients, velocities, alpha=group["momentum"])
        for weight, direction in zip(weights, directions, strict=True):
            kernel = weight.ndim > 2
            rate = group["lr"] * (1.0 if kernel else group["other_lr"])
            if group["weight_decay"]:
                weight.mul_(1 - rate * group["weight_decay"])
            if kernel:
                matrix = orthogonalised(direction.reshape(len(direction), -1))
                rate *= max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                direction = matrix.reshape(weight.shape)
            weight.add_(direction, alpha=-rate)
