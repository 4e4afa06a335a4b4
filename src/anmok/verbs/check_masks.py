"""What the page of `anmok check` shows of masks: pictures under their class maps, and each class's share of the pixels.

Pictures and masks are read again, as they are: what was decoded for looking at pictures may be a crop.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.types import Dataset
from anmok.data.records import frame_of
from anmok.report.check_page import Histogram
from anmok.tasks.segment.answering import overlay

PER_CLASS, CLASSES = 2, 40  # pictures shown of a class, and classes: each picture is read again
LOOKED_AT = 200  # masks read to find pictures of every class
SIDE = 320  # pixels of the longer side
OF = 10_000  # pixels, of which a class's share is told


def has_masks(dataset: Dataset) -> bool:
    """Whether there is something to draw."""
    return dataset.task == "segment" and dataset.masks is not None


def samples(dataset: Dataset) -> dict[str, list[np.ndarray]]:
    """Some pictures of each class, from all over the data, under their class maps."""
    wanted = list(dataset.classes[:CLASSES])
    found: dict[str, list[np.ndarray]] = {name: [] for name in wanted}
    step = max(1, len(dataset) // LOOKED_AT)
    for place in range(0, len(dataset), step):
        drawn = _read(dataset, place)
        if drawn is None:
            continue
        pixels, mask = drawn
        there = [wanted[k] for k in np.unique(mask).tolist() if k < len(wanted) and len(found[wanted[k]]) < PER_CLASS]
        if there:
            picture = overlay(pixels, mask, side=SIDE)
            for name in there:
                found[name].append(picture)
        if all(len(pictures) == PER_CLASS for pictures in found.values()):
            break
    return found


def with_mask(dataset: Dataset, place: int) -> np.ndarray | None:
    """A picture uint8 (h, w, 3) under its class map; None where one of the two cannot be read."""
    drawn = _read(dataset, place)
    return None if drawn is None else overlay(*drawn, side=SIDE)


def _read(dataset: Dataset, place: int) -> tuple[np.ndarray, np.ndarray] | None:
    """A picture uint8 (H, W, C) and its class map uint8 (H, W), both upright."""
    entry, masks = dataset.entries[place], dataset.masks
    assert masks is not None
    try:
        pixels = dataset.pictures.read(entry.locator)
        frame = frame_of(dataset.pictures, entry.locator)
        return pixels, frame.upright_mask(masks.classes(entry.target, frame))
    except PictureError:
        return None


def histograms(statistics: Mapping[str, Any]) -> list[Histogram]:
    """Each class's share of the pixels, the largest first."""
    found = statistics.get("masks")
    if not found:
        return []
    rows = sorted(found["pixels"], key=lambda row: -row["share"])[:CLASSES]
    shares = [(row["class"], round(OF * row["share"])) for row in rows]
    return [Histogram(f"of {OF:,} pixels, by class", "pixels", shares)]
