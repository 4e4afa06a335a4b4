"""A data set of objects on its way into a new folder: what the writers of all formats share."""

from __future__ import annotations

import posixpath
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from anmok.core.targets import Objects
from anmok.core.types import SPLITS, Dataset, Entry
from anmok.data.formats._layout import place, stem
from anmok.data.records import frame_of

_LONGEST = 150  # characters of a new name


@dataclass(frozen=True)
class Page:
    """A picture to be written with its objects: `name` is new, plain and unique by its stem; `size` (height, width)."""

    entry: Entry
    name: str
    size: tuple[int, int]
    objects: Objects


@dataclass(frozen=True)
class Outgoing:
    """What is written: into `folder`, with these `classes`. `outlined`: the outlines matter as much as the boxes."""

    dataset: Dataset
    folder: Path
    classes: tuple[str, ...]
    outlined: bool

    @property
    def splits(self) -> tuple[str | None, ...]:
        """The parts there are, in their usual order; None: pictures in none."""
        here = {entry.split for entry in self.dataset.entries}
        return tuple(split for split in (*SPLITS, None) if split in here)

    def pages(self, split: str | None = None, *, everything: bool = False) -> Iterator[Page]:
        """The pictures of one part, or all, in order."""
        for entry, name in zip(self.dataset.entries, new_names(self.dataset.entries), strict=True):
            if everything or entry.split == split:
                yield Page(entry, name, frame_of(self.dataset.pictures, entry.locator).size, entry.target)

    def picture(self, page: Page, folder: str) -> str:
        """Put a picture into `folder` below the new one: a file as it is, others as PNG. Its path there."""
        target = self.folder / folder / page.name
        target.parent.mkdir(parents=True, exist_ok=True)
        path = getattr(self.dataset.pictures, "path", None)
        if path is not None:
            shutil.copyfile(path(page.entry.locator), target)
        else:
            pixels = self.dataset.pictures.read(page.entry.locator)
            Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(target)
        return f"{folder}/{page.name}"

    def text(self, path: str, content: str) -> None:
        """Write a UTF-8 text below the new folder."""
        target = self.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode())


def new_names(entries: Sequence[Entry]) -> list[str]:
    """New file names: what tells pictures apart of their folders and names, plain letters, every stem once."""
    names, taken = [], set()
    for entry in entries:
        path = entry.locator if isinstance(entry.locator, str) else f"{entry.id}.png"
        folder, _, last = path.rpartition("/")
        base, suffix = posixpath.splitext(last)
        parts = [part for part in place(folder) if part not in SPLITS]
        plain = re.sub(r"[^\w.-]+", "_", "_".join([*parts, base])).strip("._")[:_LONGEST] or "picture"
        suffix = re.sub(r"[^\w.]+", "", suffix) or ".png"
        name, number = plain, 1
        while stem(f"{name}.x") in taken:
            number += 1
            name = f"{plain}_{number}"
        taken.add(stem(f"{name}.x"))
        names.append(name + suffix)
    return names
