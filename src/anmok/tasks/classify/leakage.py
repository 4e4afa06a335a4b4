"""The leakage bill: what a score owes to pictures that were judged and had been learned from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from anmok.data.duplicates import Duplicates, find_duplicates
from anmok.metrics.proportion import Interval, share
from anmok.tasks.pictures import Decoded

_LEARNED = {"test": ("train", "val"), "val": ("train",), "train": ()}


@dataclass(frozen=True)
class LeakageBill:
    """Accuracy of one split as given, without its leaked pictures, and on these alone; None where nothing is left.

    `leaked`: ids of judged pictures that have a copy, or another picture of their group, among those learned from.
    """

    split: str
    leaked: tuple[str, ...]
    given: Interval
    clean: Interval | None
    on_leaked: Interval | None

    @property
    def sentence(self) -> str:
        """The bill in words."""
        if not self.leaked:
            return f"no {self.split} picture has a copy among those learned from"
        count = f"{len(self.leaked):,} of {self.given.n:,} {self.split} pictures were learned from"
        if self.clean is None:
            return f"{count}: this split says nothing"
        owed = f"{100 * (self.given.value - self.clean.value):+.1f} points are owed to the leak"
        if self.clean.low <= self.given.value <= self.clean.high:
            owed = "that difference may be chance"
        return (
            f"{count}: accuracy {self.given.value:.1%} with them, {self.clean.value:.1%} without "
            f"({self.clean.low:.1%} to {self.clean.high:.1%}); {owed}"
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"leaked": list(self.leaked), "sentence": self.sentence}


def leakage_bill(
    decoded: Decoded, split: str, ids: Sequence[str], right: np.ndarray, duplicates: Duplicates | None = None
) -> LeakageBill:
    """What the accuracy on one split of `decoded` owes to its leaks.

    Args:
        ids, right: the judged pictures, and whether each was answered rightly, bool (N,).
        duplicates: the copies among all entries of `decoded`, where they are known already.
    """
    dataset = decoded.dataset
    if duplicates is None:
        duplicates = find_duplicates(dataset, decoded.source, decoded.rows)
    sides = [entry.split for entry in dataset.entries]
    learned = _LEARNED.get(split, ())
    positions = duplicates.leaked(sides, split, learned)
    groups = {e.group for e in dataset.entries if e.group is not None and e.split in learned}
    known = {dataset.entries[i].id for i in positions}
    known |= {e.id for e in dataset.entries if e.split == split and e.group in groups}
    leaked = np.array([name in known for name in ids], bool)
    return LeakageBill(
        split,
        tuple(name for name in ids if name in known),
        share(int(right.sum()), len(right)),
        _share(right[~leaked]),
        _share(right[leaked]),
    )


def _share(right: np.ndarray) -> Interval | None:
    return share(int(right.sum()), len(right)) if len(right) else None
