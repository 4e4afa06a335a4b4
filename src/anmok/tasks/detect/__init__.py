"""Detection: what is where."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from anmok.core.registry import register
from anmok.core.types import Dataset, Pictures, Prediction, Report
from anmok.data.prepare import Prepared
from anmok.engine.devices import Devices
from anmok.metrics.proportion import Interval
from anmok.report.content import ReportContent
from anmok.tasks._kind import Asked, Inquiry, Plan, Voice
from anmok.tasks._shipping import Cargo
from anmok.tasks.detect import choosing, history
from anmok.tasks.detect.answering import answers, overlay, wants_overlays, write
from anmok.tasks.detect.drawing import truth
from anmok.tasks.detect.duel import judged
from anmok.tasks.detect.learning import Detect
from anmok.tasks.detect.measuring import Measured, measure, report_of
from anmok.tasks.detect.page import fill
from anmok.tasks.detect.shipping import cargo
from anmok.tasks.detect.timing import timed
from anmok.tasks.duel import Duel
from anmok.tasks.sheet import ROWS, VERSIONS, draw_sheet

__all__ = ["Detect", "Detection", "Interval"]

SHOWN_PER_CLASS = 4  # pictures
LOOKED_AT = 400  # pictures a split whose objects are counted with samples


@register("task", name="detect")
class Detection:
    """Detection as the verbs know it (`anmok.tasks._kind.Kind`)."""

    name = "detect"
    headlines = ("map50", "map")
    contestants, shared, bundled = history.CONTESTANTS, history.SHARED, "scenes"
    curves: Mapping[str, Mapping[str, str]] = {
        "Mean average precision": {"val_map50": "at half overlap", "val_map": "50 to 95 %"}
    }

    def plan(self, dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
        """Network, picture size and recipe, chosen from the data where the person did not choose."""
        return choosing.new_plan(dataset, asked, voice)

    def plan_again(self, dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
        """The plan of a run that is resumed."""
        return choosing.saved_plan(dataset, card, voice)

    def learner(self, plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None = None) -> Detect:
        """What the engine trains."""
        return choosing.learner(plan, devices, asked, network)

    def opened(self, card: Mapping[str, Any], devices: Devices, network: nn.Module | None = None) -> Detect:
        """The detector a card describes."""
        return choosing.opened(card, devices, network)

    def decode(self, dataset: Dataset, model: Detect, voice: Voice) -> Prepared:
        """Pictures at the model's working size."""
        return choosing.decode(dataset, model.preparation, voice)

    def measure(self, model: Detect, decoded: Prepared, split: str | None, batch: int) -> Measured:
        """Answers and figures, in the pictures' own pixels."""
        return measure(model, decoded, split, min(batch, choosing.AT_ONCE), model.threshold)

    def finish(self, model: Detect, plan: Plan) -> tuple[Mapping[str, Measured], Mapping[str, Any]]:
        """Validation and test; the threshold is chosen on the first and used on both."""
        splits, measured = plan.decoded.dataset.splits, {}
        if "val" in splits:
            measured["val"] = measure(model, plan.decoded, "val", choosing.AT_ONCE)
            model.threshold = float(measured["val"].summary.threshold)
        if "test" in splits:
            measured["test"] = measure(model, plan.decoded, "test", choosing.AT_ONCE, model.threshold)
        return measured, {"threshold": model.threshold}

    def evaluate(self, inquiry: Inquiry, decoded: Prepared, split: str | None) -> tuple[Measured, Report]:
        """Figures, tables and predictions."""
        found = self.measure(inquiry.model, decoded, split, inquiry.asked.batch)
        return found, report_of(found, inquiry.model.classes)

    def duel(self, names: tuple[str, str], first: Measured, second: Measured) -> Duel:
        """The interval of the difference, pictures drawn in pairs."""
        return judged(names, first, second)

    def answers(
        self, model: Detect, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], asked: Asked
    ) -> Iterator[Prediction]:
        """Boxes in the pictures' own pixels."""
        return answers(model, pictures, locators, names, min(asked.batch, choosing.AT_ONCE), asked.reject_below)

    def overlays(self, to: Path | None) -> bool:
        """See `anmok.tasks._kind.Overlaid`."""
        return wants_overlays(to)

    def overlay(self, pixels: np.ndarray, answer: Prediction) -> np.ndarray:
        """The boxes over the picture."""
        return overlay(pixels, answer)

    def write(self, to: Path, answers: Iterable[Prediction], asked: Asked) -> None:
        """A table of boxes, COCO's results, or a folder with overlays."""
        write(to, answers)

    def cargo(self, model: Detect) -> Cargo:
        """The network up to its best candidates; suppression and the way back from the letterbox travel with it."""
        return cargo(model)

    def timed(self, model: Detect, decoded: Prepared, split: str | None, pictures: int) -> Mapping[str, float]:
        """Proposals, features and heads, in seconds a picture."""
        batches = decoded.objects(split, 1).epoch(0)
        shown = [batch.pictures[0].permute(1, 2, 0).numpy() for batch in islice(batches, pictures)]
        return timed(model, shown)

    def remarks(self, rows: Mapping[str, Mapping[str, float]]) -> Sequence[str]:
        """Which of the papers' claims hold."""
        return history.remarks(rows)

    def draw_augmentation(self, plan: Plan, seed: int, path: Path) -> None:
        """A sheet of pictures with their boxes, as evaluation sees them and as training may."""
        prepared: Prepared = plan.decoded
        classes = [""] * len(prepared.dataset.classes)  # names would hide small pictures
        loader = prepared.objects("train", ROWS)
        columns = []
        for version in range(VERSIONS + 1):
            batches = loader if not version else prepared.objects("train", ROWS, seed=seed, augment=plan.recipe.augment)
            batch = next(iter(batches.epoch(max(0, version - 1))))
            columns.append(np.stack([_boxed(picture, target, classes) for picture, target in
                                     zip(batch.pictures, batch.targets, strict=True)]))  # fmt: skip
        draw_sheet(columns, path)

    def sorts(self, decoded: Prepared) -> tuple[Mapping[str, Mapping[str, int]], Mapping[str, Sequence[Any]]]:
        """Pictures in which a class is seen, by class and split, and some of each with their boxes."""
        dataset = decoded.dataset
        counts: dict[str, dict[str, int]] = {name: {} for name in dataset.classes}
        samples: dict[str, list[np.ndarray]] = {name: [] for name in dataset.classes}
        for entry in dataset.entries:
            for number in np.unique(entry.target.labels).tolist():
                name, split = dataset.classes[number], entry.split or ""
                counts[name][split] = counts[name].get(split, 0) + 1
                if split == "train" and len(samples[name]) < SHOWN_PER_CLASS:
                    own = entry.target.select(entry.target.labels == number)
                    samples[name].append(truth(dataset.pictures.read(entry.locator), own, dataset.classes))
        return counts, samples

    def page(
        self, page: ReportContent, model: Detect, decoded: Prepared, found: Measured, card: Mapping[str, Any],
        report: Report | None = None,
    ) -> ReportContent:  # fmt: skip
        """Boxes drawn, classes, mistakes, confusions."""
        return fill(page, decoded.dataset, found, model.classes)


def _boxed(picture: Any, target: Mapping[str, Any], classes: Sequence[str]) -> np.ndarray:
    from anmok.core.targets import Objects

    pixels = picture.permute(1, 2, 0).numpy()
    return truth(pixels, Objects(target["boxes"].numpy(), target["labels"].numpy()), classes)
