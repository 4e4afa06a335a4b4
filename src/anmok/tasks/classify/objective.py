"""What a classifier's logits mean: that a picture is of one class, or (`anmok.tasks.multilabel`) of any number."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from torch import Tensor, nn

from anmok.core.types import Prediction
from anmok.losses.cross_entropy import cross_entropy, mixed_targets
from anmok.metrics.precision_recall import macro_recall
from anmok.tasks.classify.head import Loss, softmax_loss


class Objective(Protocol):
    """What logits (N, classes) mean, and how a network learns to give them."""

    head_loss: Loss

    def monitor(self, balance: str) -> str:
        """The validation figure, larger the better, that decides which epoch is best. `balance`: the recipe's."""

    def mixed(self, targets: Tensor, partners: Tensor, share: float, classes: int) -> Tensor:
        """Targets of pictures blended with their partners, of which they keep `share` themselves."""

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
        """To be descended. `weight`: of each class (classes,)."""

    def figures(self, logits: Tensor, targets: Tensor, balance: str) -> Mapping[str, float]:
        """`val_loss` and other figures of the validation split."""

    def predictions(self, names: Sequence[str], logits: Tensor, classes: Sequence[str]) -> Iterator[Prediction]:
        """One prediction a picture."""

    def to_explain(self, network: nn.Module, target: int) -> nn.Module:
        """A module whose softmax gives the class's probability."""


class OneClass:
    """A picture is of one class: softmax and cross entropy; targets are class ids."""

    head_loss: Loss = staticmethod(softmax_loss)

    def monitor(self, balance: str) -> str:
        """Accuracy; where classes are balanced macro recall: accuracy would favour epochs that neglect rare ones."""
        return "val_accuracy" if balance == "none" else "val_macro_recall"

    def mixed(self, targets: Tensor, partners: Tensor, share: float, classes: int) -> Tensor:
        """See `Objective`."""
        return mixed_targets(targets, partners, share, classes)

    def loss(self, logits: Tensor, targets: Tensor, smoothing: float, weight: Tensor | None) -> Tensor:
        """Smoothed cross entropy."""
        return cross_entropy(logits, targets, smoothing, weight)

    def figures(self, logits: Tensor, targets: Tensor, balance: str) -> Mapping[str, float]:
        """Loss (nats, unsmoothed) and accuracy; with balanced classes macro recall too."""
        right = (logits.argmax(1) == targets).float().mean()
        figures = {"val_loss": cross_entropy(logits, targets).item(), "val_accuracy": right.item()}
        if balance == "none":
            return figures
        recall = macro_recall(targets.numpy(), logits.numpy()) if logits.isfinite().all() else float("nan")
        return figures | {"val_macro_recall": recall}

    def predictions(self, names: Sequence[str], logits: Tensor, classes: Sequence[str]) -> Iterator[Prediction]:
        """Labels and probabilities, the likeliest first."""
        scores, order = logits.softmax(1).sort(dim=1, descending=True, stable=True)
        for name, row, ranks in zip(names, scores.tolist(), order.tolist(), strict=True):
            yield Prediction(name, tuple(classes[rank] for rank in ranks), tuple(row))

    def to_explain(self, network: nn.Module, target: int) -> nn.Module:
        """The network itself."""
        return network
