"""How much of each class a data set holds, part by part: pictures, boxes, or pictures in which a class occurs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from anmok.core.targets import Labels, Objects
from anmok.core.types import SPLITS, Dataset


@dataclass(frozen=True)
class Held:
    """`counts`: part (None: in none) → class number (None: no label) → how many. `noun` says of what, for many."""

    counts: dict[str | None, Counter[int | None]]
    noun: str

    def total(self, number: int | None) -> int:
        """Over all parts."""
        return sum(counts[number] for counts in self.counts.values())


def held_by_class(dataset: Dataset, classes_in: Sequence[Sequence[int]] | None = None) -> Held | None:
    """What of each class there is; None where nothing is said of classes.

    Args:
        classes_in: of each entry the classes that its class map shows, where these were looked at.
    """
    counts: dict[str | None, Counter[int | None]] = {split: Counter() for split in (*SPLITS, None)}
    noun = "pictures"
    for place, entry in enumerate(dataset.entries):
        here, target = counts[entry.split], entry.target
        if classes_in is not None:
            here.update(classes_in[place])
            noun = "pictures that show it"
        elif isinstance(target, Objects):
            here.update(target.labels.tolist())
            noun = "boxes"
        elif isinstance(target, Labels):
            here.update(target.numbers)
            noun = "pictures that show it"
        elif target is None or isinstance(target, int):
            here[target] += 1
        else:
            return None
    return Held(counts, noun)
