"""Muon: momentum whose every update is made orthogonal, so that no direction of a layer learns faster than another.

Jordan et al., "Muon: An optimizer for hidden layers in neural networks" (2024, kellerjordan.github.io/posts/muon). A
kernel (out, in, k, k) counts as a matrix (out, in·k·k). `torch.optim.Muon` takes matrices only; here a convolutional
network's weights share one optimizer: kernels are updated by Muon; dense layers (the classifier above all, for which
the post advises against it), biases and normalisation by plain Nesterov momentum.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor

# The quintic that drives singular values towards 1 fastest, from the post above: not to 1 exactly, but into its
# neighbourhood, which is all an update needs.
_A, _B, _C = 3.4445, -4.7750, 2.0315
_LARGE = 64  # shorter side from which a matrix is worth turning into bf16 and back


def orthogonalised(matrices: Sequence[Tensor], iterations: int = 3, half: bool = False) -> list[Tensor]:
    """For each matrix (out, in) the nearest one with singular values about 1, by Newton–Schulz iteration in float32.

    Every iterate is a polynomial of X·Xᵀ times X, so the iteration runs on that small square matrix alone, for all
    matrices of one smaller side at once: a network has tens of kernels, each too small to be worth a call of its own.

    `half`: large ones in bf16, as in the post. Singular values still end near 1 (0.99 to 1.20 of a random 512 × 4,608
    against 1.00 to 1.20), and ResNet-18's U-Net takes 0.13 s instead of 0.30 s (one core with AMX).
    """
    wide = [matrix.T if matrix.shape[0] > matrix.shape[1] else matrix for matrix in matrices]
    wide = [matrix / (matrix.norm() + 1e-7) for matrix in wide]
    sides: dict[int, list[int]] = {}
    for number, matrix in enumerate(wide):
        sides.setdefault(len(matrix), []).append(number)
    for side, numbers in sides.items():
        own = [wide[number].bfloat16() if half and side >= _LARGE else wide[number] for number in numbers]
        factors = _newton_schulz(torch.stack([matrix @ matrix.T for matrix in own]), iterations)
        for number, matrix, factor in zip(numbers, own, factors.unbind(), strict=True):
            wide[number] = (factor @ matrix).to(wide[number].dtype)
    return [
        result.T if matrix.shape[0] > matrix.shape[1] else result for matrix, result in zip(matrices, wide, strict=True)
    ]


def _newton_schulz(gram: Tensor, iterations: int) -> Tensor:
    """P (n, m, m) such that P·X is the last iterate, from X·Xᵀ (n, m, m)."""
    unit = torch.eye(gram.shape[1], dtype=gram.dtype, device=gram.device)
    product: Tensor | None = None
    for iteration in range(iterations):
        step = _A * unit + _B * gram + _C * gram @ gram
        product = step if product is None else step @ product
        if iteration + 1 < iterations:
            gram = step @ gram @ step
    return unit.expand_as(gram) if product is None else product


class Muon(torch.optim.Optimizer):
    """Muon for convolution kernels, Nesterov momentum for everything else.

    Args:
        params: weights or groups; of a group with `hidden` true, dense layers' matrices are updated as kernels are.
        lr: learning rate of kernels; an update moves the singular values of a square matrix by about `lr`.
        other_lr: learning rate of everything else, as a multiple of `lr`.
        momentum: of both.
        weight_decay: decoupled, times the learning rate.
        half: orthogonalise large kernels' updates in bf16, for processors that compute in it.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 0.05,
        other_lr: float = 6.0,
        momentum: float = 0.9,
        weight_decay: float = 0.0,
        half: bool = False,
    ) -> None:
        super().__init__(params, {"lr": lr, "other_lr": other_lr, "momentum": momentum, "weight_decay": weight_decay})
        self.half = half

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
        least = 1 if group.get("hidden") else 2  # dimensions that a vector or a last layer has
        kernels = [direction.flatten(1) for direction in directions if direction.ndim > least]
        turned = iter(orthogonalised(kernels, half=self.half))
        for weight, direction in zip(weights, directions, strict=True):
            kernel = weight.ndim > least
            rate = group["lr"] * (1.0 if kernel else group["other_lr"])
            if group["weight_decay"]:
                weight.mul_(1 - rate * group["weight_decay"])
            if kernel:
                matrix = next(turned)
                rate *= max(1.0, matrix.shape[0] / matrix.shape[1]) ** 0.5
                direction = matrix.view(weight.shape)
            weight.add_(direction, alpha=-rate)
