"""What is wrong with a data set, each kind of problem as one sentence with its pictures and what to do.

A problem *spoils* training where learning from the data, or believing its scores, would go wrong: pictures lost,
labels that contradict each other, copies of training pictures among those that judge, classes that cannot be learned.
The others are worth a look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anmok.core.types import SPLITS, Dataset
from anmok.data.duplicates import Duplicates
from anmok.data.held import Held, held_by_class
from anmok.data.names import alike_warnings
from anmok.data.statistics import Statistics

UNEVEN = 10  # times as many pictures in the largest class as in the smallest is worth a word
LISTED = 200  # groups of pictures named in full
_SAFE_SPLIT = "make a split without leaks: anmok check DATA --split split.csv, then anmok train DATA --split split.csv"


@dataclass(frozen=True)
class Problem:
    """`groups`: positions of the pictures concerned, alone or side by side. `notes`: one beside each group, or none."""

    kind: str
    sentence: str
    spoils: bool
    fix: str
    groups: tuple[tuple[int, ...], ...] = ()
    notes: tuple[str, ...] = field(default=())

    def to_json(self, dataset: Dataset) -> dict[str, Any]:
        """Plain values, with ids for positions."""
        pictures = [[dataset.entries[i].id for i in group] for group in self.groups[:LISTED]]
        told = {"kind": self.kind, "sentence": self.sentence, "spoils": self.spoils, "fix": self.fix}
        return told | {"groups": len(self.groups), "pictures": pictures, "notes": list(self.notes[:LISTED])}


def all_problems(
    dataset: Dataset,
    duplicates: Duplicates | None = None,
    statistics: Statistics | None = None,
    held: Held | None = None,
) -> list[Problem]:
    """Every problem found, those that spoil training first. `held`: what there is of each class, if it was measured."""
    found = [*lost(dataset), *class_problems(dataset, held or held_by_class(dataset))]
    if duplicates is not None:
        found += copy_problems(dataset, duplicates)
    found += group_problems(dataset)
    if statistics is not None:
        found += picture_problems(statistics)
    return sorted(found, key=lambda problem: not problem.spoils)


def lost(dataset: Dataset) -> list[Problem]:
    """Files or rows that were set aside."""
    count = len(dataset.set_aside)
    if not count:
        return []
    words = f"{count:,} {'item was' if count == 1 else 'items were'} set aside and would not be learned from"
    return [Problem("quarantined", words, True, "follow the remedy beside each")]


def class_problems(dataset: Dataset, held: Held | None) -> list[Problem]:
    """Classes too small, uneven, alike, or missing from a split."""
    if not dataset.classes or held is None:
        return []
    totals = [held.total(i) for i in range(len(dataset.classes))]
    found: list[Problem] = []
    if len(dataset.classes) == 1 and dataset.task == "classify":
        found.append(
            Problem(
                "one class",
                f"there is one class only, {dataset.classes[0]!r}: nothing can be told apart",
                True,
                "add pictures of what it is to be told from",
            )
        )
    lone = [name for name, total in zip(dataset.classes, totals, strict=True) if total == 1]
    if lone and dataset.task == "classify":
        found.append(
            Problem(
                "lone picture",
                f"classes of one picture, which cannot be split: {_some(lone)}",
                True,
                "add pictures, or merge or remove the class",
            )
        )
    found += [
        Problem("alike classes", words, True, "rename the folders or labels")
        for words in alike_warnings(dataset.classes)
    ]
    found += _missing(dataset, held)
    filled = [(total, name) for total, name in zip(totals, dataset.classes, strict=True) if total]
    if filled and max(filled)[0] >= UNEVEN * min(filled)[0]:
        (most, large), (least, small) = max(filled), min(filled)
        found.append(
            Problem(
                "uneven classes",
                f"classes are uneven: {most:,} {held.noun} of {large!r}, {least:,} of {small!r}",
                False,
                "judge by macro F1 and by class, or collect more",
            )
        )
    return found


def _missing(dataset: Dataset, held: Held) -> list[Problem]:
    found = []
    absent = {i for i in range(len(dataset.classes)) if not held.total(i)} if dataset.task != "classify" else set()
    if absent and held.noun == "boxes":
        words = f"classes that are declared and have no box: {_some([dataset.classes[i] for i in sorted(absent)])}"
        found.append(Problem("absent classes", words, False, "remove them from the list, or add pictures"))
    for split in SPLITS:
        counts = held.counts[split]
        if not counts or all(target is None for target in counts):
            continue
        gone = [name for i, name in enumerate(dataset.classes) if not counts[i] and i not in absent]
        if split == "train":
            gone = [name for name in gone if not held.counts[None][dataset.classes.index(name)]]
        if gone:
            part = {"train": "training", "val": "validation", "test": "test"}[split]
            fix = "add such pictures, or remove the class" if split == "train" else "add some, or make a new split"
            found.append(
                Problem(
                    f"classes missing from {split}",
                    f"classes without a {part} picture: {_some(gone)}",
                    split == "train",
                    fix,
                )
            )
    return found


def copy_problems(dataset: Dataset, duplicates: Duplicates) -> list[Problem]:
    """Copies across splits, copies with different labels, and copies that are merely that."""
    sides = [entry.split for entry in dataset.entries]
    targets = [entry.target if isinstance(entry.target, int) else None for entry in dataset.entries]
    torn, contrary = duplicates.torn(sides), duplicates.contradicting(targets)
    found = []
    if torn:
        parts = [
            f"{count:,} of {sides.count(split):,} {split} pictures"
            for split, learned in (("test", ("train", "val")), ("val", ("train",)))
            if (count := len(duplicates.leaked(sides, split, learned)))
        ]
        found.append(
            Problem(
                "leak",
                f"copies on both sides of the split: {', '.join(parts)} were learned from",
                True,
                _SAFE_SPLIT,
                tuple(torn),
            )
        )
    if contrary:
        named = [" / ".join(sorted({dataset.classes[t] for i in g if (t := targets[i]) is not None})) for g in contrary]
        fix = "decide for one label, and remove the other copies"
        what = "a picture occurs" if len(contrary) == 1 else f"{len(contrary):,} pictures occur"
        words = f"{what} with different labels"
        found.append(Problem("contradiction", words, True, fix, tuple(contrary), tuple(named)))
    told = {*torn, *contrary}
    rest = [group for group in duplicates.groups if group not in told]
    if rest:
        extra = sum(map(len, rest)) - len(rest)
        words = f"{extra:,} {'picture is a copy' if extra == 1 else 'pictures are copies'} of another on the same side"
        fix = "remove them, or split with --split, which keeps copies together"
        found.append(Problem("duplicates", words, False, fix, tuple(rest)))
    return found


def group_problems(dataset: Dataset) -> list[Problem]:
    """Groups (videos, patients, bursts) on more than one side of a given split."""
    members: dict[str, list[int]] = {}
    for i, entry in enumerate(dataset.entries):
        if entry.group is not None and entry.split is not None:
            members.setdefault(entry.group, []).append(i)
    torn = {g: m for g, m in members.items() if len({dataset.entries[i].split for i in m}) > 1}
    if not torn:
        return []
    sentence = f"{len(torn):,} groups are on more than one side of the given split: {_some(list(torn))}"
    groups = tuple(tuple(m) for m in torn.values())
    return [Problem("torn groups", sentence, True, "make a split that keeps them together: --split", groups)]


def picture_problems(statistics: Statistics) -> list[Problem]:
    """Pictures that show nothing, or next to nothing."""
    judge = "look at them: can a person tell what they show?"
    kinds = (
        ("flat", statistics.flat, "of one colour and nothing else", "remove them, or look for a fault of the camera"),
        ("dark", statistics.dark, "nearly black", judge),
        ("bright", statistics.bright, "nearly white", judge),
        ("blurred", statistics.blurred, "far less sharp than the others", judge),
    )
    found = []
    for kind, at, words, fix in kinds:
        if len(at):
            count = f"{len(at):,} pictures are" if len(at) > 1 else "a picture is"
            found.append(Problem(kind, f"{count} {words}", False, fix, _each(at)))
    return found  # fmt: skip


def _each(positions: np.ndarray) -> tuple[tuple[int, ...], ...]:
    return tuple((int(i),) for i in positions)


def _some(names: Sequence[str], most: int = 8) -> str:
    more = f", and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(map(repr, names[:most])) + more
