"""Multi-label classification: all the classes that a picture shows, which may be several, or none.

Beside classification it differs in what logits mean (`objective`), and so in figures, thresholds and answers; networks,
recipes, transfer and loading are those of `anmok.tasks.classify`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from anmok.core.registry import register
from anmok.core.types import Dataset, Pictures, Prediction, Report
from anmok.engine.devices import Devices
from anmok.report.content import ReportContent
from anmok.report.tables import write_predictions
from anmok.ship.graph import Mirrored
from anmok.tasks._kind import Asked, Inquiry, Plan, Voice
from anmok.tasks._shipping import Cargo
from anmok.tasks.classify.answering import answers
from anmok.tasks.classify.augmentation import draw_augmentation
from anmok.tasks.classify.choosing import decode, saved_plan
from anmok.tasks.classify.learning import Classify
from anmok.tasks.duel import Duel
from anmok.tasks.multilabel import choosing
from anmok.tasks.multilabel.duel import judged
from anmok.tasks.multilabel.measuring import Measured, measure, report_of
from anmok.tasks.multilabel.objective import AnyClasses, Judgement
from anmok.tasks.multilabel.page import fill
from anmok.tasks.pictures import Decoded

__all__ = ["AnyClasses", "Judgement", "MultiLabel"]

SHOWN_PER_CLASS = 6  # pictures


@register("task", name="multilabel")
class MultiLabel:
    """Multi-label classification as the verbs know it (`anmok.tasks._kind.Kind`)."""

    name = "multilabel"
    headlines = ("map", "micro_f1", "subset_accuracy")
    curves: Mapping[str, Mapping[str, str]] = {
        "Mean average precision": {"val_map": "validation"},
        "Micro F1 at one half": {"val_micro_f1": "validation"},
    }

    def plan(self, dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
        """Network, picture size and recipe, chosen from the data where the person did not choose."""
        return choosing.new_plan(dataset, asked, voice)

    def plan_again(self, dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
        """The plan of a run that is resumed."""
        return saved_plan(dataset, card, voice)

    def learner(self, plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None = None) -> Classify:
        """What the engine trains."""
        return choosing.learner(plan, devices, asked, network)

    def opened(self, card: Mapping[str, Any], devices: Devices, network: nn.Module | None = None) -> Classify:
        """The model a card describes."""
        return choosing.opened(card, devices, network)

    def decode(self, dataset: Dataset, model: Classify, voice: Voice) -> Decoded:
        """Pictures at the model's working size."""
        return decode(dataset, model.preparation, voice)

    def measure(self, model: Classify, decoded: Decoded, split: str | None, batch: int) -> Measured:
        """Answers and figures, calibrated, with the run's thresholds."""
        return measure(model, decoded, split, batch, _judgement(model))

    def finish(self, model: Classify, plan: Plan) -> tuple[Mapping[str, Measured], Mapping[str, Any]]:
        """Validation and test: calibration and thresholds are chosen on the first and used on both."""
        splits, measured = plan.decoded.dataset.splits, {}
        if "val" in splits:
            measured["val"] = measure(model, plan.decoded, "val")
            model.objective = AnyClasses(measured["val"].judgement)
        if "test" in splits:
            measured["test"] = measure(model, plan.decoded, "test", judgement=_judgement(model))
        return measured, {"judgement": _judgement(model).to_json(model.classes)}

    def evaluate(self, inquiry: Inquiry, decoded: Decoded, split: str | None) -> tuple[Measured, Report]:
        """Figures, tables and predictions."""
        found = self.measure(inquiry.model, decoded, split, inquiry.asked.batch)
        return found, report_of(found, inquiry.model.classes)

    def duel(self, names: tuple[str, str], first: Measured, second: Measured) -> Duel:
        """Paired bootstrap, and McNemar's test on pictures named exactly."""
        return judged(names, first, second)

    def answers(
        self, model: Classify, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], asked: Asked
    ) -> Iterator[Prediction]:
        """All classes with their probabilities, and which of them are found."""
        return answers(model, pictures, locators, names, asked.batch)

    def cargo(self, model: Classify) -> Cargo:
        """The network, averaged over both mirror images where the run is; its classes and how logits are judged."""
        network = Mirrored(model.network) if model.mirror else model.network
        settings = {"classes": model.classes, "judgement": _judgement(model).to_json(model.classes)}
        return Cargo(network, ("logits",), settings)

    def write(self, to: Path, answers: Iterable[Prediction], asked: Asked) -> None:
        """A table: .csv, .jsonl or .parquet."""
        write_predictions(to, answers, asked.top, several=True)

    def draw_augmentation(self, plan: Plan, seed: int, path: Path) -> None:
        """A sheet of pictures of different classes."""
        draw_augmentation(plan.decoded, plan.recipe, seed, path)

    def sorts(self, decoded: Decoded) -> tuple[Mapping[str, Mapping[str, int]], Mapping[str, Sequence[Any]]]:
        """Pictures that show a class, by class and split, and some training pictures of each class."""
        dataset, loader = decoded.dataset, decoded.loader("train", 1)
        counts: dict[str, dict[str, int]] = {name: {} for name in dataset.classes}
        for entry in dataset.entries:
            for number in entry.target.numbers:
                row = counts[dataset.classes[number]]
                row[entry.split or ""] = row.get(entry.split or "", 0) + 1
        samples = {}
        for index, name in enumerate(dataset.classes):
            rows = loader.rows[np.flatnonzero(loader.targets[:, index])][:SHOWN_PER_CLASS]
            samples[name] = list(decoded.source.gather(rows)) if len(rows) else []
        return counts, samples

    def page(
        self, page: ReportContent, model: Classify, decoded: Decoded, found: Measured, card: Mapping[str, Any],
        report: Report | None = None,
    ) -> ReportContent:  # fmt: skip
        """Headlines, classes, mistakes."""
        return fill(page, model, decoded, found)


def _judgement(model: Classify) -> Judgement:
    assert isinstance(model.objective, AnyClasses)
    return model.objective.judgement
