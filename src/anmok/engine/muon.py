"""Muon: momentum whose every update is made orthogonal, so that no direction of a layer learns faster than another.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024, kellerjordan.github.io/posts/muon). A
kernel (out, in, k, k) counts as a matrix (out, in·k·k). `torch.optim.Muon` takes matrices only; here kernels, matrices
and vectors share one optimizer: what has one dimension (biases, normalisation) is updated by plain Nesterov momentum.
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
    """Muon for kernels and matrices, Nesterov momentum for vectors.

    Args:
        params: weights or groups.
        lr: learning rate of kernels and matrices; an update moves a square matrix's singular values by about `lr`.
        vector_lr: learning rate of vectors, as a multiple of `lr`.
        momentum: of both.
        weight_decay: decoupled, times the learning rate.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.05,
        vector_lr: float = 6.0,
        momentum: float = 0.6,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "vector_lr": vector_lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """One update of every weight that has a gradient."""
        loss = None if closure is None else closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._update(weight, weight.grad, group)
        return loss

    def _update(self, weight: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        state, rate, momentum = self.state[weight], group["lr"], group["momentum"]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        velocity = state["momentum"].mul_(momentum).add_(gradient)
        direction = gradient.add(velocity, alpha=momentum)
        if group["weight_decay"]:
            weight.mul_(1 - rate * group["weight_decay"])
        if weight.ndim < 2:
            weight.add_(direction, alpha=-rate * group["vector_lr"])
            return
        update = orthogonalised(direction.reshape(len(direction), -1))
        scale = max(1.0, update.shape[0] / update.shape[1]) ** 0.5
        weight.add_(update.reshape(weight.shape), alpha=-rate * scale)
