"""Everything `anmok eval` says about a run that reconstructs; and whether it tells what it never learned from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from anmok.core.errors import DataError, UsageError
from anmok.core.preparation import fit_mask
from anmok.core.strangeness import labelled
from anmok.core.targets import IGNORE
from anmok.core.types import Dataset, Prediction, Report
from anmok.data.load import load_data
from anmok.data.prepare_pictures import PreparedPictures
from anmok.data.records import frame_of
from anmok.metrics.auroc import binary_auroc, binary_auroc_interval
from anmok.metrics.region_overlap import region_overlap
from anmok.tasks._kind import Inquiry, Voice
from anmok.tasks.decoding import decode
from anmok.tasks.reconstruct.choosing import batches
from anmok.tasks.reconstruct.learning import Reconstruct
from anmok.tasks.reconstruct.measuring import Measured, class_rows, measure, spread_out
from anmok.tasks.reconstruct.novelty import judge
from anmok.tasks.reconstruct.perceptual import perceptual
from anmok.tasks.segment.naming import background_of


def evaluate(inquiry: Inquiry, decoded: PreparedPictures, split: str | None) -> tuple[Measured, Report]:
    """Every figure with its interval; tables `classes`, and `novelty` where unusual pictures were given."""
    model: Reconstruct = inquiry.model
    found = measure(model, decoded, split)
    seen = perceptual(model, batches(decoded, split, model.recipe).epoch(0))
    found = replace(found, values={**found.values, "perceptual": seen})
    figures: dict[str, float] = {}
    for name, figure in found.figures.items():
        figures |= spread_out(name, figure)
    tables: dict[str, Any] = {}
    if rows := class_rows(found, decoded):
        tables["classes"] = rows
    strangeness: list[float | None] = [None] * len(found.ids)
    if model.novelty is not None and model.threshold is not None:
        scores, _ = judge(model, batches(decoded, split, model.recipe, clean=True).epoch(0))
        strangeness = scores.tolist()
    if inquiry.asked.unseen is not None:
        tables["novelty"] = [_novelty_row(model, np.array(strangeness), str(inquiry.asked.unseen), inquiry.voice)]
    predictions = [
        Prediction(name, *labelled(model.threshold, score))
        for name, score in zip(found.ids, strangeness, strict=True)
    ]  # fmt: skip
    return found, Report(figures, tables, predictions)


def _novelty_row(model: Reconstruct, usual: np.ndarray, place: str, voice: Voice) -> dict[str, Any]:
    """How well strangeness tells the run's own kind of pictures from those at `place`; and where, if masks say so."""
    threshold = model.threshold
    if threshold is None:
        raise UsageError("this run does not judge what is unusual", got=f"--unseen {place}",
                         fix="train without --corrupt, or with --novelty")  # fmt: skip
    dataset = load_data(place)
    masked = dataset.task == "segment"
    decoded = decode(dataset if masked else load_data(place, task="reconstruct"), model.preparation, voice)
    if not len(decoded.dataset):
        raise DataError("there is no picture to judge", path=place)
    scores, maps = judge(model, batches(decoded, None, model.recipe, clean=True).epoch(0), maps=masked)
    kinds = np.repeat([False, True], [len(usual), len(scores)])
    area = binary_auroc_interval(kinds, np.concatenate([usual, scores]))
    row: dict[str, Any] = {
        "place": place, "by": threshold.by, "pictures": len(scores),
        "auroc": area.value, "auroc_low": area.low, "auroc_high": area.high,
        "flagged": float(threshold.exceeded(scores).mean()), "flagged_usual": float(threshold.exceeded(usual).mean()),
    }  # fmt: skip
    where = ""
    if masked and maps is not None:
        masks, judged = _masks(decoded.dataset, model)
        row["pixel_auroc"] = binary_auroc(masks[judged], maps[judged])
        row["region_overlap"] = region_overlap(masks, maps)
        where = f" Pixel by pixel AUROC {row['pixel_auroc']:.3f}, per-region overlap {row['region_overlap']:.3f}."
    row["sentence"] = (
        f"Judged by {threshold.by}, {len(scores):,} unseen pictures are told from {len(usual):,} of the run's own with "
        f"AUROC {area.value:.3f} ({area.low:.3f} to {area.high:.3f}); {row['flagged']:.1%} of the unseen and "
        f"{row['flagged_usual']:.1%} of its own are called unusual.{where}"
    )
    return row


def _masks(dataset: Dataset, model: Reconstruct) -> tuple[np.ndarray, np.ndarray]:
    """What of each picture is abnormal, and what is judged, bool (N, S, S): everything but the background class."""
    background = background_of(dataset.classes)
    found = []
    for entry in dataset.entries:
        own = frame_of(dataset.pictures, entry.locator)
        mask = dataset.masks.classes(entry.target, own)  # type: ignore[union-attr]
        found.append(fit_mask(mask, model.preparation, IGNORE))
    masks = np.stack(found)
    return (masks != (0 if background is None else background)) & (masks != IGNORE), masks != IGNORE
