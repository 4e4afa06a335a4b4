"""Classification: one picture, one class."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from anmok.core.registry import register
from anmok.core.types import Dataset, Pictures, Prediction, Report
from anmok.data.duplicates import Duplicates
from anmok.engine.devices import Devices
from anmok.metrics.calibration import temperature_limit
from anmok.report.content import ReportContent
from anmok.report.tables import write_predictions
from anmok.ship.graph import Mirrored
from anmok.tasks._kind import Asked, Inquiry, Plan, Voice
from anmok.tasks._shipping import Cargo
from anmok.tasks.classify import choosing, evaluating
from anmok.tasks.classify.answering import answers
from anmok.tasks.classify.augmentation import draw_augmentation
from anmok.tasks.classify.duel import Duel, judged
from anmok.tasks.classify.leakage import leakage_bill
from anmok.tasks.classify.learning import AUXILIARY_WEIGHT, Classify
from anmok.tasks.classify.measuring import Measured, measure
from anmok.tasks.classify.page import fill
from anmok.tasks.classify.rejection import choose_rejection
from anmok.tasks.pictures import Decoded

__all__ = ["AUXILIARY_WEIGHT", "Classification", "Classify"]

SHOWN_PER_CLASS = 6  # pictures


@register("task", name="classify")
class Classification:
    """Classification as the verbs know it (`anmok.tasks._kind.Kind`)."""

    name = "classify"
    headlines = ("accuracy",)
    curves: Mapping[str, Mapping[str, str]] = {
        "Accuracy": {"val_accuracy": "validation"},
        "Macro recall": {"val_macro_recall": "validation"},
    }

    def plan(self, dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
        """Network, picture size and recipe, chosen from the data where the person did not choose."""
        return choosing.new_plan(dataset, asked, voice)

    def plan_again(self, dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
        """The plan of a run that is resumed."""
        return choosing.saved_plan(dataset, card, voice)

    def learner(self, plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None = None) -> Classify:
        """What the engine trains."""
        return choosing.learner(plan, devices, asked, network)

    def opened(self, card: Mapping[str, Any], devices: Devices, network: nn.Module | None = None) -> Classify:
        """The classifier a card describes."""
        return choosing.opened(card, devices, network)

    def decode(self, dataset: Dataset, model: Classify, voice: Voice) -> Decoded:
        """Pictures at the model's working size."""
        return choosing.decode(dataset, model.preparation, voice)

    def measure(self, model: Classify, decoded: Decoded, split: str | None, batch: int) -> Measured:
        """Answers and figures, calibrated."""
        return measure(model, decoded, split, batch, model.temperature)

    def finish(self, model: Classify, plan: Plan) -> tuple[Mapping[str, Measured], Mapping[str, Any]]:
        """Validation and test: the temperature is fitted on the first and used on both, the threshold chosen there."""
        splits, measured = plan.decoded.dataset.splits, {}
        kept: dict[str, Any] = {"temperature": 1.0, "rejection": None}
        if "val" in splits:
            found = measured["val"] = measure(model, plan.decoded, "val", temperature=None)
            if limit := temperature_limit(found.temperature):
                warnings.warn(f"the temperature of the certainties: {limit}", stacklevel=2)
            kept = {"temperature": found.temperature, "rejection": choose_rejection(found).to_json()}
            model.temperature, model.threshold = found.temperature, kept["rejection"]["threshold"]
        if "test" in splits:
            measured["test"] = measure(model, plan.decoded, "test", temperature=model.temperature)
        return measured, kept

    def bill(self, decoded: Decoded, found: Measured, duplicates: Duplicates) -> str:
        """The accuracy with and without the leaked pictures."""
        owed = leakage_bill(decoded, found.split, found.ids, found.right, duplicates)
        return owed.sentence if owed.leaked else ""

    def evaluate(self, inquiry: Inquiry, decoded: Decoded, split: str | None) -> tuple[Measured, Report]:
        """Figures, tables and predictions."""
        return evaluating.evaluate(inquiry, decoded, split)

    def duel(self, names: tuple[str, str], first: Measured, second: Measured) -> Duel:
        """McNemar's test, and intervals of the differences."""
        return judged(names, first, second)

    def answers(
        self, model: Classify, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], asked: Asked
    ) -> Iterator[Prediction]:
        """Labels and calibrated probabilities."""
        return answers(model, pictures, locators, names, asked.batch, asked.reject_below)

    def cargo(self, model: Classify) -> Cargo:
        """The network, averaged over both mirror images where the run is; its classes, temperature and threshold."""
        network = Mirrored(model.network) if model.mirror else model.network
        settings = {"classes": model.classes, "temperature": model.temperature, "threshold": model.threshold}
        return Cargo(network, ("logits",), settings)

    def write(self, to: Path, answers: Iterable[Prediction], asked: Asked) -> None:
        """A table: .csv, .jsonl or .parquet."""
        write_predictions(to, answers, asked.top)

    def draw_augmentation(self, plan: Plan, seed: int, path: Path) -> None:
        """A sheet of pictures of different classes."""
        draw_augmentation(plan.decoded, plan.recipe, seed, path)

    def sorts(self, decoded: Decoded) -> tuple[Mapping[str, Mapping[str, int]], Mapping[str, Sequence[Any]]]:
        """Pictures by class and split, and some training pictures of each class."""
        dataset, loader = decoded.dataset, decoded.loader("train", 1)
        counts: dict[str, dict[str, int]] = {name: {} for name in dataset.classes}
        for entry in dataset.entries:
            row = counts[dataset.classes[entry.target]]
            row[entry.split or ""] = row.get(entry.split or "", 0) + 1
        samples = {}
        for index, name in enumerate(dataset.classes):
            rows = loader.rows[loader.targets == index][:SHOWN_PER_CLASS]
            samples[name] = list(decoded.source.gather(rows)) if len(rows) else []
        return counts, samples

    def page(
        self, page: ReportContent, model: Classify, decoded: Decoded, found: Measured, card: Mapping[str, Any],
        report: Report | None = None,
    ) -> ReportContent:  # fmt: skip
        """Headlines, confusions, classes, groups, calibration, mistakes and doubts."""
        return fill(page, model, decoded, found, card, report)
