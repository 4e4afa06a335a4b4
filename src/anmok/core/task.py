"""What the engine knows of a task: networks, stages, phases. Nothing else.

A task hands the engine its stages in order. A stage either learns by descent, in *phases* that share its batches (a
classifier has one phase; a GAN has two, and regularisers that run every sixteenth step), or is solved in closed form
(R-CNN's SVMs and ridge regressions). Later stages may depend on what earlier ones learned, so each is built only when
its turn comes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from anmok.core.types import Batch


class Batches(Protocol):
    """A stage's training batches. Each depends only on (seed, epoch, number), never on what was drawn before it."""

    def __len__(self) -> int:
        """Batches in one epoch."""

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """The batches `start`, `start + 1`, … of an epoch, in order, whatever the number of workers."""


@dataclass(frozen=True)
class Phase:
    """One optimizer and the loss it descends.

    Args:
        name: shown in logs and used in checkpoints, unique in its stage.
        networks: the networks whose weights this phase updates, by their names in `Task.networks`.
        optimizer: over exactly those weights.
        loss: batch → scalars by name; `"loss"` is descended, the others are logged beside it.
        schedule: progress of the stage in [0, 1] → factor on every parameter group's initial learning rate.
        every: the phase runs at steps divisible by this.
        clip: largest gradient norm, or None.
        averaged: its networks take part in the stage's average; a GAN's discriminator need not.
    """

    name: str
    networks: Mapping[str, nn.Module]
    optimizer: torch.optim.Optimizer
    loss: Callable[[Batch], Mapping[str, Tensor]]
    schedule: Callable[[float], float] | None = None
    every: int = 1
    clip: float | None = None
    averaged: bool = True


@dataclass(frozen=True)
class Stage:
    """Epochs of descent over shared batches, with an evaluation after each.

    Args:
        phases: run one after the other on every batch.
        epochs: at most this many.
        evaluate: figures after each epoch, measured with the averaged weights where `average` is set; None: no
            evaluation, and the last weights are the best.
        monitor: which figure decides what is best, and whether it should be `max` or `min`; None: none does, the last
            weights are the best, whatever was measured.
        patience: epochs without a better figure before the stage stops early; None: never.
        average: decay a step of an exponential moving average over the weights of `averaged` phases; None: no average.
    """

    name: str
    batches: Batches
    phases: Sequence[Phase]
    epochs: int
    evaluate: Callable[[], Mapping[str, float]] | None = None
    monitor: str | None = "loss"
    mode: str = "min"
    patience: int | None = None
    average: float | None = None


@dataclass(frozen=True)
class Solve:
    """A stage without descent: `solve` fits its part of the task at once and returns figures to log.

    What it learns must live in `Task.networks` or `Task.state`, so that the checkpoint after it holds it.
    """

    name: str
    solve: Callable[[], Mapping[str, float]]


@dataclass(frozen=True)
class Plan:
    """A stage by name, built when its turn comes.

    `weight`: what it is given of a time budget, beside the weights of the other stages still to come.
    """

    name: str
    build: Callable[[], Stage | Solve]
    weight: float = 1.0


class Task(Protocol):
    """A task as the engine sees it."""

    name: str

    def networks(self) -> Mapping[str, nn.Module]:
        """Every network whose weights belong into the checkpoint, by name."""

    def stages(self) -> Sequence[Plan]:
        """What to do, in order."""

    def state(self) -> Mapping[str, Any]:
        """What resuming needs beside weights and optimizers (an image pool, say): tensors and JSON values."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
