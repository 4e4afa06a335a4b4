"""From a data set to batches whose targets are pictures, or that have none: reconstruct, generate, translate."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from anmok.core.errors import DataError, UsageError
from anmok.core.preparation import Preparation
from anmok.core.targets import Partner
from anmok.core.types import Dataset, Entry
from anmok.data import cache
from anmok.data.augment import Augment
from anmok.data.picture_loaders import Damage, PairLoader, PictureLoader, UnpairedLoader
from anmok.data.pixel_sources import PixelSource


@dataclass(frozen=True)
class PreparedPictures:
    """A data set whose pictures, and their partners where they have some, were all decoded once.

    `rows[i]` and, for pairs, `partners[i]` are the rows in `source` of `dataset.entries[i]` and its partner.
    """

    dataset: Dataset
    preparation: Preparation
    source: PixelSource
    rows: np.ndarray
    partners: np.ndarray | None = None

    def pictures(
        self, split: str | None, batch: int, *, seed: int = 0, augment: Augment | None = None, workers: int = 0,
        damage: Damage | None = None,
    ) -> PictureLoader:  # fmt: skip
        """Pictures of one split (None: of all), damaged on the way where that is asked for; targets are clean."""
        places, ids = self._of(split)
        size = self.preparation.size
        return PictureLoader(self.source, self.rows[places], None, ids, size, batch, seed, augment, workers, damage)

    def pairs(
        self, split: str | None, batch: int, *, seed: int = 0, augment: Augment | None = None, workers: int = 0
    ) -> PairLoader:
        """Pictures with their partners as targets. Raises `DataError` where they have none."""
        if self.partners is None:
            raise DataError("these pictures have no partners", path=self.dataset.root, allowed="pairs of pictures")
        (places, ids), partners, size = self._of(split), self.partners, self.preparation.size
        return PairLoader(self.source, self.rows[places], None, ids, size, batch, seed, augment, workers,
                          partners=partners[places])  # fmt: skip

    def unpaired(
        self, split: str | None, batch: int, *, seed: int = 0, augment: Augment | None = None, workers: int = 0,
        back: bool = False,
    ) -> UnpairedLoader:  # fmt: skip
        """Pictures of domain 0 beside pictures of domain 1 as targets; `back`: the other way round.

        Raises:
            DataError: one of the domains has no picture.
        """
        (own, ids), (other, other_ids) = (self._of(split, domain) for domain in ((1, 0) if back else (0, 1)))
        if not ids or not other_ids:
            raise DataError("a domain has no picture", path=self.dataset.root, got=f"{len(ids)} and {len(other_ids)}",
                            allowed="entries of both domains, 0 and 1")  # fmt: skip
        return UnpairedLoader(self.source, self.rows[own], None, ids, self.preparation.size, batch, seed, augment,
                              workers, others=self.rows[other], other_ids=other_ids)  # fmt: skip

    def _of(self, split: str | None, domain: int | None = None) -> tuple[np.ndarray, list[str]]:
        def wanted(entry: Entry) -> bool:
            return (split is None or entry.split == split) and (domain is None or entry.target == domain)

        places = [k for k, entry in enumerate(self.dataset.entries) if wanted(entry)]
        return np.array(places, int), [self.dataset.entries[k].id for k in places]


def prepare_pictures(
    dataset: Dataset, preparation: Preparation, *, directory: Path | None = None, limit: int | None = None,
    workers: int | None = None, on_progress: Callable[[int, int], None] | None = None,
) -> PreparedPictures:  # fmt: skip
    """Decode every picture, and its partner, once, at the working size, into the cache; bad ones move to quarantine.

    A pair goes as a whole where one of the two is bad.
    """
    if preparation.fit == "window":
        raise UsageError("whole pictures are read with their masks or boxes only", got="fit='window'",
                         allowed="crop, squash or pad")  # fmt: skip
    paired = any(isinstance(entry.target, Partner) for entry in dataset.entries)
    built = cache.build(
        _unfolded(dataset) if paired else dataset, preparation,
        directory=directory, limit=limit, workers=workers, on_progress=on_progress,
    )  # fmt: skip
    for note in built.warnings:
        warnings.warn(note, stacklevel=2)
    if not paired:
        return PreparedPictures(
            dataset.without(built.quarantined, built.bad_ids), preparation, built.source, built.rows
        )
    good = np.isin(np.arange(2 * len(dataset)), built.rows).reshape(-1, 2)
    bad_rows = np.flatnonzero(~good.ravel())
    reasons = {row // 2: why for row, why in zip(bad_rows.tolist()[::-1], built.quarantined[::-1], strict=True)}
    bad_ids = {dataset.entries[place].id for place in reasons}
    kept = 2 * np.flatnonzero(good.all(1))
    without = dataset.without([reasons[place] for place in sorted(reasons)], bad_ids)
    return PreparedPictures(without, preparation, built.source, kept, kept + 1)


def _unfolded(dataset: Dataset) -> Dataset:
    """A data set of pairs as one of single pictures: each entry, then its partner as an entry of its own."""
    entries = []
    for entry in dataset.entries:
        if not isinstance(entry.target, Partner):
            raise DataError("this picture has no partner", path=entry.id, got=type(entry.target).__name__)
        entries += [entry, replace(entry, id=f"{entry.id} (partner)", locator=entry.target.locator)]
    return replace(dataset, entries=entries)
