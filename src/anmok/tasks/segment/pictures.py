"""A data set with masks, decoded for segmentation: what `anmok.data.prepare` gives, and samples of it to look at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from anmok.core.preparation import Preparation
from anmok.core.types import Dataset
from anmok.data.labelled_sources import LabelledSource, Squares, Windows
from anmok.data.prepare import Prepared, prepare
from anmok.tasks._kind import Voice

MEASURED = 512  # pictures whose mean and spread, and whose classes, stand for all
AT_ONCE = 32  # of them


@dataclass(frozen=True)
class DecodedMasks(Prepared):
    """A data set whose pictures and masks were all decoded once; those that could not be are in its quarantine.

    `masks(split, batch)` gives batches in order, as the network will see them; with `augment`, shuffled ones to learn
    from.
    """

    def places(self, split: str | None) -> np.ndarray:
        """Positions of a split's entries (None: all), int (n,)."""
        return np.array([i for i, e in enumerate(self.dataset.entries) if split is None or e.split == split], int)

    def only(self, places: np.ndarray) -> DecodedMasks:
        """The same with these entries alone."""
        kept = replace(self.dataset, entries=[self.dataset.entries[i] for i in places])
        return replace(self, dataset=kept, rows=self.rows[places])

    def sample(self, split: str = "train") -> tuple[np.ndarray, np.ndarray]:
        """Some pictures of a split, evenly spread over it: pixels uint8 (n, S, S, C) and class maps uint8 (n, S, S)."""
        chosen = self.places(split)
        rows = self.rows[chosen[:: max(1, len(chosen) // MEASURED)][:MEASURED]]
        source: LabelledSource = (Windows if self.layout.whole else Squares)(self.source, self.layout)
        parts = [source.gather(rows[k : k + AT_ONCE], None)[0] for k in range(0, len(rows), AT_ONCE)]
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
    planes = ("classes", "instances") if instances else ("classes",)
    with voice.bar("decoding") as on_progress:
        found = prepare(dataset, preparation, planes, on_progress=on_progress)
    return DecodedMasks(found.dataset, found.layout, found.source, found.rows)
