"""From a data set to batches of pictures with masks or boxes."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import DataError, UsageError
from anmok.core.preparation import Preparation
from anmok.core.selective_search import Search
from anmok.core.targets import Objects
from anmok.core.types import Dataset, Entry
from anmok.data import cache
from anmok.data.augment import Augment
from anmok.data.labelled_sources import LabelledSource, for_judging, for_training
from anmok.data.mask_loader import MaskLoader
from anmok.data.object_loader import ObjectLoader
from anmok.data.proposals import Proposals
from anmok.data.records import Layout, labelled


@dataclass(frozen=True)
class Prepared:
    """A data set whose pictures were all decoded once, with masks where they were asked for.

    Those that could not be are in its quarantine. `rows[i]` is the row in `source` of `dataset.entries[i]`.
    """

    dataset: Dataset
    layout: Layout
    source: Any  # a `PixelSource` of records; a `WindowSource` with fit "window"
    rows: np.ndarray

    @property
    def preparation(self) -> Preparation:
        """What pictures went through."""
        return self.layout.preparation

    def masks(
        self, split: str | None, batch: int, *, seed: int = 0, augment: Augment | None = None, workers: int = 0,
        calm: int = 0,
    ) -> MaskLoader:  # fmt: skip
        """Pictures with class maps of one split (None: of all); shuffled and augmented only where `augment` is given.

        With fit "window", training draws windows anywhere, from each picture as many as its area holds; evaluation
        goes over whole pictures tile by tile, and every pixel counts once. `calm`: see `MaskLoader`.
        """
        source, rows, entries = self._drawn_from(split, augment)
        ids = [entry.id for entry in entries]
        return MaskLoader(source, rows, None, ids, self.preparation.size, batch, seed, augment, workers, calm)

    def objects(
        self, split: str | None, batch: int, *, seed: int = 0, augment: Augment | None = None, workers: int = 0,
        regions: bool = False, search: Search | None = None,
    ) -> ObjectLoader:  # fmt: skip
        """Pictures with boxes, as `masks`; `regions`: with instance masks; `search`: with proposals found so."""
        source, rows, entries = self._drawn_from(split, augment)
        targets = [entry.target for entry in entries]
        odd = next((entry for entry in entries if not isinstance(entry.target, Objects)), None)
        if odd is not None:
            raise DataError("this data has no boxes", path=odd.id, got=type(odd.target).__name__, allowed="objects")
        ids, size = [entry.id for entry in entries], self.preparation.size
        proposals = None
        if search is not None:
            whole, places, _ = self._drawn_from(split, None)
            proposals = Proposals(search, whole, places)
        return ObjectLoader(source, rows, targets, ids, size, batch, seed, augment, workers, regions, proposals)

    def _drawn_from(self, split: str | None, augment: Augment | None) -> tuple[LabelledSource, np.ndarray, list[Entry]]:
        """Where batches come from, its rows, and the entry that each of them shows."""
        places = [k for k, entry in enumerate(self.dataset.entries) if split is None or entry.split == split]
        draw = for_judging if augment is None else for_training
        source, rows, shown = draw(self.source, self.layout, self.rows[np.array(places, int)])
        return source, rows, [self.dataset.entries[places[k]] for k in shown]


def prepare(
    dataset: Dataset, preparation: Preparation, planes: Sequence[str] = (), *, directory: Path | None = None,
    limit: int | None = None, workers: int | None = None, on_progress: Callable[[int, int], None] | None = None,
) -> Prepared:  # fmt: skip
    """Decode every picture once, at the working size, with its masks, into the cache; bad ones move to quarantine.

    Args:
        dataset: with `masks` where planes are asked for.
        preparation: size, channels and fit.
        planes: "classes" for class maps, "instances" for objects told apart; none for boxes, which are not cached.
        directory, limit, workers, on_progress: see `anmok.data.cache.build`.
    """
    if planes and dataset.masks is None:
        raise UsageError("this data has no masks", path=dataset.root, got=f"format {dataset.format}",
                         allowed="pictures with masks, polygons or boxes")  # fmt: skip
    layout = Layout(preparation, tuple(planes))
    built = cache.build(
        labelled(dataset, planes), layout,
        directory=directory, limit=limit, workers=workers, on_progress=on_progress,
    )  # fmt: skip
    for note in built.warnings:
        warnings.warn(note, stacklevel=2)
    return Prepared(dataset.without(built.quarantined, built.bad_ids), layout, built.source, built.rows)
