"""What a data set was found to be, and what is wrong with it, as plain values. The verb of this name prints them."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.core.types import Dataset
from anmok.data.held import Held, held_by_class

_IMBALANCE = 10  # times as many pictures in the largest class as in the smallest is worth a word


@dataclass(frozen=True)
class Check:
    """The result. Every field is made of plain values.

    `counts`: class → split → how many of what `counted` says, "" for those without a split; unlabelled pictures are
    under "".
    `accounts`: unit → seen, used, quarantined, skipped. `quarantined`: path, line, reason, fix of each item.
    `skipped`: reason → items. `sizes`: (height, width) with their pictures, the commonest first, where they are known
    without decoding. `trainable`: whether there is something to be learned from the pictures.
    `suggestion`: the command to run next. `problems`: see `anmok.data.problems`, those that spoil training first.
    `statistics`: see `anmok.data.statistics`. `settings`: what training would choose. `html`, `split`: files that were
    written, and `left_out`: ids that the split leaves out because they would leak. `written`: see
    `anmok.data.convert.Written`, where the data was written in another form.
    """

    path: str
    format: str
    why: str
    task: str
    classes: tuple[str, ...]
    counts: Mapping[str, Mapping[str, int]]
    splits: Mapping[str, int]
    accounts: Mapping[str, Mapping[str, int]]
    quarantined: tuple[Mapping[str, Any], ...]
    skipped: Mapping[str, int]
    sizes: tuple[Mapping[str, int], ...]
    warnings: tuple[str, ...]
    trainable: bool
    suggestion: str
    problems: tuple[Mapping[str, Any], ...] = ()
    statistics: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    html: str | None = None
    split: str | None = None
    left_out: tuple[str, ...] = ()
    augmentation: tuple[Mapping[str, Any], ...] = ()  # of each move, whether it keeps the class, where that was asked
    counted: str = "pictures"
    written: Mapping[str, Any] = field(default_factory=dict)

    @property
    def has_findings(self) -> bool:
        """Whether anything is worth a look: something was set aside, or deserves a warning."""
        return bool(self.quarantined or self.warnings or self.problems)

    @property
    def spoils(self) -> bool:
        """Whether anything found would spoil training, or the belief in its scores."""
        return bool(self.quarantined) or any(problem["spoils"] for problem in self.problems)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self) | {"spoils": self.spoils}


def check_data(dataset: Dataset, path: str | Path | None = None, held: Held | None = None) -> Check:
    """Look at a data set as it was loaded (and, if the caller did so, decoded once).

    Args:
        path: what the user named, for the suggested command; by default the data set's root.
        held: what there is of each class, where it had to be measured.
    """
    held = held or held_by_class(dataset)
    counts = _counts(dataset, held) if held else {}
    labelled = len(dataset.classes) > 1 and all(entry.target is not None for entry in dataset.entries)
    trainable = labelled or dataset.task != "classify"
    warnings = (*dataset.warnings, *(_warnings(counts) if dataset.task == "classify" else ()))
    named = shlex.quote(str(dataset.root if path is None else path))
    return Check(
        path=str(dataset.root if path is None else path),
        format=dataset.format,
        why=dataset.why,
        task=dataset.task,
        classes=dataset.classes,
        counts=counts,
        splits=dataset.splits,
        accounts=dataset.accounts(),
        counted=held.noun if held else "",
        quarantined=tuple(asdict(item) for item in dataset.set_aside),
        skipped=dict(Counter(item.reason for item in dataset.passed_over).most_common()),
        sizes=_sizes(dataset),
        warnings=tuple(dict.fromkeys(warnings)),
        trainable=trainable,
        suggestion=f"anmok train {named}" if trainable else f"anmok predict RUN {named}",
    )


def compare_classes(
    expected: Sequence[str], found: Sequence[str], path: str | Path | None = None, owner: str = "the run"
) -> None:
    """Refuse a class list that is not the expected one, name by name and in the same order.

    Raises:
        DataError: both lists side by side.
    """
    if tuple(expected) != tuple(found):
        permuted = sorted(expected) == sorted(found)
        raise DataError(
            f"the classes are in another order than in {owner}" if permuted else f"the classes differ from {owner}",
            path=path,
            got=f"[{', '.join(found)}]",
            allowed=f"[{', '.join(expected)}]",
            fix="use data with these classes, or train a new run",
        )


def _counts(dataset: Dataset, held: Held) -> dict[str, dict[str, int]]:
    names: list[tuple[str, int | None]] = [(name, index) for index, name in enumerate(dataset.classes)]
    if held.total(None):
        names.append(("", None))
    return {
        name: {split or "": counts[number] for split, counts in held.counts.items() if counts[number]}
        for name, number in names
    }


def _warnings(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    totals = {name: sum(parts.values()) for name, parts in counts.items() if name}
    lone = [name for name, total in totals.items() if total == 1]
    found = [f"classes with one picture only, which cannot be split: {', '.join(lone)}"] if lone else []
    positive = {name: total for name, total in totals.items() if total}
    if positive and max(positive.values()) >= _IMBALANCE * min(positive.values()):
        most, least = max(positive, key=positive.__getitem__), min(positive, key=positive.__getitem__)
        found.append(f"classes are uneven: {positive[most]} pictures of {most!r}, {positive[least]} of {least!r}")
    if len(totals) == 1:
        found.append(f"there is one class only, {next(iter(totals))!r}: nothing can be told apart")
    return found


def _sizes(dataset: Dataset) -> tuple[Mapping[str, int], ...]:
    array = getattr(dataset.pictures, "array", None)
    if not isinstance(array, np.ndarray):
        return ()
    _, height, width, channels = array.shape
    return ({"height": height, "width": width, "channels": channels, "pictures": len(dataset.entries)},)
