"""From a data set with masks to pictures and class maps by row, and loaders over its splits."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anmok.core.preparation import Preparation
from anmok.core.types import Dataset
from anmok.data import cache
from anmok.data.augment import Augment
from anmok.data.labelled_sources import LabelledSource, Squares, Windows, for_judging, for_training
from anmok.data.mask_loader import MaskLoader
from anmok.data.records import Layout, labelled
from anmok.tasks._kind import Voice

MEASURED = 512  # pictures whose mean and spread, and whose classes, stand for all
AT_ONCE = 32  # of them


@dataclass(frozen=True)
class DecodedMasks:
    """A data set whose pictures and masks were all decoded once; those that could not be are in its quarantine.

    `rows[i]` is the row in `source` of `dataset.entries[i]`.
    """

    dataset: Dataset
    source: Any
    rows: np.ndarray
    layout: Layout

    @property
    def preparation(self) -> Preparation:
        """What pictures go through before the network."""
        return self.layout.preparation

    def places(self, split: str | None) -> np.ndarray:
        """Positions of a split's entries (None: all), int (n,)."""
        return np.array([i for i, e in enumerate(self.dataset.entries) if split is None or e.split == split], int)

    def only(self, places: np.ndarray) -> DecodedMasks:
        """The same with these entries alone."""
        kept = replace(self.dataset, entries=[self.dataset.entries[i] for i in places])
        return replace(self, dataset=kept, rows=self.rows[places])

    def training(self, batch: int, augment: Augment, *, seed: int = 0, workers: int = 0) -> MaskLoader:
        """Shuffled and augmented batches of the training split."""
        chosen = self.places("train")
        source, rows, shown = for_training(self.source, self.layout, self.rows[chosen])
        ids = [self.dataset.entries[i].id for i in chosen[shown]]
        return MaskLoader(source, rows, None, ids, self.preparation.size, batch, seed, augment, workers)

    def judged(self, split: str, batch: int) -> MaskLoader:
        """A split's batches in order, as the network will see them; every pixel of large pictures once, by tiles."""
        chosen = self.places(split)
        source, rows, shown = for_judging(self.source, self.layout, self.rows[chosen])
        ids = [self.dataset.entries[i].id for i in chosen[shown]]
        return MaskLoader(source, rows, None, ids, self.preparation.size, batch)

    def _source(self) -> LabelledSource:
        return (Windows if self.layout.whole else Squares)(self.source, self.layout)

    def sample(self, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
        """Some pictures of a split, evenly spread over it: pixels uint8 (n, S, S, C) and class maps uint8 (n, S, S)."""
        chosen = self.places(split)
        rows = self.rows[chosen[:: max(1, len(chosen) // MEASURED)][:MEASURED]]
        parts = [self._source().gather(rows[k : k + AT_ONCE], None)[0] for k in range(0, len(rows), AT_ONCE)]
        return np.concatenate([part.pixels for part in parts]), np.concatenate([part.classes for part in parts])

    def normalised(self) -> DecodedMasks:
        """The same with the preparation's mean and std measured on training pictures."""
        pixels = self.sample()[0].reshape(-1, self.preparation.channels)
        mean, std = pixels.mean(0, dtype=np.float64) / 255, pixels.std(0, dtype=np.float64) / 255
        measured = replace(
            self.preparation,
            mean=tuple(round(float(value), 4) for value in mean),
            std=tuple(max(0.01, round(float(value), 4)) for value in std),
        )
        return replace(self, layout=replace(self.layout, preparation=measured))


def decode_masks(dataset: Dataset, preparation: Preparation, voice: Voice, *, instances: bool = False) -> DecodedMasks:
    """Decode every picture and mask once, into the cache; bad ones move to quarantine. `instances`: objects too."""
    layout = Layout(preparation, ("classes", "instances") if instances else ("classes",))
    with voice.bar("decoding") as on_progress:
        built = cache.build(labelled(dataset, layout.planes), layout, on_progress=on_progress)
    for note in built.warnings:
        warnings.warn(note, stacklevel=2)
    return DecodedMasks(dataset.without(built.quarantined, built.bad_ids), built.source, built.rows, layout)
