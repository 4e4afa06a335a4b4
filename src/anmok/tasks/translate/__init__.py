"""Translation: a picture as the other domain would have it, learned from pairs or from two folders without any."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from anmok.core.registry import register
from anmok.core.seeds import numpy_generator
from anmok.core.types import Dataset, Pictures, Prediction, Report
from anmok.data.prepare_pictures import PreparedPictures
from anmok.engine.devices import Devices
from anmok.report.content import ReportContent
from anmok.tasks._kind import Asked, Inquiry, Plan, Voice
from anmok.tasks._shipping import Cargo
from anmok.tasks.decoding import decode
from anmok.tasks.duel import Duel
from anmok.tasks.sheet import ROWS, VERSIONS, draw_sheet
from anmok.tasks.translate import answering, choosing
from anmok.tasks.translate.duel import judged
from anmok.tasks.translate.evaluating import evaluate
from anmok.tasks.translate.learning import Translate
from anmok.tasks.translate.measuring import Measured, measure
from anmok.tasks.translate.page import fill

__all__ = ["Translate", "Translation"]

SHOWN = 6  # pictures of each domain


@register("task", name="translate")
class Translation:
    """Translation as the verbs know it (`anmok.tasks._kind.Kind`)."""

    name = "translate"
    headlines = ("nearer", "psnr", "ssim", "nearer_ab", "nearer_ba", "cycle_ab", "cycle_ba")
    curves: Mapping[str, Mapping[str, str]] = {
        "Error against partners": {"val_error_ab": "A → B", "val_error_ba": "B → A"},
        "Change there and back": {"val_cycle_ab": "A → B → A", "val_cycle_ba": "B → A → B"},
    }

    def plan(self, dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
        """Picture size, network and recipe, chosen from the data where the person did not choose."""
        return choosing.new_plan(dataset, asked, voice)

    def plan_again(self, dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
        """The plan of a run that is resumed."""
        return choosing.saved_plan(dataset, card, voice)

    def learner(self, plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None = None) -> Translate:
        """What the engine trains."""
        return choosing.learner(plan, devices, asked, network)

    def opened(self, card: Mapping[str, Any], devices: Devices, network: nn.Module | None = None) -> Translate:
        """What a card describes."""
        return choosing.opened(card, devices, network)

    def decode(self, dataset: Dataset, model: Translate, voice: Voice) -> PreparedPictures:
        """Pictures at the model's working size."""
        return decode(dataset, model.preparation, voice)

    def measure(self, model: Translate, decoded: PreparedPictures, split: str | None, batch: int) -> Measured:
        """Translations and figures."""
        return measure(model, decoded, split)

    def finish(self, model: Translate, plan: Plan) -> tuple[Mapping[str, Measured], Mapping[str, Any]]:
        """Validation and test, where there is something to compare with."""
        splits = plan.decoded.dataset.splits
        return {name: measure(model, plan.decoded, name) for name in ("val", "test") if name in splits}, {}

    def evaluate(self, inquiry: Inquiry, decoded: PreparedPictures, split: str | None) -> tuple[Measured, Report]:
        """Figures, and in words what each way came to."""
        return evaluate(inquiry, decoded, split)

    def duel(self, names: tuple[str, str], first: Measured, second: Measured) -> Duel:
        """Intervals of the differences, picture by picture."""
        return judged(names, first, second)

    def answers(
        self, model: Translate, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], asked: Asked
    ) -> Iterator[Prediction]:
        """Each picture as the other domain would have it, in its own size."""
        return answering.answers(model, pictures, locators, names, model.way_into(asked.into), asked.batch)

    def write(self, to: Path, answers: Iterable[Prediction], asked: Asked) -> None:
        """A folder of pictures."""
        answering.write(to, answers)

    def cargo(self, model: Translate) -> Cargo:
        """The generator of the model's way."""
        return Cargo(model.game.generators[model.way], ("picture",), {"told": model.told(model.way)})

    def draw_augmentation(self, plan: Plan, seed: int, path: Path) -> None:
        """Pairs side by side, or pictures of both domains and what training makes of them."""
        decoded, recipe, gather = plan.decoded, plan.recipe, plan.decoded.source.gather
        if decoded.partners is not None:
            pairs = decoded.pairs("train", 1)
            draw_sheet([gather(pairs.rows[:ROWS]), gather(pairs.partners[:ROWS])], path)
            return
        both = decoded.unpaired("train", 1)
        chosen = np.concatenate([both.rows[: ROWS // 2], both.others[: ROWS // 2]])
        clean = gather(chosen)
        columns = [
            recipe.augment(clean, decoded.preparation.size, numpy_generator(seed, "sheet", epoch), epoch, chosen)[0]
            for epoch in range(VERSIONS)
        ]
        draw_sheet([clean, *columns], path)

    def sorts(self, decoded: PreparedPictures) -> tuple[Mapping[str, Mapping[str, int]], Mapping[str, Sequence[Any]]]:
        """Pictures by domain and split, and some training pictures of each; pairs count once, and show both."""
        entries, paired = decoded.dataset.entries, decoded.partners is not None
        names = decoded.dataset.classes or choosing.DOMAINS
        counts: dict[str, dict[str, int]] = {"pairs": {}} if paired else {name: {} for name in names}
        samples: dict[str, list[Any]] = {name: [] for name in names}
        for place, entry in enumerate(entries):
            name = "pairs" if paired else names[entry.target]
            counts[name][entry.split or ""] = counts[name].get(entry.split or "", 0) + 1
            for shown, rows in self._shown(decoded, place, names):
                if entry.split == "train" and len(samples[shown]) < SHOWN:
                    samples[shown].append(decoded.source.gather(rows)[0])
        return counts, samples

    def _shown(self, decoded: PreparedPictures, place: int, names: Sequence[str]) -> list[tuple[str, np.ndarray]]:
        own = decoded.rows[place : place + 1]
        if decoded.partners is None:
            return [(names[decoded.dataset.entries[place].target], own)]
        return [(names[0], own), (names[1], decoded.partners[place : place + 1])]

    def page(
        self, page: ReportContent, model: Translate, decoded: PreparedPictures, found: Measured,
        card: Mapping[str, Any], report: Report | None = None,
    ) -> ReportContent:  # fmt: skip
        """There and back again, the worst, and how it came about."""
        return fill(page, model, decoded, found)
