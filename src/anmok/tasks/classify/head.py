"""A linear head on frozen features, fitted to convergence; how much it is held back is chosen on validation.

Multinomial logistic regression: the mean cross entropy plus λ/2 · ‖W‖² has one minimum, found by L-BFGS (Liu & Nocedal,
1989). The minimum for one λ is the start for the next, from the strongest to the weakest. While λ is being chosen,
minima are found roughly, and at first for a sample; only the chosen one's is found closely, for all features. (2,000
photographs of eight classes with their corners: a quarter of the time, the same λ, the same decisions.)
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PENALTIES = tuple(10.0 ** (step / 2) for step in range(0, -13, -1))  # 1 to 10⁻⁶
UNSEEN = 1e-2  # the penalty where there is no validation to choose by
SAMPLE = 2000  # features for which a penalty is looked for first
Loss = Callable[[Tensor, Tensor, Tensor | None], Tensor]
"""(logits, targets, weights of the classes) → mean, to be minimised; convex in the logits."""
_WORSE = 2  # penalties in a row that must be worse before weaker ones are not tried
_GROUPS = 50  # of validation pictures, whose losses tell how far chance goes
_ROUGHLY, _CLOSELY = 3e-4, 1e-5  # largest slope of the loss at what is taken for its minimum


class Tried(NamedTuple):
    """A penalty λ, the validation loss of its minimum in nats, and the share of right validation decisions."""

    penalty: float
    loss: float
    right: float


@dataclass(frozen=True)
class Head:
    """A fitted linear layer.

    Args:
        weight, bias: float32 (classes, D) and (classes,), for features as they come.
        penalty: the λ chosen.
        tried: the penalties last chosen from; empty without validation.
        parts: whether features of parts of pictures were learned from.
    """

    weight: Tensor
    bias: Tensor
    penalty: float
    tried: tuple[Tried, ...] = ()
    parts: bool = False

    def __call__(self, features: Tensor) -> Tensor:
        """(N, D) → logits (N, classes)."""
        return F.linear(features, self.weight, self.bias)


def softmax_loss(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Cross entropy: a picture is of one class."""
    return F.cross_entropy(logits, targets, weight=weights)


def fit_head(
    features: np.ndarray, targets: np.ndarray, classes: int,
    validation: tuple[np.ndarray, np.ndarray] | None = None, weights: Sequence[float] | None = None,
    loss_of: Loss = softmax_loss, parts: np.ndarray | None = None,
) -> Head:  # fmt: skip
    """Fit a head to features (N, D) and class ids (N,), or to whatever targets `loss_of` takes.

    Args:
        features: float16 or float32, of any scale: they are standardised here, and the head is for raw ones again.
        targets: int64 (N,), or zeros and ones (N, C).
        classes: how many there are.
        validation: features and targets by whose loss λ is chosen.
        weights: of each class in the loss; None: all count alike.
        parts: bool (N,), which features are of parts of pictures. A part may not show what makes the whole's class:
            where validation is the worse for them, by more than chance, they are left out.
    """
    balance = None if weights is None else torch.tensor(weights, dtype=torch.float32)
    whole = slice(None) if parts is None else ~parts
    fit = _Problem.of(features[whole], targets[whole], classes, balance, loss_of)
    if validation is None:
        return fit.head(UNSEEN, fit.minimum(UNSEEN, None, _CLOSELY))
    judge = _Judge(torch.from_numpy(validation[0]).float(), torch.from_numpy(validation[1]), balance, loss_of)
    found = judge.searched(fit)
    if parts is None:
        return found.closely()
    with_parts = judge.searched(_Problem.of(features, targets, classes, balance, loss_of), found.best.penalty)
    if judge.prefers(found.roughly(), with_parts.roughly()):
        return found.closely()
    return replace(with_parts.closely(), parts=True)


