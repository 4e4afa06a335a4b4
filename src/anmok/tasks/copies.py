"""Copies among the pictures of a run, looked for as far as that is quick: training is what the person waits for.

The same pixels are always found. Near copies (re-encoded, resized, mirrored, cropped) are looked for among at most
`NEAR_AMONG` pictures: the search compares each with each, and takes some 2.5 seconds of one core for that many, where
70,000 small pictures are hashed in a quarter of a second. `anmok check` looks for near copies among any number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np

from anmok.core.preparation import Preparation
from anmok.core.types import Dataset, Entry
from anmok.data import cache
from anmok.data.duplicates import Duplicates, Gathers, find_duplicates, find_equal
from anmok.data.grouping import joined
from anmok.data.pixel_sources import StreamedPixels
from anmok.data.records import Layout
from anmok.data.window_sources import StreamedWindows

NEAR_AMONG = 5_000  # pictures
_SIDE = 64  # pixels, for data whose pictures are kept at many sizes


@dataclass(frozen=True)
class Copies:
    """What was found among the entries of `dataset`; `looked` says how far: near copies, equal ones, or none."""

    dataset: Dataset
    found: Duplicates
    looked: Literal["near", "equal", "none"]

    @property
    def limit(self) -> str:
        """What was not looked for, in words; "" where everything was."""
        if self.looked == "near":
            return ""
        missing = (
            f"near copies were not looked for among more than {NEAR_AMONG:,} pictures, only copies of the same pixels"
            if self.looked == "equal"
            else "copies were not looked for: these pictures are decoded anew whenever they are needed"
        )
        return f"{missing}; anmok check DATA --split split.csv looks for all and keeps them together"

    def groups_in(self, entries: list[Entry]) -> list[list[int]]:
        """Positions in `entries` of pictures that are copies of each other; those that are not there are left out."""
        place = {entry.id: at for at, entry in enumerate(entries)}
        named = ([self.dataset.entries[i].id for i in group] for group in self.found.groups)
        kept = ([place[name] for name in group if name in place] for group in named)
        return [group for group in kept if len(group) > 1]

    def joined(self, dataset: Dataset) -> Dataset:
        """A data set that is still to be split, with groups that keep copies together.

        Pictures that came with a split keep it whatever they are copies of, so they join nothing.
        """
        free = [at for at, entry in enumerate(dataset.entries) if entry.split in (None, "train")]
        groups = self.groups_in([dataset.entries[at] for at in free])
        return joined(dataset, [[free[at] for at in group] for group in groups])


def look_for_copies(decoded: Any, *, near: bool | None = None) -> Copies:
    """Copies among pictures that a task has decoded.

    Args:
        decoded: what a kind's `decode` or `plan` gave (`anmok.tasks._kind`).
        near: look for near copies, too; None: where that is quick.
    """
    dataset, found = decoded.dataset, _pixels(decoded)
    if found is None:
        return Copies(dataset, Duplicates((), ()), "none")
    if len(dataset) <= NEAR_AMONG if near is None else near:
        return Copies(dataset, find_duplicates(dataset, *found), "near")
    return Copies(dataset, find_equal(dataset, *found), "equal")


@dataclass(frozen=True)
class _Unpacked:
    """The pixels alone of records that hold masks, too."""

    source: Gathers
    layout: Layout

    def gather(self, rows: np.ndarray) -> np.ndarray:
        return self.layout.unpack(self.source.gather(rows)).pixels


def _pixels(decoded: Any) -> tuple[Gathers, np.ndarray] | None:
    """Pixels and their rows; None where looking at them would mean to decode everything again."""
    source, layout = getattr(decoded, "source", None), getattr(decoded, "layout", None)
    if source is None or isinstance(source, (StreamedPixels, StreamedWindows)):
        return None
    if layout is None:
        return source, decoded.rows
    if not layout.whole:
        return _Unpacked(source, layout), decoded.rows
    channels = layout.preparation.channels
    small = Preparation(_SIDE, _SIDE, channels, fit="squash", mean=(0.5,) * channels, std=(0.5,) * channels)
    bare = replace(decoded.dataset, entries=[replace(entry, target=None) for entry in decoded.dataset.entries])
    built = cache.build(bare, small)
    return built.source, built.rows
