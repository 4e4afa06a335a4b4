"""Reconstruction: a picture comes out again, whole where it was damaged; and what cannot be repeated is unusual."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from anmok.core.registry import register
from anmok.core.seeds import numpy_generator
from anmok.core.strangeness import choose_threshold
from anmok.core.types import Dataset, Pictures, Prediction, Report
from anmok.data.augment import Augment
from anmok.data.corrupt import corrupt
from anmok.data.prepare_pictures import PreparedPictures
from anmok.engine.devices import Devices
from anmok.report.content import ReportContent
from anmok.tasks._kind import Asked, Inquiry, Plan, Voice
from anmok.tasks._shipping import Cargo
from anmok.tasks.decoding import decode
from anmok.tasks.duel import Duel
from anmok.tasks.reconstruct import answering, choosing
from anmok.tasks.reconstruct.canvas import VAECanvas
from anmok.tasks.reconstruct.duel import judged
from anmok.tasks.reconstruct.evaluating import evaluate
from anmok.tasks.reconstruct.learning import Reconstruct
from anmok.tasks.reconstruct.measuring import Measured, measure
from anmok.tasks.reconstruct.novelty import judge
from anmok.tasks.reconstruct.page import fill
from anmok.tasks.reconstruct.seeing import space
from anmok.tasks.reconstruct.shipping import cargo
from anmok.tasks.sheet import ROWS, VERSIONS, draw_sheet
from anmok.tasks.sorts import sorts_of

__all__ = ["Reconstruct", "Reconstruction"]


@register("task", name="reconstruct")
class Reconstruction:
    """Reconstruction as the verbs know it (`anmok.tasks._kind.Kind`)."""

    name = "reconstruct"
    headlines = ("psnr", "ssim")
    curves: Mapping[str, Mapping[str, str]] = {"PSNR, dB": {"val_psnr": "validation"}}

    def plan(self, dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
        """Picture size, network and recipe, chosen from the data where the person did not choose."""
        return choosing.new_plan(dataset, asked, voice)

    def plan_again(self, dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
        """The plan of a run that is resumed."""
        return choosing.saved_plan(dataset, card, voice)

    def learner(self, plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None = None) -> Reconstruct:
        """What the engine trains."""
        return choosing.learner(plan, devices, asked, network)

    def opened(self, card: Mapping[str, Any], devices: Devices, network: nn.Module | None = None) -> Reconstruct:
        """What a card describes."""
        return choosing.opened(card, devices, network)

    def decode(self, dataset: Dataset, model: Reconstruct, voice: Voice) -> PreparedPictures:
        """Pictures at the model's working size."""
        return decode(dataset, model.preparation, voice)

    def measure(self, model: Reconstruct, decoded: PreparedPictures, split: str | None, batch: int) -> Measured:
        """Answers and figures."""
        return measure(model, decoded, split)

    def finish(self, model: Reconstruct, plan: Plan) -> tuple[Mapping[str, Measured], Mapping[str, Any]]:
        """Validation and test; the threshold of what is unusual is chosen on the first."""
        decoded, splits = plan.decoded, plan.decoded.dataset.splits
        if model.novelty is not None and "val" in splits:
            scores, _ = judge(model, choosing.batches(decoded, "val", plan.recipe, clean=True).epoch(0))
            model.threshold = choose_threshold(plan.recipe.novelty, scores)
        measured = {name: measure(model, decoded, name) for name in ("val", "test") if name in splits}
        return measured, {"novelty": None if model.threshold is None else model.threshold.to_json()}

    def evaluate(self, inquiry: Inquiry, decoded: PreparedPictures, split: str | None) -> tuple[Measured, Report]:
        """Figures, tables and predictions."""
        return evaluate(inquiry, decoded, split)

    def duel(self, names: tuple[str, str], first: Measured, second: Measured) -> Duel:
        """Intervals of the differences, picture by picture."""
        return judged(names, first, second)

    def canvas(self, model: Reconstruct) -> VAECanvas:
        """What draws pictures from seeds, of a VAE."""
        return VAECanvas(model)

    def answers(
        self, model: Reconstruct, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], asked: Asked
    ) -> Iterator[Prediction]:
        """Each picture as the network repeats it, in its own size; and how unusual it is."""
        return answering.answers(model, pictures, locators, names, asked.batch)

    def write(self, to: Path, answers: Iterable[Prediction], asked: Asked) -> None:
        """A folder of pictures, or a table of what is unusual."""
        answering.write(to, answers, asked.top)

    def space(
        self, model: Reconstruct, decoded: PreparedPictures, split: str | None, walk: Sequence[np.ndarray] | None,
        by: str,
    ) -> Mapping[str, np.ndarray]:  # fmt: skip
        """Maps, walks, directions, neighbours, draws."""
        return space(model, decoded, split, walk, by)

    def cargo(self, model: Reconstruct) -> Cargo:
        """The network, and what judges how strange a picture is."""
        return cargo(model)

    def draw_augmentation(self, plan: Plan, seed: int, path: Path) -> None:
        """A sheet of pictures as they should come out, then as they go in; none where both are the same."""
        decoded, recipe = plan.decoded, plan.recipe
        chosen = decoded.pictures("train", 1).rows[:ROWS]
        if decoded.partners is not None:
            partners = decoded.partners[np.isin(decoded.rows, chosen)]
            draw_sheet([decoded.source.gather(partners), decoded.source.gather(chosen)], path)
            return
        if not recipe.corrupt and recipe.augment == Augment():
            return  # there is nothing to show
        clean, columns = decoded.source.gather(chosen), []
        for epoch in range(VERSIONS):
            changed, _ = recipe.augment(
                clean, decoded.preparation.size, numpy_generator(seed, "augmentation sheet", epoch), epoch, chosen
            )
            damage = numpy_generator(seed, "damage sheet", epoch)
            columns.append(corrupt(recipe.corrupt)(changed, damage) if recipe.corrupt else changed)
        draw_sheet([clean, *columns], path)

    def sorts(self, decoded: PreparedPictures) -> tuple[Mapping[str, Mapping[str, int]], Mapping[str, Sequence[Any]]]:
        """Pictures by class and split, and some training pictures of each; without classes, of all together."""
        return sorts_of(decoded)

    def page(
        self, page: ReportContent, model: Reconstruct, decoded: PreparedPictures, found: Measured,
        card: Mapping[str, Any], report: Report | None = None,
    ) -> ReportContent:  # fmt: skip
        """Originals beside answers, figures by class, the space of codes, what is unusual."""
        return fill(page, model, decoded, found, report)
