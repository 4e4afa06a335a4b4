"""What R-CNN and SPPnet fit without descent: linear SVMs that mine their own hard negatives, and box ridge regression.

Girshick, Donahue, Darrell, Malik: Rich feature hierarchies, CVPR 2014 (arXiv:1311.2524), with the constants of the
authors' released program. Solved by scikit-learn on the CPU; what is learned lies in the buffers of `SVMHead` and
`BoxRidge`, so that a checkpoint holds it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

Floats = NDArray[np.floating]

NORM = 20.0  # mean length that feature vectors are scaled to, at which the SVM's cost was chosen
COST, POSITIVE_WEIGHT, BIAS = 1e-3, 2.0, 10.0  # of the SVM: C, the positives' share in it, the constant feature
NEGATIVE = 0.3  # IoU with every object of the class below which a region is a negative
HARD, EASY = -1.0001, -1.2  # negatives that score above the first are mined, below the second forgotten
RETRAIN = 2000  # new negatives of a class until its SVM is trained again,
SHARE = 0.5  # and at least such a share of all it holds: where features say little, most stay hard, and time would grow
# with the square of the pictures
HELD = 10_000  # negatives a class holds at most, the hardest: twice what R-CNN held at 40 % mAP 50 on bundled scenes
RIDGE, WHITEN = 1000.0, 0.001  # λ of the box regression, and what is added to its targets' eigenvalues


class Mined(NamedTuple):
    """One picture's regions as the SVMs see them."""

    features: Floats  # (R, D)
    overlaps: Floats  # (R, C): the largest IoU with an object of each class, 0 where there is none


