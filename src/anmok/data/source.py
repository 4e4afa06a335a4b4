"""What a format sees of the path it was given, and what it answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from anmok.core.registry import Registry
from anmok.core.types import Dataset, Quarantined, Skipped
from anmok.data.kinds import sort_pictures
from anmok.data.walk import Tree, walk


@dataclass(frozen=True, kw_only=True)
class ReadOptions:
    """What the user may say about data that does not speak for itself. Every field may stay None.

    `path_column`, `label_column`, `split_column`, `group_column`: names of a table's columns; a `label_column` of ""
    says that there is none.
    `pictures`: the folder that a table's paths start from. `shape`: (height, width, channels) of pictures stored as
    numbers. `follow_links`: also read what links outside the folder lead to. `task`: what the data is for, where it
    fits more than one.
    """

    path_column: str | None = None
    label_column: str | None = None
    split_column: str | None = None
    group_column: str | None = None
    pictures: Path | None = None
    shape: tuple[int, int, int] | None = None
    follow_links: bool = False
    task: str | None = None


@dataclass(frozen=True)
class Source:
    """A file or folder; its tree is walked once however many formats look at it."""

    path: Path
    options: ReadOptions = field(default_factory=ReadOptions)

    @property
    def is_folder(self) -> bool:
        """Whether the path is a folder rather than a file."""
        return self.path.is_dir()

    @property
    def root(self) -> Path:
        """The folder concerned: the path itself, or the one the file lies in."""
        return self.path if self.is_folder else self.path.parent

    @cached_property
    def tree(self) -> Tree:
        """All that lies under `root`."""
        return walk(self.root, self.options.follow_links)

    @cached_property
    def top(self) -> str:
        """Where things begin below `root`: "" or, where there is nothing but one folder, that folder and a slash."""
        top = ""
        while True:
            files = any(path.startswith(top) and "/" not in path[len(top) :] for path in self.tree.files)
            inside = [path for path in self.tree.folders if path.startswith(top) and "/" not in path[len(top) :]]
            if files or len(inside) != 1:
                return top
            top = inside[0] + "/"

    def beside(self) -> list[str]:
        """Paths below `root` of the files at the top: those among which tables and the like are looked for."""
        return [path for path in self.tree.files if path.startswith(self.top) and "/" not in path[len(self.top) :]]

    @cached_property
    def sorted_files(self) -> tuple[list[str], list[Skipped], list[Quarantined]]:
        """(pictures, other files, pictures of kinds that are not read), as paths below `root`."""
        return sort_pictures(self.tree)


@dataclass(frozen=True)
class Recognition:
    """How sure a format is, in [0, 1], that the source is its own, and what it saw."""

    sure: float
    why: str


class Format(Protocol):
    """One way of storing a data set. `recognise` is quick and never raises about the data; `read` may.

    Attributes:
        tasks: what its data sets can be for; the first is the usual one. (Any picture serves to reconstruct and to
            generate, with or without what it is labelled with: `load_data` sees to these.)
    """

    tasks: Sequence[str]

    def recognise(self, source: Source) -> Recognition:
        """How sure the format is of this source, and why."""

    def read(self, source: Source) -> Dataset:
        """The data set. Raises `DataError` where it cannot be used at all."""


FORMATS: Registry[type[Format]] = Registry("anmok.data.formats", "format")
