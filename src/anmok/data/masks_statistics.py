"""What class maps are like on the whole: pixels by class, maps that show nothing, classes that are only borders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.targets import IGNORE, Masks
from anmok.core.types import Dataset, Entry, Quarantined
from anmok.data.problems import Problem
from anmok.data.records import frame_of

_THREADS = 4  # decoding does not hold up other threads
BORDER = 0.9  # share of a class's pixels with another class beside them from which it is only a border
RARE = 1e-3  # share of all pixels below which a class deserves a word
_FEW = 3  # pictures from which a class that is only a border is no accident


@dataclass(frozen=True)
class MaskStatistics:
    """By position of the entry; those whose class map cannot be read have none.

    `pixels`: int64 (entries, 256), pixels of each class. `borders`: int64 (256,), those of them that have a pixel of
    another class above, below, left or right.
    """

    pixels: np.ndarray
    borders: np.ndarray
    classes: tuple[str, ...]

    def of(self, places: Sequence[int]) -> MaskStatistics:
        """Of these entries only; what lies along borders was counted over all."""
        return replace(self, pixels=self.pixels[np.array(places, int)])

    @property
    def classes_in(self) -> list[list[int]]:
        """The classes that each map shows."""
        return [np.flatnonzero(row[:IGNORE]).tolist() for row in self.pixels]

    @property
    def shares(self) -> np.ndarray:
        """float (classes,): share of all pixels that are not ignored."""
        totals = self.pixels[:, : len(self.classes)].sum(0)
        return totals / max(1, totals.sum())

    @property
    def ignored(self) -> float:
        """Share of all pixels that are to be ignored."""
        return float(self.pixels[:, IGNORE].sum() / max(1, self.pixels.sum()))

    @property
    def empty(self) -> np.ndarray:
        """Entries whose map shows class 0 and nothing else."""
        return np.flatnonzero((self.pixels[:, 1:].sum(1) == 0) & (self.pixels[:, 0] > 0))

    @property
    def unlabelled(self) -> np.ndarray:
        """Entries whose map is to be ignored as a whole."""
        return np.flatnonzero((self.pixels[:, :IGNORE].sum(1) == 0) & (self.pixels[:, IGNORE] > 0))

    @property
    def only_borders(self) -> list[int]:
        """Classes that occur along the borders of others and nowhere else, in several maps."""
        totals, shown = self.pixels.sum(0), (self.pixels > 0).sum(0)
        return [number for number in range(1, len(self.classes))
                if shown[number] >= _FEW and self.borders[number] >= BORDER * totals[number] > 0]  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        shown = (self.pixels > 0).sum(0)
        rows = [
            {"class": name, "share": round(float(share), 6), "pictures": int(shown[number])}
            for number, (name, share) in enumerate(zip(self.classes, self.shares, strict=True))
        ]
        suggested = [self.classes[number] for number in self.only_borders]
        return {"pixels": rows, "ignored": round(self.ignored, 6), "empty": len(self.empty),
                "ignore_value": IGNORE if self.ignored else None, "suggested_to_ignore": suggested}  # fmt: skip


def measure_masks(
    dataset: Dataset, on_progress: Callable[[int, int], None] | None = None
) -> tuple[Dataset, MaskStatistics]:
    """Read every class map in full; the data set without those that cannot be read, and statistics of the others."""
    masks = dataset.masks
    assert masks is not None
    pixels, borders, bad = [], np.zeros(256, np.int64), []
    with ThreadPoolExecutor(_THREADS) as threads:
        looked = threads.map(lambda entry: _look(dataset, masks, entry), dataset.entries)
        for place, (entry, found) in enumerate(zip(dataset.entries, looked, strict=True), 1):
            if isinstance(found, PictureError):
                bad.append(Quarantined(entry.id, _words(found), found.fix or "correct the mask, or remove it"))
            else:
                pixels.append(found[0])
                borders += found[1]
            if on_progress is not None:
                on_progress(place, len(dataset))
    table = np.stack(pixels) if pixels else np.zeros((0, 256), np.int64)
    return dataset.without(bad, {item.path for item in bad}), MaskStatistics(table, borders, dataset.classes)


def _look(dataset: Dataset, masks: Masks, entry: Entry) -> tuple[np.ndarray, np.ndarray] | PictureError:
    """(pixels, border pixels) of each of 256 classes."""
    try:
        drawn = masks.classes(entry.target, frame_of(dataset.pictures, entry.locator))
    except PictureError as error:
        return error
    beside = np.zeros(drawn.shape, bool)
    beside[1:] |= drawn[1:] != drawn[:-1]
    beside[:-1] |= drawn[1:] != drawn[:-1]
    beside[:, 1:] |= drawn[:, 1:] != drawn[:, :-1]
    beside[:, :-1] |= drawn[:, 1:] != drawn[:, :-1]
    return np.bincount(drawn.ravel(), minlength=256), np.bincount(drawn[beside], minlength=256)


def _words(error: PictureError) -> str:
    told = error.what + (f": {error.got}" if error.got is not None else "")
    return told + (f" in {error.path}" if error.path is not None else "")


def mask_problems(dataset: Dataset, found: MaskStatistics) -> list[Problem]:
    """What of the class maps is worth a look."""
    problems, names = [], found.classes
    if len(found.empty) and len(names) > 1:
        words = f"{len(found.empty):,} of {len(dataset):,} masks show {names[0]!r} and nothing else"
        problems.append(Problem("empty masks", words, False, "good as background, if nothing was forgotten",
                                _each(found.empty)))  # fmt: skip
    if len(found.unlabelled):
        words = f"{len(found.unlabelled):,} masks are to be ignored as a whole"
        problems.append(Problem("ignored masks", words, True, "label them, or remove them", _each(found.unlabelled)))
    if borders := found.only_borders:
        listed = ", ".join(repr(names[number]) for number in borders[:8])
        words = f"classes that occur only along the borders of others: {listed}"
        fix = ("if that is how they were drawn, let them be ignored (call them void); else masks were resized with "
               "interpolation: make them again")  # fmt: skip
        problems.append(Problem("borders", words, False, fix, _each(_showing(found, borders))))
    rare = [number for number in np.flatnonzero((found.shares < RARE) & (found.shares > 0)) if number not in borders]
    if rare:
        listed = ", ".join(f"{names[number]!r} ({found.shares[number]:.2g})" for number in rare[:8])
        words = f"classes that hardly any pixel shows (share of all): {listed}"
        problems.append(Problem("rare classes", words, False, "weigh them up, or collect more", ()))
    gone = [repr(name) for name, share in zip(names, found.shares, strict=True) if share == 0]
    if gone:
        words = f"classes that no mask shows: {', '.join(gone[:8])}"
        problems.append(Problem("absent classes", words, False, "remove them from the list, or add pictures", ()))
    return problems


def _showing(found: MaskStatistics, numbers: list[int]) -> np.ndarray:
    return np.flatnonzero(found.pixels[:, numbers].sum(1) > 0)


def _each(positions: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple((int(i),) for i in positions)
