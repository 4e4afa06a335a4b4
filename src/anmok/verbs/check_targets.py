"""Check, beyond classes of pictures: what masks, boxes and partners hold, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anmok.core.preparation import Preparation
from anmok.core.targets import Objects, Partner
from anmok.core.types import Dataset
from anmok.data.held import Held, held_by_class
from anmok.data.masks_statistics import MaskStatistics, mask_problems, measure_masks
from anmok.data.objects_statistics import measure_objects, object_problems
from anmok.data.prepare_pictures import prepare_pictures
from anmok.data.problems import Problem
from anmok.tasks.pictures import Decoded
from anmok.verbs.terminal import Terminal


@dataclass(frozen=True)
class SeenTargets:
    """What was found; `held` is what there is of each class, `statistics` are plain values by kind."""

    held: Held | None = None
    problems: Sequence[Problem] = ()
    statistics: dict[str, Any] = field(default_factory=dict)


def read_masks(dataset: Dataset, terminal: Terminal) -> tuple[Dataset, MaskStatistics | None]:
    """The data set without pictures whose class map cannot be read, and what the others show; None: it has no maps."""
    if dataset.masks is None or dataset.task != "segment":
        return dataset, None
    with terminal.bar("reading masks") as on_progress:
        return measure_masks(dataset, on_progress)


def look_at_targets(before: Dataset, dataset: Dataset, masks: MaskStatistics | None) -> SeenTargets:
    """What there is to learn in `dataset`; `masks` were measured on `before`, of which some pictures may be gone."""
    if masks is not None:
        left = {entry.id for entry in dataset.entries}
        shown = masks.of([place for place, entry in enumerate(before.entries) if entry.id in left])
        held = held_by_class(dataset, shown.classes_in)
        return SeenTargets(held, mask_problems(dataset, shown), {"masks": shown.to_json()})
    if dataset.task == "detect" and all(isinstance(entry.target, Objects) for entry in dataset.entries):
        found = measure_objects(dataset)
        return SeenTargets(held_by_class(dataset), object_problems(dataset, found), {"objects": found.to_json()})
    return SeenTargets(held_by_class(dataset))


def are_pairs(dataset: Dataset) -> bool:
    """Whether pictures have partners."""
    return any(isinstance(entry.target, Partner) for entry in dataset.entries)


def decode_pairs(dataset: Dataset, preparation: Preparation, workers: int | None, terminal: Terminal) -> Decoded:
    """Both pictures of every pair are decoded, and a pair goes as a whole; the first ones are looked at further."""
    with terminal.bar("decoding") as on_progress:
        found = prepare_pictures(dataset, preparation, workers=workers, on_progress=on_progress)
    return Decoded(found.dataset, found.source, np.asarray(found.rows), preparation)
