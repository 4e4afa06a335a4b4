"""Generation: new pictures of the kind that was shown, from seeds; and whether they are good, varied and new."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from anmok.core.codes import Canvas
from anmok.core.registry import register
from anmok.core.types import Dataset, Pictures, Prediction, Report
from anmok.data.prepare_pictures import PreparedPictures
from anmok.engine.devices import Devices
from anmok.report.content import ReportContent
from anmok.tasks._kind import Asked, Inquiry, Plan, Voice
from anmok.tasks.decoding import decode
from anmok.tasks.duel import Duel
from anmok.tasks.generate import answering, choosing
from anmok.tasks.generate.duel import judged
from anmok.tasks.generate.learning import Generate
from anmok.tasks.generate.measuring import Measured, measure, measure_all
from anmok.tasks.generate.page import fill
from anmok.tasks.generate.shipping import ShippedGenerator
from anmok.tasks.sorts import sorts_of

__all__ = ["Generate", "Generation"]


@register("task", name="generate")
class Generation:
    """Generation as the verbs know it (`anmok.tasks._kind.Kind`)."""

    name = "generate"
    headlines = ("kernel_distance", "precision", "recall")
    curves: Mapping[str, Mapping[str, str]] = {
        "Distance from real pictures": {"kernel_distance": "kernel distance"},
        "Do they look real, are all kinds drawn?": {
            "precision": "precision",
            "recall": "recall",
            "coverage": "coverage",
        },
        "Are they varied, are they copies?": {"variety": "variety", "elbow_room": "elbow room", "copies": "copies"},
    }

    def plan(self, dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
        """Picture size, network and recipe, chosen from the data where the person did not choose."""
        return choosing.new_plan(dataset, asked, voice)

    def plan_again(self, dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
        """The plan of a run that is resumed."""
        return choosing.saved_plan(dataset, card, voice)

    def learner(self, plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None = None) -> Generate:
        """What the engine trains."""
        return choosing.learner(plan, devices, asked, network)

    def opened(self, card: Mapping[str, Any], devices: Devices, network: nn.Module | None = None) -> Generate:
        """What a card describes."""
        return choosing.opened(card, devices, network)

    def decode(self, dataset: Dataset, model: Generate, voice: Voice) -> PreparedPictures:
        """Pictures at the model's size."""
        return decode(dataset, model.preparation, voice)

    def measure(self, model: Generate, decoded: PreparedPictures, split: str | None, batch: int) -> Measured:
        """Drawn pictures compared with real ones."""
        return measure(model, decoded, split)

    def finish(self, model: Generate, plan: Plan) -> tuple[Mapping[str, Measured], Mapping[str, Any]]:
        """Validation and test; the alarms that were raised."""
        splits = plan.decoded.dataset.splits
        measured = measure_all(model, plan.decoded, [name for name in ("val", "test") if splits.get(name, 0) > 1])
        health = {"features": model.yardstick.eye.title, "alarms": model.alarms.raised}
        return measured, {"frequent": list(model.frequent), "health": health}

    def evaluate(self, inquiry: Inquiry, decoded: PreparedPictures, split: str | None) -> tuple[Measured, Report]:
        """Figures; which real pictures could have been drawn; which drawn ones lie nearest to training pictures."""
        found = measure(inquiry.model, decoded, split)
        figures: dict[str, float] = {}
        for name, figure in found.figures.items():
            figures |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
        told = {True: "could be drawn", False: "out of reach"}
        predictions = [
            Prediction(name, (told[bool(hit)],), (1.0,)) for name, hit in zip(found.ids, found.recalled, strict=True)
        ]
        return found, Report(figures, {}, predictions)

    def duel(self, names: tuple[str, str], first: Measured, second: Measured) -> Duel:
        """Intervals of the differences."""
        return judged(names, first, second)

    def canvas(self, model: Generate) -> Canvas:
        """The model draws by itself."""
        return model

    def graph(self, model: Generate) -> tuple[nn.Module, int]:
        """The generator as it is shipped."""
        return ShippedGenerator(model), model.latent + len(model.classes) + 1

    def answers(
        self, model: Generate, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], asked: Asked
    ) -> Iterator[Prediction]:
        """The nearest picture that can be drawn to each."""
        return answering.answers(model, pictures, locators, names, asked.batch)

    def write(self, to: Path, answers: Iterable[Prediction], asked: Asked) -> None:
        """A folder of pictures, or a table."""
        answering.write(to, answers, asked.top)

    def draw_augmentation(self, plan: Plan, seed: int, path: Path) -> None:
        """Nothing: pictures are learned as they are, mirrored at most."""

    def sorts(self, decoded: PreparedPictures) -> tuple[Mapping[str, Mapping[str, int]], Mapping[str, Sequence[Any]]]:
        """Pictures by class and split, and some training pictures of each; without classes, of all together."""
        return sorts_of(decoded)

    def page(
        self, page: ReportContent, model: Generate, decoded: PreparedPictures, found: Measured,
        card: Mapping[str, Any], report: Report | None = None,
    ) -> ReportContent:  # fmt: skip
        """What was drawn, how it came about, whether it is new."""
        return fill(page, model, decoded, found)
