"""What differs by task, behind one name: everything the verbs ask of classification, segmentation and the others.

A verb never knows which task it serves. It finds the task's *kind* here, by what the data is or by a run's card, and
asks it: to plan, to build what the engine trains, to measure, to answer, to show. Adding a task is adding a file or
folder to this room with a class tagged `@register("task", name=…)` that keeps to `Kind`, the settings only it
understands (`anmok.verbs.settings`), and its tests.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor, nn

from anmok.core import task as engine
from anmok.core.codes import Canvas
from anmok.core.preparation import Preparation
from anmok.core.registry import Registry
from anmok.core.types import Dataset, Pictures, Prediction, Report
from anmok.data.duplicates import Duplicates
from anmok.engine.devices import Devices
from anmok.metrics.proportion import Interval
from anmok.report.content import ReportContent


class Voice(Protocol):
    """Who tells the person at the keyboard what goes on."""

    def say(self, text: str) -> None:
        """One line."""

    def warn(self, text: str) -> None:
        """One line worth noticing."""

    def bar(self, what: str) -> AbstractContextManager[Callable[[int, int], None]]:
        """A bar for work that reports (done, total)."""


NAMED = 20  # pictures that are set aside one by one in words


def tell_set_aside(before: Dataset, after: Dataset, voice: Voice) -> None:
    """Which pictures went to quarantine when they were decoded; of many the first, for the report lists all."""
    items = after.quarantined[len(before.quarantined) :]
    for item in items[:NAMED]:
        voice.warn(f"{item.path}: {item.reason}. Try: {item.fix}.")
    if len(items) > NAMED:
        voice.warn(f"and {len(items) - NAMED:,} more were set aside; the report lists all")


Asked = Any  # a verb's settings by name: one of the models of `anmok.verbs.settings`, which lies a floor higher


@dataclass(frozen=True)
class Plan:
    """What a kind decided to do with a data set.

    Args:
        decoded: the pictures as the network will see them: `dataset` (those that cannot be decoded in quarantine),
            `preparation`, and what the kind needs beside these.
        recipe: how to train, in the kind's own way: `network`, `epochs`, `batch`, `but(**chosen)`, `to_json()`, and
            what the kind needs beside these.
        notes: what was found out on the way, in words by name, for the report.
    """

    decoded: Any
    recipe: Any
    notes: Mapping[str, str] = field(default_factory=dict)


class Model(engine.Task, Protocol):
    """A kind's networks at work: what the engine trains, and what answers afterwards."""

    @property
    def network(self) -> nn.Module:
        """The one that answers."""

    @property
    def classes(self) -> Sequence[str]:
        """Names, in the order of its outputs; empty where nothing is named."""

    @property
    def preparation(self) -> Preparation:
        """What pictures go through before it."""

    @property
    def devices(self) -> Devices:
        """Where to compute."""

    def normalise(self, pictures: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → float32 as the network wants it."""

    def to_explain(self, x: Tensor, target: int | None) -> tuple[nn.Module, int | None]:
        """What explanations ask about a normalised picture (C, S, S), and which class is explained.

        Args:
            x: the picture.
            target: the class somebody named, or None.

        Returns:
            A module (N, C, S, S) → one score a class (N, classes), and the class; None: the likeliest.

        Raises:
            UsageError: answers of this kind have no such scores.
        """


@runtime_checkable
class Drawing(Protocol):
    """A kind whose models draw pictures from seeds."""

    def canvas(self, model: Any) -> Canvas:
        """What draws them. Raises `UsageError` where a model like this one cannot."""


@runtime_checkable
class Overlaid(Protocol):
    """A kind whose answers are drawn over the pictures they were given for, where a folder is written."""

    def overlays(self, to: Path | None) -> bool:
        """Whether `PredictSettings.to` names such a folder."""

    def overlay(self, pixels: np.ndarray, answer: Prediction) -> np.ndarray:
        """The answer over the picture, uint8 (H, W, C): uint8 (h, w, 3)."""


@runtime_checkable
class Unshown(Protocol):
    """A model whose network is not shown pictures."""

    def to_inspect(self) -> tuple[nn.Module, tuple[int, ...]]:
        """What is taken apart instead, and the shape of one input."""


def to_inspect(model: Model, size: int | None = None) -> tuple[nn.Module, tuple[int, ...]]:
    """What of a model is taken apart, and the shape of one input; `size`: of the pictures, if not the model's own."""
    if isinstance(model, Unshown):
        return model.to_inspect()
    side = size or model.preparation.size
    return model.network, (model.preparation.channels, side, side)


class Measured(Protocol):
    """What was found on one split (`all`: on everything): figures with their intervals, by name."""

    @property
    def split(self) -> str:
        """Which."""

    @property
    def ids(self) -> Sequence[str]:
        """The pictures that were asked about."""

    @property
    def figures(self) -> Mapping[str, Interval]:
        """Every figure with its interval."""


class Duel(Protocol):
    """Two runs on the same pictures."""

    @property
    def names(self) -> tuple[str, str]:
        """The runs'."""

    @property
    def pictures(self) -> int:
        """On how many they were compared."""

    @property
    def rows(self) -> Mapping[str, tuple[float, float, Interval]]:
        """Of each figure the values of both runs and the interval of their difference, first minus second."""

    @property
    def notes(self) -> Sequence[str]:
        """What else was counted, a sentence each."""

    @property
    def verdict(self) -> str:
        """Which is better, or that nothing tells them apart."""

    def to_json(self) -> dict[str, Any]:
        """Plain values."""


@dataclass(frozen=True)
class Inquiry:
    """An evaluation under way: what a kind may use beside the pictures to be judged.

    Args:
        model: whom to ask, with the run's best weights.
        card: the run's card.
        asked: `EvalSettings`.
        voice: to tell what goes on.
        own: a split's name → the run's own pictures of it, decoded.
        keep: puts entries into the run's card.
        own_pictures: whether the pictures to be judged are the run's own, so that it learned from their other splits.
    """

    model: Any
    card: Mapping[str, Any]
    asked: Asked
    voice: Voice
    own: Callable[[str], tuple[Any, str | None]]
    keep: Callable[[Mapping[str, Any]], None]
    own_pictures: bool = False


@runtime_checkable
class Billing(Protocol):
    """A kind that can tell what a score owes to pictures that were judged and had been learned from."""

    def bill(self, decoded: Any, found: Any, duplicates: Duplicates) -> str:
        """In words; "" where nothing leaked. `found`: `Measured`; `duplicates`: among all entries of `decoded`."""


class Kind(Protocol):
    """One task as the verbs know it. Instances hold nothing: what lasts is in the plan, the model and the card."""

    @property
    def name(self) -> str:
        """The registry's, that of `--task` and of the folder its runs lie in."""

    @property
    def headlines(self) -> Sequence[str]:
        """The figures said after training where they were measured, the most telling first."""

    @property
    def curves(self) -> Mapping[str, Mapping[str, str]]:
        """Charts of shares by epoch: title → column of results.csv → label."""

    def plan(self, dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
        """Look at the data, choose what the person left open (`TrainSettings`), and decode."""

    def plan_again(self, dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
        """The plan of a run that is resumed, from its card."""

    def learner(self, plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None = None) -> Model:
        """What the engine trains. `network`: the person's own; None: the recipe's, its first weights from the seed."""

    def opened(self, card: Mapping[str, Any], devices: Devices, network: nn.Module | None = None) -> Model:
        """What the card describes, ready for its weights and to answer. `network`: the person's own."""

    def decode(self, dataset: Dataset, model: Any, voice: Voice) -> Any:
        """Labelled pictures as this model wants them."""

    def measure(self, model: Any, decoded: Any, split: str | None, batch: int) -> Measured:
        """Ask the model about every picture of a split (None: of all) and compare."""

    def finish(self, model: Any, plan: Plan) -> tuple[Mapping[str, Measured], Mapping[str, Any]]:
        """After training: what was measured, by split, and what the card keeps beside these figures.

        The model is set to answer as the card will say.
        """

    def evaluate(self, inquiry: Inquiry, decoded: Any, split: str | None) -> tuple[Measured, Report]:
        """`anmok eval`: everything that can be said about these pictures."""

    def duel(self, names: tuple[str, str], first: Any, second: Any) -> Duel:
        """Two runs' answers (`measure`) to the same pictures, compared."""

    def answers(
        self, model: Any, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], asked: Asked
    ) -> Iterator[Prediction]:
        """One prediction a picture, in order, in bounded memory; `error` set where one cannot be read."""

    def write(self, to: Path, answers: Iterable[Prediction], asked: Asked) -> None:
        """Write answers to a file or folder as they come (`PredictSettings.to`)."""

    def draw_augmentation(self, plan: Plan, seed: int, path: Path) -> None:
        """A sheet of training pictures, as they are and as training will see them."""

    def sorts(self, decoded: Any) -> tuple[Mapping[str, Mapping[str, int]], Mapping[str, Sequence[Any]]]:
        """What the data holds: pictures by name and split, and a few pictures of each name to look at."""

    def page(
        self, page: ReportContent, model: Any, decoded: Any, found: Any, card: Mapping[str, Any],
        report: Report | None = None,
    ) -> ReportContent:  # fmt: skip
        """A report's page with this task's parts: headlines, tables, pictures.

        Args:
            page: what every task's page holds.
            found: what was measured on `decoded`.
            card: the run's.
            report: of an evaluation; None: the page is about training.
        """


TASKS: Registry[Callable[[], Kind]] = Registry("anmok.tasks", "task")