@dataclass(frozen=True)
class _Problem:
    """Standardised features x (N, D) with their targets y; `mean` and `spread` (D,) lead back to the raw ones."""

    x: Tensor
    y: Tensor
    mean: Tensor
    spread: Tensor
    classes: int
    balance: Tensor | None
    loss_of: Loss

    @classmethod
    def of(
        cls, features: np.ndarray, targets: np.ndarray, classes: int, balance: Tensor | None, loss_of: Loss
    ) -> _Problem:  # fmt: skip
        x, y = torch.from_numpy(features).to(torch.float32, copy=True), torch.from_numpy(targets)
        mean, spread = x.mean(0), x.std(0).clamp_min(1e-6)
        return cls(x.sub_(mean).div_(spread), y, mean, spread, classes, balance, loss_of)

    def sample(self) -> _Problem:
        """As many features as are searched first, evenly over all."""
        rows = torch.linspace(0, len(self.x) - 1, min(len(self.x), SAMPLE)).round().long()
        return replace(self, x=self.x[rows], y=self.y[rows])

    def minimum(self, penalty: float, start: Tensor | None, slope: float) -> Tensor:
        """Where the loss is smallest, as (classes, D + 1): weights, and the bias, which is not held back."""
        first = torch.zeros(self.classes, self.x.shape[1] + 1) if start is None else start
        weight, bias = first[:, :-1, None, None].clone().requires_grad_(), first[:, -1].clone().requires_grad_()
        optimizer = torch.optim.LBFGS(
            [weight, bias], max_iter=200, tolerance_grad=slope, line_search_fn="strong_wolfe"
        )  # fmt: skip
        # A dense layer as a 1 × 1 convolution of a picture one pixel wide, channels last: of so few outputs that takes
        # half of the time of a product of matrices, there and back.
        picture = self.x[None, :, None].permute(0, 3, 1, 2)

        def loss() -> Tensor:
            optimizer.zero_grad()
            logits = F.conv2d(picture, weight, bias)[0, ..., 0].T
            value = self.loss_of(logits, self.y, self.balance) + penalty / 2 * weight.square().sum()
            value.backward()
            return value

        optimizer.step(loss)  # type: ignore[arg-type]
        return torch.cat([weight[..., 0, 0], bias[:, None]], dim=1).detach()

    def head(self, penalty: float, solution: Tensor) -> Head:
        """The same for raw features."""
        weight = solution[:, :-1] / self.spread
        return Head(weight, solution[:, -1] - weight @ self.mean, penalty)


class _Found(NamedTuple):
    """Penalties tried for a problem, the best of them, and roughly its minimum."""

    fit: _Problem
    tried: tuple[Tried, ...]
    best: Tried
    solution: Tensor

    def roughly(self) -> Head:
        """What was judged."""
        return self.fit.head(self.best.penalty, self.solution)

    def closely(self) -> Head:
        """The same penalty's minimum."""
        solution = self.fit.minimum(self.best.penalty, self.solution, _CLOSELY)
        return replace(self.fit.head(self.best.penalty, solution), tried=self.tried)


@dataclass(frozen=True)
class _Judge:
    """Validation features (N, D), and what is right for them."""

    features: Tensor
    truth: Tensor
    balance: Tensor | None
    loss_of: Loss

    def searched(self, fit: _Problem, with_less: float | None = None) -> _Found:
        """The best penalty: sought in a sample first, then, from there on, among all features. The more there is to
        learn from, the less need to hold back; `with_less`: what was best where there was less, if that is known."""
        first = 0 if with_less is None else max(0, PENALTIES.index(with_less) - _WORSE)
        found = self._tried(fit.sample(), PENALTIES[first:], None, _WORSE)
        if len(fit.x) > SAMPLE:
            weaker = PENALTIES[PENALTIES.index(found.best.penalty) :]
            found = self._tried(fit, weaker, found.solution, 1)
        return found

    def _tried(self, fit: _Problem, penalties: Sequence[float], start: Tensor | None, worse: int) -> _Found:
        """Penalties in turn, until so many in a row are worse than the best."""
        tried: list[Tried] = []
        best, solution = None, start
        for penalty in penalties:
            solution = fit.minimum(penalty, solution, _ROUGHLY)
            tried.append(self._figures(fit.head(penalty, solution)))
            if best is None or tried[-1].loss < best[0].loss:
                best = tried[-1], solution
            elif len(tried) > worse and all(one.loss > best[0].loss for one in tried[-worse:]):
                break
        assert best is not None
        return _Found(fit, tuple(tried), *best)

    def prefers(self, one: Head, other: Head) -> bool:
        """Whether the loss of `one` is the smaller by more than chance: twice its standard error over groups."""
        groups = min(_GROUPS, len(self.features))
        parts = [slice(first, None, groups) for first in range(groups)]
        more = torch.stack([self._loss(other, part) - self._loss(one, part) for part in parts])
        return bool(more.mean() > 2 * more.std() / groups**0.5)

    def _figures(self, head: Head) -> Tried:
        logits = head(self.features)
        right = logits.argmax(1) == self.truth if self.truth.ndim == 1 else (logits > 0) == (self.truth > 0.5)
        return Tried(head.penalty, self._loss(head, slice(None)).item(), right.float().mean().item())

    def _loss(self, head: Head, part: slice) -> Tensor:
        return self.loss_of(head(self.features[part]), self.truth[part], self.balance)