class SVMHead(nn.Module):
    """A linear SVM a class, on scaled features. (R, D) → scores (R, C), 0 at the border; `solved` once fitted."""

    weight: Tensor
    bias: Tensor
    scale: Tensor
    solved: Tensor

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(num_classes, inputs))
        self.register_buffer("bias", torch.zeros(num_classes))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("solved", torch.zeros((), dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        """See above."""
        return (x.float() * self.scale) @ self.weight.T + self.bias

    def fit(
        self, positives: Sequence[Floats], pictures: Iterable[Mined], norm: float, seed: int = 0
    ) -> dict[str, float]:
        """Fit all classes.

        Args:
            positives: features of each class's own boxes, (P_c, D) a class.
            pictures: gone through once, in order.
            norm: mean length of the features, over regions of the training pictures.
            seed: of the solver.
        """
        scale = feature_scale(norm)
        scaled = (Mined(picture.features * scale, picture.overlaps) for picture in pictures)
        weight, bias, figures = mine([own * scale for own in positives], scaled, seed)
        self.weight.copy_(torch.from_numpy(weight))
        self.bias.copy_(torch.from_numpy(bias))
        self.scale.fill_(scale)
        self.solved.fill_(True)
        return figures


class BoxRidge(nn.Module):
    """Box deltas by ridge regression, a class each. (R, P) → (R, C, 4); `solved` once fitted."""

    weight: Tensor
    bias: Tensor
    scale: Tensor
    solved: Tensor

    def __init__(self, inputs: int, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("weight", torch.zeros(num_classes, 4, inputs))
        self.register_buffer("bias", torch.zeros(num_classes, 4))
        self.register_buffer("scale", torch.ones(()))
        self.register_buffer("solved", torch.zeros((), dtype=torch.bool))

    def forward(self, x: Tensor) -> Tensor:
        """See above."""
        return torch.einsum("rp,cdp->rcd", x.float() * self.scale, self.weight) + self.bias

    def fit(self, examples: Sequence[tuple[Floats, Floats]], norm: float, strength: float = RIDGE) -> dict[str, float]:
        """Fit all classes.

        Args:
            examples: of each class, features (K, P) of regions that overlap an object well, and their deltas (K, 4).
            norm: mean length of the features, over regions of the training pictures.
            strength: λ; SPPnet takes 4000.
        """
        scale, error, count = feature_scale(norm), 0.0, 0
        for place, (features, deltas) in enumerate(examples):
            if len(deltas) == 0:
                continue
            weight, bias = whitened_ridge(features * scale, deltas, strength)
            self.weight[place].copy_(torch.from_numpy(weight))
            self.bias[place].copy_(torch.from_numpy(bias))
            error += float(np.abs((features * scale) @ weight.T + bias - deltas).sum())
            count += deltas.size
        self.scale.fill_(scale)
        self.solved.fill_(True)
        return {"mean_absolute_delta_error": error / max(1, count)}


def feature_scale(norm: float) -> float:
    """What features of mean length `norm` are multiplied by.

    >>> feature_scale(40.0)
    0.5
    """
    return NORM / norm if norm > 0 else 1.0


def whitened_ridge(features: Floats, targets: Floats, strength: float = RIDGE) -> tuple[Floats, Floats]:
    """Ridge regression on targets that were centred and decorrelated first.

    With S the targets' covariance (divided by K), targets are multiplied by (S + ε)^-½ and answers by (S + ε)^½, so
    that `strength` weighs alike on all four. The constant feature is penalised like the others.

    Args:
        features: (K, P).
        targets: (K, 4).
        strength: λ in |Xw − y|² + λ|w|².

    Returns:
        Weights (4, P) and biases (4,), for the targets as they came.
    """
    from sklearn.linear_model import Ridge

    mean = targets.mean(axis=0)
    centred = np.asarray(targets - mean, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
    roots = np.sqrt(values + WHITEN)
    whiten, back = vectors / roots @ vectors.T, vectors * roots @ vectors.T
    with_one = np.hstack([features, np.ones((len(features), 1))]).astype(np.float64)
    solved = Ridge(alpha=strength, fit_intercept=False, solver="cholesky").fit(with_one, centred @ whiten)
    weights = back.T @ solved.coef_  # (4, P + 1)
    return weights[:, :-1].astype(np.float32), (weights[:, -1] + mean).astype(np.float32)


def train_svm(positives: Floats, negatives: Floats, seed: int = 0) -> tuple[Floats, float]:
    """A linear SVM, hinge loss, positives weighing double: weights (D,) and bias."""
    from sklearn.svm import LinearSVC

    x = np.concatenate([positives, negatives])
    y = np.concatenate([np.ones(len(positives)), -np.ones(len(negatives))])
    svm = LinearSVC(
        loss="hinge", C=COST, class_weight={1: POSITIVE_WEIGHT}, intercept_scaling=BIAS, random_state=seed,
        max_iter=20_000, tol=1e-3,
    )  # fmt: skip
    svm.fit(x, y)
    return svm.coef_[0], float(svm.intercept_[0])


class _Cache:
    """One class's examples, and its SVM."""

    def __init__(self, positives: Floats, seed: int) -> None:
        self.positives, self.seed = np.asarray(positives), seed
        self.negatives: Floats = np.zeros((0, self.positives.shape[1]))
        self.fresh: list[Floats] = []  # negatives since the last training
        self.added = self.trained = 0
        self.weight: Floats = np.zeros(self.positives.shape[1])
        self.bias = 0.0

    def see(self, picture: Mined, overlap: Floats, first: bool) -> None:
        """Take the picture's negatives: all of the first picture, hard ones of the others."""
        chosen = overlap < NEGATIVE
        if not first:
            chosen &= picture.features @ self.weight + self.bias > HARD
        self.fresh.append(picture.features[chosen])
        self.added += int(chosen.sum())

    def train(self) -> None:
        """Train on what is held, then forget the negatives that were easy, and those that are too many."""
        self.negatives, self.fresh = np.concatenate([self.negatives, *self.fresh]), []
        if not len(self.positives) or not len(self.negatives):
            return
        self.weight, self.bias = train_svm(self.positives, self.negatives, self.seed)
        margins = self.negatives @ self.weight + self.bias
        hardest = np.sort(np.argsort(-margins, kind="stable")[:HELD])
        self.negatives = self.negatives[hardest[margins[hardest] >= EASY]]
        self.added, self.trained = 0, self.trained + 1


def mine(
    positives: Sequence[Floats], pictures: Iterable[Mined], seed: int = 0
) -> tuple[Floats, Floats, dict[str, float]]:
    """Linear SVMs of all classes by hard-negative mining, one pass over the pictures.

    A class trains after the first picture, whenever more than `RETRAIN` negatives and half of all it holds have come
    since, and at the end. A class without positives keeps zeros.

    Returns:
        Weights (C, D), biases (C,), and figures: negatives kept and trainings, over all classes.
    """
    caches = [_Cache(own, seed) for own in positives]
    first = True
    for picture in pictures:
        for cache, overlap in zip(caches, picture.overlaps.T, strict=True):
            cache.see(picture, overlap, first)
            if first or cache.added > max(RETRAIN, SHARE * len(cache.negatives)):
                cache.train()
        first = False
    for cache in caches:
        cache.train()
    figures = {
        "negatives_kept": float(sum(len(cache.negatives) for cache in caches)),
        "trainings": float(sum(cache.trained for cache in caches)),
    }
    weights = np.stack([cache.weight for cache in caches]).astype(np.float32)
    return weights, np.array([cache.bias for cache in caches], dtype=np.float32), figures
