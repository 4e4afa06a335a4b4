"""What must stay on one side of a split: frames of one video, pictures of one patient, copies of one picture."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace

from anmok.core.errors import UsageError
from anmok.core.types import Dataset, Entry

_FRAME = re.compile(r"[\s_.-]*(?:frame|img|image|shot)?[\s_.-]*\(?\d+\)?$", re.IGNORECASE)
_STRENGTH = {"test": 2, "val": 1, "train": 0}


def group_entries(dataset: Dataset, by: str) -> Dataset:
    """The data set with groups named by where pictures lie or how they are called.

    Args:
        by: "folder" (the folder a picture lies in), "prefix" (its name without the number at its end, as of video
            frames and bursts), or a regular expression searched for in its id: what its brackets match is the group,
            else all of the match; pictures without a match stay alone. A table's column is told by `group_column`.

    Raises:
        UsageError: no regular expression, one that matches no picture, or that puts all into one group.
    """
    if by == "folder":
        groups = [entry.id.rpartition("/")[0] or None for entry in dataset.entries]
    elif by == "prefix":
        groups = [_prefix(entry.id) for entry in dataset.entries]
    else:
        groups = _matched(dataset.entries, by)
    known = set(groups) - {None}
    if len(dataset) > 1 and (not known or (len(known) == 1 and None not in groups)):
        raise UsageError(
            f"--group-by {by} puts {'all pictures into one group' if known else 'no picture into a group'}",
            got=f"the first picture is {dataset.entries[0].id!r}",
            allowed="folder, prefix, or a regular expression that tells groups apart",
        )
    entries = [replace(e, group=group) for e, group in zip(dataset.entries, groups, strict=True)]
    return replace(dataset, entries=entries)


def _prefix(name: str) -> str | None:
    folder, _, file = name.rpartition("/")
    stem = file.rpartition(".")[0] or file
    return f"{folder}/{prefix}" if (prefix := _FRAME.sub("", stem)) else None


def _matched(entries: Sequence[Entry], pattern: str) -> list[str | None]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(
            "--group-by is no regular expression", got=repr(pattern), allowed=f"folder, prefix, or one: {error}"
        ) from error
    groups: list[str | None] = []
    for entry in entries:
        found = compiled.search(entry.id)
        told = [part for part in found.groups() if part is not None] if found else []
        groups.append(None if found is None else "/".join(told) if told else found[0])
    return groups


def joined(dataset: Dataset, copies: Iterable[Sequence[int]]) -> Dataset:
    """The data set with groups joined wherever pictures of them, given by position, are copies of each other."""
    leader: dict[str, str] = {}

    def lead(name: str) -> str:
        while leader.get(name, name) != name:
            name = leader[name]
        return name

    own = [f"entry {i}" if entry.group is None else f"group {entry.group}" for i, entry in enumerate(dataset.entries)]
    touched = set()
    for group in copies:
        first, *rest = sorted({lead(own[i]) for i in group})
        touched |= set(group)
        for other in rest:
            leader[other] = first
    entries = [
        replace(entry, group=lead(own[i])) if i in touched or entry.group is not None else entry
        for i, entry in enumerate(dataset.entries)
    ]
    return replace(dataset, entries=entries)


def without_leaks(dataset: Dataset) -> tuple[Dataset, list[str]]:
    """A given split with every group on one side, and the ids that were left out of it.

    What judges stays: a group with a test picture keeps only its test pictures, one with a validation picture and no
    test picture those. The others lose their split, so that nothing is trained on them.
    """
    strongest: dict[str, int] = {}
    for entry in dataset.entries:
        if entry.group is not None and entry.split is not None:
            strongest[entry.group] = max(strongest.get(entry.group, 0), _STRENGTH[entry.split])
    out = [
        entry.id
        for entry in dataset.entries
        if entry.group is not None and entry.split is not None and _STRENGTH[entry.split] < strongest[entry.group]
    ]
    gone = set(out)
    entries = [replace(entry, split=None) if entry.id in gone else entry for entry in dataset.entries]
    return replace(dataset, entries=entries), out
