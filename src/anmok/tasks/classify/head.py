"""A linear head on frozen features, fitted to convergence; how much it is held back is chosen on validation.

Multinomial logistic regression: the mean cross entropy plus λ/2 · ‖W‖² has one minimum, found by L-BFGS (Liu & Nocedal,
1989). The weights for one λ are the start for the next, from the strongest to the weakest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PENALTIES = tuple(10.0 ** (step / 2) for step in range(0, -13, -1))  # 1 to 10⁻⁶
UNSEEN = 1e-2  # the penalty where there is no validation to choose by
Tried = tuple[float, float, float]
Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""(logits, targets, weights of the classes) → mean, to be minimised; convex in the logits."""
_WORSE = 2  # penalties in a row that must be worse before weaker ones are not tried


@dataclass(frozen=True)
class Head:
    """A fitted linear layer.

    Args:
        weight, bias: float32 (classes, D) and (classes,), for features as they come.
        penalty: the λ chosen.
        tried: (λ, validation loss in nats, share of right validation decisions) of each; empty without validation.
    """

    weight: Tensor
    bias: Tensor
    penalty: float
    tried: tuple[Tried, ...] = ()

    def __call__(self, features: Tensor) -> Tensor:
        """(N, D) → logits (N, classes)."""
        return F.linear(features, self.weight, self.bias)


def softmax_loss(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Cross entropy: a picture is of one class."""
    return F.cross_entropy(logits, targets, weight=weights)


def fit_head(
    features: np.ndarray, targets: np.ndarray, classes: int,
    validation: tuple[np.ndarray, np.ndarray] | None = None, weights: Sequence[float] | None = None,
    loss_of: Loss = softmax_loss,
) -> Head:  # fmt: skip
    """Fit a head to features (N, D) and class ids (N,), or to whatever targets `loss_of` takes.

    Args:
        features: float32, of any scale: they are standardised here, and the head is given back for the raw ones.
        targets: int64 (N,), or zeros and ones (N, C).
        classes: how many there are.
        validation: features and targets by whose loss λ is chosen.
        weights: of each class in the loss; None: all count alike.
    """
    x, y = torch.from_numpy(features), torch.from_numpy(targets)
    mean, spread = x.mean(0), x.std(0).clamp_min(1e-6)
    x = (x - mean) / spread
    balance = None if weights is None else torch.tensor(weights, dtype=torch.float32)
    if validation is None:
        solution = _descended(x, y, UNSEEN, balance, torch.zeros(classes, x.shape[1] + 1), loss_of)
        return _raw(solution, mean, spread, UNSEEN, ())
    asked, truth = (torch.from_numpy(part) for part in validation)
    asked = (asked - mean) / spread
    solution, tried = torch.zeros(classes, x.shape[1] + 1), []
    best: tuple[float, Tensor, float] | None = None
    for penalty in PENALTIES:
        solution = _descended(x, y, penalty, balance, solution, loss_of)
        logits = asked @ solution[:, :-1].T + solution[:, -1]
        loss = loss_of(logits, truth, balance).item()
        right = logits.argmax(1) == truth if truth.ndim == 1 else (logits > 0) == (truth > 0.5)
        tried.append((penalty, loss, right.float().mean().item()))
        if best is None or loss < best[0]:
            best = (loss, solution, penalty)
        elif len(tried) > _WORSE and all(one[1] > best[0] for one in tried[-_WORSE:]):
            break
    assert best is not None
    return _raw(best[1], mean, spread, best[2], tuple(tried))


def _descended(
    x: Tensor, y: Tensor, penalty: float, balance: Tensor | None, start: Tensor, loss_of: Loss
) -> Tensor:  # fmt: skip
    """The minimum, as (classes, D + 1): weights, and the bias, which is not held back."""
    solution = start.clone().requires_grad_()
    optimizer = torch.optim.LBFGS([solution], max_iter=200, tolerance_grad=1e-5, line_search_fn="strong_wolfe")

    def loss() -> Tensor:
        optimizer.zero_grad()
        logits = (solution[:, :-1] @ x.T + solution[:, -1:]).T  # the gradient of x @ Wᵀ takes four times as long
        value = loss_of(logits, y, balance) + penalty / 2 * solution[:, :-1].square().sum()
        value.backward()
        return value

    optimizer.step(loss)  # type: ignore[arg-type]
    return solution.detach()


def _raw(
    solution: Tensor, mean: Tensor, spread: Tensor, penalty: float, tried: tuple[tuple[float, float, float], ...]
) -> Head:
    weight = solution[:, :-1] / spread
    return Head(weight, solution[:, -1] - weight @ mean, penalty, tried)
