"""From a data set to decoded pictures by row and loaders over its splits."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from anmok.core.preparation import Preparation, centre_crop
from anmok.core.targets import Labels
from anmok.core.types import Dataset, Entry
from anmok.data import cache
from anmok.data.augment import Augment
from anmok.data.loader import Loader, Source, channels_first
from anmok.tasks.balance import EvenLoader
from anmok.tasks.focus import Focus, FocusedLoader

MEASURED = 4096  # pictures whose mean and spread stand for all


@dataclass(frozen=True)
class Decoded:
    """A data set whose pictures were all decoded once; those that could not be are in its quarantine.

    `rows[i]` is the row in `source` of `dataset.entries[i]`.
    """

    dataset: Dataset
    source: Source
    rows: np.ndarray
    preparation: Preparation

    def loader(self, split: str | None, batch: int, *, seed: int = 0, augment: Augment | None = None,
               workers: int = 0, even: bool = False, focused: bool = False) -> Loader:  # fmt: skip
        """Batches of one split (None: of everything), augmented and shuffled only where `augment` is given.

        `even`: show every class equally often, see `anmok.tasks.balance`. `focused`: show more often what the network
        is in doubt about, see `anmok.tasks.focus`.
        """
        chosen = [i for i, entry in enumerate(self.dataset.entries) if split is None or entry.split == split]
        entries: Sequence[Entry] = [self.dataset.entries[i] for i in chosen]
        targets = targets_of(entries, len(self.dataset.classes))
        ids = [entry.id for entry in entries]
        rows = self.rows[np.array(chosen, int)]
        settings = (self.source, rows, targets, ids, self.preparation.size, batch, seed, augment, workers)
        if focused:
            return FocusedLoader(*settings, focus=Focus(len(rows)))
        return (EvenLoader if even else Loader)(*settings)

    def normalised(self) -> Decoded:
        """The same with the preparation's mean and std measured on training pictures, evenly spread over them."""
        pixels = self._some(MEASURED).astype(np.float32) / 255
        mean, std = pixels.mean((0, 1, 2)), pixels.std((0, 1, 2))
        measured = replace(
            self.preparation,
            mean=tuple(round(float(value), 4) for value in mean),
            std=tuple(max(0.01, round(float(value), 4)) for value in std),
        )
        return replace(self, preparation=measured)

    def some(self, count: int) -> Tensor:
        """At most `count` training pictures, evenly spread over them: uint8 (n, C, H, W)."""
        return channels_first(centre_crop(self._some(count), self.preparation.size))

    def _some(self, count: int) -> np.ndarray:
        train = np.array([i for i, entry in enumerate(self.dataset.entries) if entry.split == "train"], int)
        return self.source.gather(self.rows[train[:: max(1, len(train) // count)][:count]])


def targets_of(entries: Sequence[Entry], classes: int) -> np.ndarray:
    """Class ids int64 (N,), -1 for none; where pictures may show several classes, zeros and ones, float32 (N, C)."""
    if not any(isinstance(entry.target, Labels) for entry in entries):
        return np.array([-1 if entry.target is None else entry.target for entry in entries], np.int64)
    shown = np.zeros((len(entries), classes), np.float32)
    for row, entry in zip(shown, entries, strict=True):
        row[list(entry.target.numbers)] = 1
    return shown


def decode_all(
    dataset: Dataset, preparation: Preparation, *, workers: int | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Decoded:  # fmt: skip
    """Decode every picture once, at the working size, into the cache; bad ones move to quarantine."""
    built = cache.build(dataset, preparation, workers=workers, on_progress=on_progress)
    for note in built.warnings:
        warnings.warn(note, stacklevel=2)
    return Decoded(dataset.without(built.quarantined, built.bad_ids), built.source, built.rows, preparation)
