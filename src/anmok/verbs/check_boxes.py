"""What the page of `anmok check` shows of boxes: pictures with them drawn, the odd ones marked, and how large they are.

Pictures are read again, as they are: what was decoded for looking at pictures may be a crop, where boxes do not fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.targets import Objects
from anmok.core.types import Dataset
from anmok.data.objects_statistics import TINY, alike
from anmok.report.check_page import Histogram
from anmok.tasks.detect.drawing import TRUE, WRONG, drawn

PER_CLASS, CLASSES = 2, 40  # pictures shown of a class, and classes: each picture is read again
COLOURS = {"an object": TRUE, "what is said of it": WRONG}


def has_boxes(dataset: Dataset) -> bool:
    """Whether there is something to draw."""
    return dataset.task == "detect" and all(isinstance(entry.target, Objects) for entry in dataset.entries)


def samples(dataset: Dataset) -> dict[str, list[np.ndarray]]:
    """Some pictures of each class, spread over the data, with that class's boxes."""
    found: dict[str, list[np.ndarray]] = {}
    for number, name in list(enumerate(dataset.classes))[:CLASSES]:
        places = [k for k, entry in enumerate(dataset.entries) if (entry.target.labels == number).any()]
        chosen = places[:: max(1, len(places) // PER_CLASS)][:PER_CLASS]
        pictures = [with_boxes(dataset, place, set(), only=number) for place in chosen]
        found[name] = [picture for picture in pictures if picture is not None]
    return found


def with_boxes(dataset: Dataset, place: int, marked: set[int], *, only: int | None = None) -> np.ndarray | None:
    """A picture uint8 (h, w, 3) with its boxes and their classes; None where it cannot be read.

    Args:
        place: of the entry.
        marked: which boxes something is said of.
        only: draw this class alone, without its name.
    """
    entry = dataset.entries[place]
    objects: Objects = entry.target
    chosen = [k for k in range(len(objects)) if only is None or objects.labels[k] == only]
    chosen.sort(key=lambda k: k in marked)  # those are drawn last, over the others
    names = ["" if only is not None else dataset.classes[objects.labels[k]] for k in chosen]
    try:
        pixels = dataset.pictures.read(entry.locator)
    except PictureError:
        return None
    return drawn(pixels, objects.boxes[chosen], names, [WRONG if k in marked else TRUE for k in chosen])


def concerned(kind: str, objects: Objects) -> set[int]:
    """Which boxes of a picture a kind of problem (`anmok.data.objects_statistics`) is about."""
    if kind == "tiny boxes":
        return set(np.flatnonzero((objects.boxes[:, 2:] - objects.boxes[:, :2]).min(1) < TINY).tolist())
    if kind in ("boxes told twice", "boxes of two classes"):
        same = kind == "boxes told twice"
        pairs = [(a, b) for a, b, _ in alike(objects) if (objects.labels[a] == objects.labels[b]) == same]
        return {box for pair in pairs for box in pair}
    return set()


def histograms(statistics: Mapping[str, Any]) -> list[Histogram]:
    """How large boxes are, how wide for their height, and how many a picture has."""
    found = statistics.get("objects")
    if not found:
        return []
    told = [
        Histogram(title, "boxes", [(_range(one["low"], one["high"]), int(one["boxes"])) for one in found[name]])
        for name, title in (("sides", "√area of boxes, in pixels"), ("aspects", "width / height of boxes"))
    ]
    counts = [(_whole(one["low"], one["high"]), int(one["pictures"])) for one in found["counts"]]
    return [*told, Histogram("boxes in a picture", "pictures", counts)]


def _range(low: float, high: float) -> str:
    return f"from {low:.3g}" if high == float("inf") else f"{low:.3g} to {high:.3g}"


def _whole(low: float, high: float) -> str:
    """Whole numbers from `low` up to, not with, `high`."""
    last = high - 1
    return f"{low:g} and more" if high == float("inf") else f"{low:g}" if last == low else f"{low:g} to {last:g}"
