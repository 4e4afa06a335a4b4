"""A picture shows any number of classes: each class is a question of its own.

After training, each class's logit is calibrated on validation pictures by a line a·z + b (Platt, "Probabilistic Outputs
for Support Vector Machines", 1999), so that weights in the loss do not end in exaggerated probabilities, and a
threshold is chosen for each.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor, nn

from anmok.core.types import Prediction
from anmok.losses.binary_cross_entropy import binary_cross_entropy
from anmok.metrics.multilabel import best_thresholds, mean_average_precision, micro_f1
from anmok.tasks.classify.head import Loss

FEWEST = 5  # validation pictures with a class, and without: fewer tell nothing about its threshold
_STEPS = 30  # of Newton's method; it needs about six


def head_loss(logits: Tensor, targets: Tensor, weights: Tensor | None) -> Tensor:
    """Binary cross entropy of a linear head."""
    return binary_cross_entropy(logits, targets, 0.0, weights)


@dataclass(frozen=True)
class Judgement:
    """How logits become answers, class by class: probability σ(slope · z + offset), answered from `threshold` on."""

    slopes: tuple[float, ...]
    offsets: tuple[float, ...]
    thresholds: tuple[float, ...]

    @classmethod
    def plain(cls, classes: int) -> Judgement:
        """Logits as they are, and one half."""
        return cls((1.0,) * classes, (0.0,) * classes, (0.5,) * classes)

    @classmethod
    def fitted(cls, targets: np.ndarray, logits: np.ndarray) -> Judgement:
        """The one that fits validation pictures: `targets` (N, C), `logits` (N, C)."""
        lines = [platt(hits, values) for hits, values in zip(targets.T > 0.5, logits.T, strict=True)]
        slopes, offsets = zip(*lines, strict=True)
        found = cls(slopes, offsets, (0.5,) * len(lines))
        return cls(slopes, offsets, tuple(best_thresholds(targets, found.scores(logits), FEWEST)))

    def scores(self, logits: np.ndarray) -> np.ndarray:
        """Probabilities (N, C), float32."""
        lines = logits.astype(np.float32) * np.array(self.slopes, np.float32) + np.array(self.offsets, np.float32)
        return (1 / (1 + np.exp(-lines))).astype(np.float32)

    def answered(self, scores: np.ndarray) -> np.ndarray:
        """Which classes are found, bool (N, C)."""
        return scores >= np.array(self.thresholds, np.float32)

    def to_json(self, classes: Sequence[str]) -> dict[str, Mapping[str, float]]:
        """By class name, as cards and shipped models keep it."""
        columns = zip(classes, self.slopes, self.offsets, self.thresholds, strict=True)
        return {name: {"slope": a, "offset": b, "threshold": t} for name, a, b, t in columns}

    @classmethod
    def from_json(cls, values: Mapping[str, Mapping[str, float]], classes: Sequence[str]) -> Judgement:
        """The inverse of `to_json`."""
        rows = [values[name] for name in classes]
        slopes, offsets, thresholds = (tuple(float(row[k]) for row in rows) for k in ("slope", "offset", "threshold"))
        return cls(slopes, offsets, thresholds)


def platt(hits: np.ndarray, logits: np.ndarray) -> tuple[float, float]:
    """(a, b) of σ(a·z + b) nearest to the truth, for logits z (N,) and whether the class is there (N,).

    Targets are drawn in a little, as Platt has it, so that few pictures do not make it certain. Where fewer than
    `FEWEST` show the class, or show it not, or larger logits mean less, the logits stay as they are: (1, 0).
    """
    there = int(hits.sum())
    others = len(hits) - there
    if min(there, others) < FEWEST or not np.isfinite(logits).all():
        return 1.0, 0.0
    wanted = np.where(hits, (there + 1) / (there + 2), 1 / (others + 2))
    x = np.stack([logits.astype(np.float64), np.ones(len(logits))], 1)
    line = np.array([0.0, math.log((there + 1) / (others + 1))])

    def cost(line: np.ndarray) -> float:
        return float((np.logaddexp(0, x @ line) - wanted * (x @ line)).sum())

    for _ in range(_STEPS):  # Newton's method, with steps halved until they pay
        chance = 0.5 * (1 + np.tanh(x @ line / 2))
        slope, curve = x.T @ (chance - wanted), (x * (chance * (1 - chance))[:, None]).T @ x
        step = np.linalg.solve(curve + 1e-9 * np.eye(2), slope)
        gain = slope @ step
        while cost(line - step) > cost(line) - 1e-4 * gain and gain > 1e-12:
            step, gain = step / 2, gain / 2
        line = line - step
        if gain <= 1e-12:
            break
    return (float(line[0]), float(line[1])) if line[0] > 0 and np.isfinite(line).all() else (1.0, 0.0)


class AnyClasses:
    """Sigmoid and binary cross entropy; targets are zeros and ones, float32 (N, C).

    Attributes:
        judgement: how logits become answers.
    """

    head_loss: Loss = staticmethod(head_loss)

    def __init__(self, judgement: Judgement) -> None:
        self.judgement = judgement

    def monitor(self, balance: str) -> str:
        """Mean average precision: it needs no threshold, and rare classes count as much as common ones."""
        return "val_map"

    def mixed(self, targets: Tensor, partners: Tensor, share: float, classes: int) -> Tensor:
        """Both pictures' classes, each as far as its picture is seen."""
        return share * targets + (1 - share) * partners

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
        """Smoothed binary cross entropy."""
        return binary_cross_entropy(logits, targets, smoothing, weight)

    def figures(self, logits: Tensor, targets: Tensor, balance: str) -> Mapping[str, float]:
        """Loss (nats, unsmoothed, not weighed), mean average precision, and micro F1 at one half."""
        loss = binary_cross_entropy(logits, targets).item()
        if not logits.isfinite().all():
            return {"val_loss": loss, "val_map": float("nan"), "val_micro_f1": float("nan")}
        truths, answers = targets.numpy() > 0.5, logits.numpy()
        return {"val_loss": loss, "val_map": mean_average_precision(truths, answers),
                "val_micro_f1": micro_f1(truths, answers > 0)}  # fmt: skip

    def predictions(self, names: Sequence[str], logits: Tensor, classes: Sequence[str]) -> Iterator[Prediction]:
        """All classes with their probabilities, the likeliest first, and which of them are found."""
        scores = self.judgement.scores(logits.numpy())
        for name, row, said in zip(names, scores, self.judgement.answered(scores), strict=True):
            order = np.argsort(-row, kind="stable")
            labels = tuple(classes[place] for place in order)
            found = tuple(classes[place] for place in order if said[place])
            yield Prediction(name, labels, tuple(row[order].tolist()), found=found)

    def to_explain(self, network: nn.Module, target: int) -> nn.Module:
        """One class against all others together, so that softmax gives its own probability."""
        return AgainstRest(network, target, self.judgement)


class AgainstRest(nn.Module):
    """Logits (N, C) of which softmax gives class `target` the probability that the judgement gives it."""

    def __init__(self, network: nn.Module, target: int, judgement: Judgement) -> None:
        super().__init__()
        self.network, self.target = network, target
        self.slope, self.offset = judgement.slopes[target], judgement.offsets[target]

    def forward(self, x: Tensor) -> Tensor:
        """Pictures (N, channels, H, W) → (N, C)."""
        logits = first_of(self.network(x))
        rest = logits.new_full((logits.shape[1],), -math.log(max(1, logits.shape[1] - 1)))  # together 1 = e⁰
        own = nn.functional.one_hot(logits.new_tensor(self.target).long(), logits.shape[1]).to(logits)
        return rest * (1 - own) + (self.slope * logits + self.offset) * own


def first_of(outputs: Tensor | tuple[Tensor, ...]) -> Tensor:
    """The network's answer; side classifiers come after it."""
    return outputs[0] if isinstance(outputs, tuple) else outputs
