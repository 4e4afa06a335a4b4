"""Segmentation: every pixel its class."""

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
from anmok.tasks._kind import Asked, Inquiry, Plan, Voice
from anmok.tasks._shipping import Cargo
from anmok.tasks.duel import Duel
from anmok.tasks.segment import choosing
from anmok.tasks.segment.answering import answers, overlay
from anmok.tasks.segment.augmentation import draw_augmentation
from anmok.tasks.segment.colours import overlaid
from anmok.tasks.segment.duel import judged
from anmok.tasks.segment.evaluating import report_of
from anmok.tasks.segment.learning import Segment
from anmok.tasks.segment.measuring import Measured, measure
from anmok.tasks.segment.page import fill
from anmok.tasks.segment.pictures import DecodedMasks, decode_masks
from anmok.tasks.segment.shipping import cargo
from anmok.tasks.segment.writing import wants_overlays, write

__all__ = ["Segment", "Segmentation"]

SHOWN_PER_CLASS = 6  # pictures


@register("task", name="segment")
class Segmentation:
    """Segmentation as the verbs know it (`anmok.tasks._kind.Kind`)."""

    name = "segment"
    headlines = ("mean_iou", "pixel_accuracy")
    curves: Mapping[str, Mapping[str, str]] = {
        "Mean IoU": {"val_mean_iou": "validation"},
        "Pixel accuracy": {"val_pixel_accuracy": "validation"},
    }

    def plan(self, dataset: Dataset, asked: Asked, voice: Voice) -> Plan:
        """Picture size or windows, network and recipe, chosen from the data where the person did not choose."""
        return choosing.new_plan(dataset, asked, voice)

    def plan_again(self, dataset: Dataset, card: Mapping[str, Any], voice: Voice) -> Plan:
        """The plan of a run that is resumed."""
        return choosing.saved_plan(dataset, card, voice)

    def learner(self, plan: Plan, devices: Devices, asked: Asked, network: nn.Module | None = None) -> Segment:
        """What the engine trains."""
        return choosing.learner(plan, devices, asked, network)

    def opened(self, card: Mapping[str, Any], devices: Devices, network: nn.Module | None = None) -> Segment:
        """The segmentation a card describes."""
        return choosing.opened(card, devices, network)

    def decode(self, dataset: Dataset, model: Segment, voice: Voice) -> DecodedMasks:
        """Pictures and masks at the model's working size."""
        return decode_masks(dataset, model.preparation, voice)

    def measure(self, model: Segment, decoded: DecodedMasks, split: str | None, batch: int) -> Measured:
        """Answers and figures, at the pictures' own size."""
        return measure(model, decoded.dataset, split, batch)

    def finish(self, model: Segment, plan: Plan) -> tuple[Mapping[str, Measured], Mapping[str, Any]]:
        """Validation and test."""
        dataset = plan.decoded.dataset
        splits = [name for name in ("val", "test") if name in dataset.splits]
        return {name: measure(model, dataset, name, choosing.AT_ONCE) for name in splits}, {}

    def evaluate(self, inquiry: Inquiry, decoded: DecodedMasks, split: str | None) -> tuple[Measured, Report]:
        """Figures, tables and predictions."""
        found = measure(inquiry.model, decoded.dataset, split, inquiry.asked.batch)
        return found, report_of(found, inquiry.model.classes)

    def duel(self, names: tuple[str, str], first: Measured, second: Measured) -> Duel:
        """Intervals of the differences, pictures drawn in pairs."""
        return judged(names, first, second)

    def answers(
        self, model: Segment, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], asked: Asked
    ) -> Iterator[Prediction]:
        """Class maps in the pictures' own size."""
        return answers(model, pictures, locators, names, asked.batch)

    def overlays(self, to: Path | None) -> bool:
        """See `anmok.tasks._kind.Overlaid`."""
        return wants_overlays(to)

    def overlay(self, pixels: np.ndarray, answer: Prediction) -> np.ndarray:
        """The class map over the picture, objects outlined."""
        return overlay(pixels, answer.mask, answer.objects)

    def cargo(self, model: Segment) -> Cargo:
        """The network up to each pixel's probabilities, and how class maps are made of these."""
        return cargo(model)

    def write(self, to: Path, answers: Iterable[Prediction], asked: Asked) -> None:
        """A folder of class maps and overlays, objects as COCO's .json, or a table of class shares."""
        write(to, answers, asked.top)

    def draw_augmentation(self, plan: Plan, seed: int, path: Path) -> None:
        """A sheet of pictures under their class maps."""
        draw_augmentation(plan.decoded, plan.recipe, seed, path)

    def sorts(self, decoded: DecodedMasks) -> tuple[Mapping[str, Mapping[str, int]], Mapping[str, Sequence[Any]]]:
        """Pictures in which a class is seen, by class and split (of a sample), and some of each under their maps."""
        counts: dict[str, dict[str, int]] = {name: {} for name in decoded.dataset.classes}
        samples: dict[str, list[np.ndarray]] = {name: [] for name in decoded.dataset.classes}
        for split in decoded.dataset.splits:
            pixels, masks = decoded.sample(split)
            for picture, mask in zip(pixels, masks, strict=True):
                for number in np.unique(mask).tolist():
                    if number >= len(decoded.dataset.classes):
                        continue
                    name = decoded.dataset.classes[number]
                    counts[name][split] = counts[name].get(split, 0) + 1
                    if split == "train" and len(samples[name]) < SHOWN_PER_CLASS:
                        samples[name].append(overlaid(picture, mask, strength=0.4))
        return counts, samples

    def page(
        self, page: ReportContent, model: Segment, decoded: DecodedMasks, found: Measured, card: Mapping[str, Any],
        report: Report | None = None,
    ) -> ReportContent:  # fmt: skip
        """Overlays, error maps, classes, missed structures, confusions."""
        return fill(page, model, decoded.dataset, found)
