"""Classification: one picture, one class.

One stage of one phase: cross entropy on augmented batches, judged after each epoch by accuracy on the validation
split, with averaged weights where the recipe asks for them. Where classes are balanced, by macro recall: accuracy would
favour the epochs that neglect rare classes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.modes import evaluating
from anmok.core.preparation import Preparation
from anmok.core.task import Batches, Phase, Plan, Stage
from anmok.core.types import Batch, Prediction
from anmok.data.augment import blend
from anmok.engine.devices import Devices
from anmok.tasks.classify.objective import Objective, OneClass
from anmok.tasks.focus import Focus
from anmok.tasks.normalise import Normalise
from anmok.tasks.optimizers import build_optimizer, one_cycle
from anmok.tasks.recipe import Recipe

AUXILIARY_WEIGHT = 0.3  # GoogLeNet's and Inception's side classifiers, as their papers weigh them


class Classify:
    """The task as the engine sees it (`anmok.core.task.Task`), and its answers.

    Args:
        network: normalised pictures (N, C, S, S) → logits (N, classes).
        classes: names, in the order of the logits.
        preparation: what the network's pictures look like; `mean` and `std` are applied here, on the device.
        devices: where to compute.
        recipe: how to train; None for a network that only answers.
        train, val: batches; `val` in order and not augmented.
        weights: of each class in the loss; None: all count alike.
        focus: where to note what the network thinks of each training picture; None: nowhere.
        objective: what the logits mean; None: that a picture is of one class.

    Attributes:
        temperature: what logits are divided by before they become probabilities.
        threshold: certainty below which the answer is "I don't know"; None: never.
        mirror: answer with the mean over a picture and its mirror image.
    """

    name = "classify"

    def __init__(
        self,
        network: nn.Module,
        classes: Sequence[str],
        preparation: Preparation,
        devices: Devices,
        recipe: Recipe | None = None,
        train: Batches | None = None,
        val: Batches | None = None,
        weights: Sequence[float] | None = None,
        focus: Focus | None = None,
        objective: Objective | None = None,
    ) -> None:
        self.network, self.classes, self.preparation, self.devices = network, tuple(classes), preparation, devices
        self.recipe, self.train, self.val, self.weights = recipe, train, val, weights
        self.focus, self.objective = focus, objective or OneClass()
        self.mirror = recipe is not None and recipe.mirror
        self.temperature: float = 1.0
        self.threshold: float | None = None
        self._normalise = Normalise(preparation)

    def networks(self) -> Mapping[str, nn.Module]:
        """One network."""
        return {"network": self.network}

    def stages(self) -> Sequence[Plan]:
        """One stage."""
        return [Plan("fit", self._fit)]

    def state(self) -> Mapping[str, Any]:
        """What the network thought of each training picture, where that decides which it sees next."""
        return {} if self.focus is None else self.focus.state()

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        if self.focus is not None:
            self.focus.load_state(state)

    def fit_phase(self) -> Phase:
        """The one phase: cross entropy descended by the recipe's optimizer."""
        assert self.recipe is not None
        optimizer, schedule = build_optimizer(self.network, self.recipe), one_cycle(self.recipe.warmup)
        return Phase("classify", self.networks(), optimizer, self.loss, schedule=schedule)

    def _fit(self) -> Stage:
        assert self.recipe is not None and self.train is not None
        judged_by = self.objective.monitor(self.recipe.balance)
        return Stage(
            "fit",
            self.train,
            [self.fit_phase()],
            self.recipe.epochs,
            evaluate=self.evaluate if self.val is not None else None,
            monitor=judged_by if self.val is not None else "loss",
            mode="max" if self.val is not None else "min",
            patience=self.recipe.patience,
            average=self.recipe.average,
        )

    def normalise(self, pictures: Tensor) -> Tensor:
        """uint8 (N, C, S, S) → float32 of about zero mean and unit variance, channels last in memory."""
        return self._normalise(pictures)

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        """The objective's loss of an augmented batch; smoothed cross entropy where a picture is of one class."""
        assert self.recipe is not None
        x = blend(self.normalise(batch.pictures), batch.extra)
        targets = batch.targets
        if "partner" in batch.extra:
            partners = targets[torch.as_tensor(batch.extra["partner"])]
            targets = self.objective.mixed(targets, partners, batch.extra["weight"], len(self.classes))
        outputs = self.network(x)
        logits, *auxiliary = outputs if isinstance(outputs, tuple) else (outputs,)
        if self.focus is not None:
            self.focus.learned(batch.extra["positions"], logits, batch.targets)
        weight = None if self.weights is None else logits.new_tensor(self.weights, dtype=torch.float32)
        loss = self.objective.loss(logits, targets, self.recipe.label_smoothing, weight)
        for side in auxiliary:
            if side is not None:
                aside = self.objective.loss(side, targets, self.recipe.label_smoothing, weight)
                loss = loss + AUXILIARY_WEIGHT * aside
        return {"loss": loss}

    def to_explain(self, x: Tensor, target: int | None) -> tuple[nn.Module, int | None]:
        """What the objective makes of the network, and the class named, or answered."""
        if target is None:
            target = self.classes.index(next(iter(self._certainties(x))))
        return self.objective.to_explain(self.network, target), target

    def certainty(self, x: Tensor, target: int) -> float:
        """The probability that `predictions` gives this class, for one normalised picture (C, S, S)."""
        return self._certainties(x)[self.classes[target]]

    def _certainties(self, x: Tensor) -> dict[str, float]:
        """What `predictions` says of each class, the likeliest first."""
        with evaluating(self.network):
            logits = self._logits(x[None].to(self.devices.device)).cpu()
        (told,) = self.predictions(Batch(x[None], None, [""]), logits)
        assert told.labels is not None and told.scores is not None
        return dict(zip(told.labels, told.scores, strict=True))

    def logits(self, batch: Batch) -> Tensor:
        """float32 (N, classes); the mean over the picture and its mirror image where the recipe says `mirror`."""
        return self._logits(self.normalise(self.devices.move(batch).pictures))

    @torch.no_grad()
    def _logits(self, x: Tensor) -> Tensor:
        with self.devices.autocast():
            answers = self.network(x).float()
            if self.mirror:
                answers = (answers + self.network(x.flip(3)).float()) / 2
        return answers

    def answers(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Tensor]]:
        """Each batch with its logits (on the CPU), the network in evaluation mode meanwhile."""
        with evaluating(self.network):
            for batch in batches:
                yield batch, self.logits(batch).cpu()

    def collect(self, batches: Batches) -> tuple[np.ndarray, np.ndarray]:
        """Logits float32 (N, classes) and targets, int64 (N,) or as the loader has them, of all pictures, in order.

        Args:
            batches: in order and not augmented.
        """
        parts = [(logits.numpy(), batch.targets.numpy()) for batch, logits in self.answers(batches.epoch(0))]
        return np.concatenate([logits for logits, _ in parts]), np.concatenate([targets for _, targets in parts])

    def evaluate(self) -> Mapping[str, float]:
        """The objective's figures of the validation split."""
        assert self.val is not None
        logits, targets = (torch.from_numpy(array) for array in self.collect(self.val))
        return self.objective.figures(logits, targets, "none" if self.recipe is None else self.recipe.balance)

    def predictions(self, batch: Batch, logits: Tensor) -> Iterator[Prediction]:
        """Labels and probabilities of one batch, the likeliest first."""
        return self.objective.predictions(batch.ids, logits / self.temperature, self.classes)
