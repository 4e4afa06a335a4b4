"""From what a table's cell says to the file it means."""

from __future__ import annotations

import os
import posixpath
import re
import unicodedata
from collections import defaultdict
from functools import cached_property
from pathlib import Path

from anmok.data.names import split_named
from anmok.data.source import Source


class NotFound(Exception):
    """A cell that means no file of the folder. `reason` and `fix` are for the quarantine."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason, self.fix = reason, fix


class Finder:
    """Finds files below `root` by what tables say about them.

    A cell may be a path from the table's folder or from `root`, with either slash, absolute if it stays inside; the
    end of a path, or a bare name, if only one file fits; each also without its suffix.
    """

    def __init__(self, source: Source, root: Path, base: str = "") -> None:
        """`base` is the table's folder below `root`, "" or ending with a slash."""
        self._source, self.root, self.base = source, root, base

    @cached_property
    def files(self) -> frozenset[str]:
        """Paths below `root` of all files that may be meant."""
        return frozenset(self._source.tree.files)

    @cached_property
    def _by_name(self) -> dict[str, list[tuple[str, str]]]:
        """Pictures by their last part, with and without suffix; beside each its path as it is compared."""
        names = defaultdict(list)
        for path in self._source.sorted_files[0]:
            alike = "/" + _alike(path)
            stem = posixpath.splitext(alike)[0]
            for end in dict.fromkeys((alike, stem)):
                names[end.rpartition("/")[2]].append((path, end))
        return names

    def find(self, cell: str, split: str | None = None) -> str:
        """The path below `root`. `split` decides between files of one name in `train/` and `test/`.

        Raises:
            NotFound: blank, outside the root, not there, or more than one.
        """
        for text in dict.fromkeys((cell, cell.strip())):
            for start in dict.fromkeys((self.base, "")):
                if start + text in self.files:
                    return start + text
        plain = self._plain(cell)
        for start in dict.fromkeys((self.base, "")):
            path = posixpath.normpath(start + plain)
            if path in self.files:
                return path
        if posixpath.normpath(self.base + plain).startswith(".."):
            raise NotFound(f"the path {cell!r} leaves the data folder", "move the picture inside, or name its folder")
        return self._by_ending(cell, plain, split)

    def _plain(self, cell: str) -> str:
        """The cell as a relative path with forward slashes."""
        plain = cell.strip().replace("\\", "/")
        if not plain:
            raise NotFound("the path is blank", "fill it in or remove the row")
        if "\0" in plain:
            raise NotFound("the path holds a zero byte", "correct the path")
        if plain.startswith("/") or re.match(r"[A-Za-z]:", plain):
            real, root = posixpath.normpath(plain), os.path.realpath(self.root).replace(os.sep, "/")
            if not real.startswith(root + "/"):
                raise NotFound(
                    f"the path {cell!r} leaves the data folder", "write paths that start from the table's folder"
                )
            return posixpath.relpath(real, posixpath.join(root, self.base))
        return plain

    def _by_ending(self, cell: str, plain: str, split: str | None) -> str:
        wanted = _alike(posixpath.normpath(plain))
        named = self._by_name.get(wanted.rpartition("/")[2], ())
        found = [path for path, end in named if end.endswith("/" + wanted)]
        if len(found) > 1 and split is not None:
            found = [path for path in found if split in map(split_named, path.split("/")[:-1])] or found
        if len(found) > 1:
            raise NotFound(
                f"several files are called {cell!r}: {', '.join(found[:3])}", "write the path from the table's folder"
            )
        if not found:
            raise NotFound(f"there is no file {cell!r}", "restore the file, correct the path or remove the row")
        return found[0]


def _alike(path: str) -> str:
    """Paths written alike whatever the system: letters composed, case folded."""
    return unicodedata.normalize("NFC", path).casefold()
