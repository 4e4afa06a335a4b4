"""VOC's lists of the pictures in each part of a split: `ImageSets/Main/train.txt`, one name a line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from anmok.data.formats._layout import stem
from anmok.data.source import Source
from anmok.data.walk import readable

_LIST = re.compile(r"(?:^|/)imagesets/(?:(\w+)/)?(train|val|test|trainval)\.txt$", re.IGNORECASE)


@dataclass(frozen=True)
class ImageSets:
    """What lists say. `files`: those read, below the root. `split_of`: by stem; None in `trainval` alone."""

    files: tuple[str, ...] = ()
    split_of: dict[str, str | None] = field(default_factory=dict)
    torn: frozenset[str] = frozenset()  # stems on two sides

    def __bool__(self) -> bool:
        return bool(self.split_of)


def read_image_sets(source: Source, kinds: Sequence[str]) -> ImageSets:
    """The lists of the first of these kinds (folders below `ImageSets`) that has any; empty where none has."""
    lists = {path: match for path in source.tree.files if (match := _LIST.search(path))}
    for kind in kinds:
        chosen = {path: match[2].lower() for path, match in lists.items() if (match[1] or "").lower() == kind.lower()}
        if chosen:
            return _read(source, chosen)
    return ImageSets()


def _read(source: Source, chosen: dict[str, str]) -> ImageSets:
    split_of: dict[str, str | None] = {}
    torn = set()
    for path, part in sorted(chosen.items(), key=lambda item: item[1] == "trainval"):
        try:
            lines = (source.root / path).read_text("utf-8-sig", "replace").splitlines()
        except OSError:
            continue
        for line in lines:
            name = stem(re.split(r"\s+-?[01]\s*$", line.strip())[0] + ".x")
            if not name:
                continue
            if part == "trainval":
                split_of.setdefault(name, None)
            elif split_of.setdefault(name, part) != part:
                torn.add(name)
    return ImageSets(tuple(map(readable, chosen)), split_of, frozenset(torn))
