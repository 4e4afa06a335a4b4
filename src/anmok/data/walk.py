"""Walking a folder: every entry is seen once, nothing blocks, nothing is lost, and the order never varies.

What is no plain file is never opened (a FIFO would block for ever). Hidden and system files are passed over and
counted. Links are followed to files inside the folder; what leads outside is set aside unless that was asked for.
"""

from __future__ import annotations

import errno
import os
import stat
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

from anmok.core.errors import DataError
from anmok.core.types import Quarantined, Skipped

SYSTEM_NAMES = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information", "@eadir"}
    | {"lost+found", "__pycache__", "icon\r"}
)
_LEAVES = "a link that leads out of the data folder"
_INCLUDE = "copy what it leads to into the folder, or allow it with --follow-links"


@dataclass(frozen=True)
class Tree:
    """All that a folder holds. Paths are relative to `root`, with forward slashes, in one fixed order.

    `files` are the plain files worth a look and `folders` the folders (empty ones too), both without hidden and
    system ones. Paths are kept exactly as the file system gives them; `readable` makes them printable.
    """

    root: Path
    files: tuple[str, ...]
    folders: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    quarantined: tuple[Quarantined, ...]

    @property
    def seen(self) -> int:
        """Everything that is no folder, and every folder that could not be entered."""
        return len(self.files) + len(self.skipped) + len(self.quarantined)


def readable(path: str) -> str:
    r"""A path as one printable line: control characters and bytes that are no UTF-8 become escapes.

    Two different paths never become the same: backslashes are escaped too.

    >>> readable("cat/새.jpg"), readable("cat/a" + chr(10) + "b.jpg"), readable("cat/" + chr(0xdcff) + ".jpg")
    ('cat/새.jpg', 'cat/a\\nb.jpg', 'cat/\\xff.jpg')
    """
    if path.isprintable() and "\\" not in path:
        return path
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t", "\\": "\\\\"}
    return "".join(named.get(c) or (c if c.isprintable() else _escape(ord(c))) for c in path)


def _escape(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:  # a byte that is no UTF-8, as Python's surrogateescape keeps it
        return f"\\x{code - 0xDC00:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def sort_key(path: str) -> tuple[str, str]:
    """Sorts paths alike on systems that compose accented and Korean letters differently."""
    return unicodedata.normalize("NFC", path), path


def walk(root: Path, follow_links: bool = False) -> Tree:
    """Everything under `root`.

    Raises:
        DataError: `root` itself cannot be listed.
    """
    walker = _Walker(root, follow_links)
    try:
        with os.scandir(root):
            pass
    except OSError as error:
        raise DataError(
            "the folder cannot be listed", path=root, got=error.strerror, fix="check its name and permissions"
        ) from error
    walker.run()
    return Tree(
        root,
        tuple(sorted(walker.files, key=sort_key)),
        tuple(sorted(walker.folders, key=sort_key)),
        tuple(sorted(walker.skipped, key=lambda item: sort_key(item.path))),
        tuple(sorted(walker.quarantined, key=lambda item: sort_key(item.path))),
    )


@dataclass
class _Walker:
    root: Path
    follow_links: bool
    files: list[str] = field(default_factory=list)
    folders: list[str] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)

    def run(self) -> None:
        """Real folders first, then folders behind links, each real folder once: no loop can hold the walk."""
        self.real_root = os.path.realpath(self.root)
        entered: set[tuple[int, int]] = set()
        waiting: list[tuple[str, bool]] = [("", False)]
        linked: list[tuple[str, bool]] = []
        while waiting or linked:
            folder, hidden = waiting.pop() if waiting else linked.pop(0)
            try:
                status = os.stat(self._full(folder))  # noqa: PTH116
                if (status.st_dev, status.st_ino) in entered:
                    self._skip(folder, "a link to a folder that is read under another name")
                    continue
                with os.scandir(self._full(folder)) as listing:
                    items = sorted(listing, key=lambda item: item.name)
            except OSError as error:
                self._set_aside(folder, f"the folder cannot be listed: {error.strerror}", "check its permissions")
                continue
            entered.add((status.st_dev, status.st_ino))
            if folder and not hidden:
                self.folders.append(folder)
            for item in items:
                path = f"{folder}/{item.name}" if folder else item.name
                self._sort_out(item, path, hidden, waiting, linked)

    def _sort_out(self, item: os.DirEntry[str], path: str, hidden: bool, waiting: list, linked: list) -> None:
        inside_hidden, hidden = hidden, hidden or is_hidden(item.name)
        if item.is_dir(follow_symlinks=False):
            waiting.append((path, hidden))
        elif hidden:
            self._skip(path, "in a hidden or system folder" if inside_hidden else "a hidden or system file")
        elif item.is_symlink():
            self._resolve(path, linked)
        elif item.is_file(follow_symlinks=False):
            self.files.append(path)
        else:
            self._skip(path, "no plain file but a FIFO, socket or device")

    def _resolve(self, path: str, linked: list[tuple[str, bool]]) -> None:
        full = self._full(path)
        try:
            mode = os.stat(full).st_mode  # noqa: PTH116
        except OSError as error:
            if error.errno == errno.ELOOP:
                self._skip(path, "a link that leads back to itself")
            else:
                self._set_aside(path, "a link to something that is not there", "restore the target or remove the link")
            return
        inside = os.path.realpath(full).startswith(self.real_root.rstrip(os.sep) + os.sep)
        if stat.S_ISDIR(mode):
            if inside or os.path.realpath(full) == self.real_root:
                self._skip(path, "a link to a folder that is read under its own name")
            elif self.follow_links:
                linked.append((path, False))
            else:
                self._set_aside(path, _LEAVES, _INCLUDE)
        elif not stat.S_ISREG(mode):
            self._skip(path, "a link to a FIFO, socket or device")
        elif inside or self.follow_links:
            self.files.append(path)
        else:
            self._set_aside(path, _LEAVES, _INCLUDE)

    def _full(self, path: str) -> str:
        return os.path.join(self.root, path)  # noqa: PTH118 - Path would cost more than the listing itself

    def _skip(self, path: str, reason: str) -> None:
        self.skipped.append(Skipped(readable(path), reason))

    def _set_aside(self, path: str, reason: str, fix: str) -> None:
        self.quarantined.append(Quarantined(readable(path), reason, fix))


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name belongs to the system rather than to the data."""
    return name.startswith(".") or name.lower() in SYSTEM_NAMES
