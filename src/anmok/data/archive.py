"""Archives, extracted safely: all or nothing, into a cache folder named by the archive's content.

Refused as a whole: names that lead outside, links that do, devices, names that Windows or macOS could not tell apart
or not store, encrypted, torn, and those that grow beyond all proportion. What was written until then is removed.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import tempfile
import time
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from anmok.core.errors import DataError
from anmok.core.files import sha256_of
from anmok.data._archive_members import BROKEN, MOST_MEMBERS, Member, is_tar, is_zip, tar_members, too_many, zip_members
from anmok.data.places import cache_folder
from anmok.data.walk import readable

SUFFIXES = (".zip", ".tar", ".tgz", ".txz", ".tbz", ".tbz2", ".tar.gz", ".tar.xz", ".tar.bz2")
_FOREIGN = (".7z", ".rar", ".tar.zst", ".tar.lz4")
_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$) *(\..*)?$", re.IGNORECASE)
_HARMLESS = 256 * 2**20  # bytes; up to here any archive may grow
_ABANDONED = 24 * 3600  # seconds
_MOST_GROWTH = 100  # beyond that, at most so many times its own size


def is_archive(path: Path) -> bool:
    """Whether the file is an archive, by its content or by the name it claims."""
    return path.name.lower().endswith(SUFFIXES + _FOREIGN) or is_zip(path) or is_tar(path)


def extracted(path: Path) -> Path:
    """The folder with the archive's content; extracted at the first call, found again at the next.

    Raises:
        DataError: the archive is refused or cannot be read; nothing is left behind.
    """
    place = cache_folder("archives")
    try:
        final = place / sha256_of(path)[:32]
        if final.is_dir():
            return final
        place.mkdir(parents=True, exist_ok=True)
        _sweep(place)
        partial = Path(tempfile.mkdtemp(prefix="partial-", dir=place))
    except OSError as error:
        raise DataError("the archive cannot be read or its folder not made", path=path, got=str(error)) from error
    try:
        _extract(path, partial)
        _publish(partial, final)
    except OSError as error:
        raise DataError(
            "the archive cannot be extracted",
            path=path,
            got=f"{error.strerror or error} in {place}",
            fix="free some space, or set ANMOK_CACHE to a folder with more",
        ) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return final


def _sweep(place: Path) -> None:
    """Remove what extractions killed long ago have left."""
    for left in place.glob("partial-*"):
        if time.time() - left.stat().st_mtime > _ABANDONED:
            shutil.rmtree(left, ignore_errors=True)


def _publish(partial: Path, final: Path) -> None:
    """Give the finished folder its name; where another process was faster, its folder is the same."""
    partial.chmod(0o755)
    try:
        partial.rename(final)
    except OSError:
        if not final.is_dir():
            raise


def _extract(path: Path, target: Path) -> None:
    allowance = min(max(_HARMLESS, _MOST_GROWTH * path.stat().st_size), shutil.disk_usage(target).free)
    admission = _Admission(path, allowance)
    try:
        for member in _members(path):  # all is looked at before anything is written
            admission.admit(member)
        admission, links = _Admission(path, allowance), []
        for member in _members(path):
            name = admission.admit(member)
            if member.kind in ("link", "hard link"):
                links.append((name, member))
            elif name:
                _write(member, target / name)
        _write_links(path, links, target)
    except BROKEN as error:
        raise DataError("the archive is torn", path=path, got=str(error), fix="download or pack it again") from error
    except (RuntimeError, NotImplementedError, ValueError) as error:  # zipfile's words for methods it lacks
        raise DataError("the archive cannot be read", path=path, got=str(error), fix="pack it again") from error


def _members(path: Path) -> Iterator[Member]:
    if is_zip(path):
        return zip_members(path)
    if is_tar(path):
        return tar_members(path)
    foreign = path.name.lower().endswith(_FOREIGN)
    raise DataError(
        "archives of this kind are not read" if foreign else "the archive is torn, or none at all",
        path=path,
        got=path.suffix if foreign else f"{path.stat().st_size} bytes that are neither .zip nor .tar",
        allowed=", ".join(SUFFIXES),
        fix="extract it yourself and name the folder" if foreign else "download or pack it again",
    )


def _write(member: Member, place: Path) -> None:
    if member.kind == "folder":
        place.mkdir(parents=True, exist_ok=True)
        return
    place.parent.mkdir(parents=True, exist_ok=True)
    with member.open() as content, place.open("xb") as file:
        left = member.size
        while block := content.read(2**20):
            left -= len(block)
            if left < 0:
                raise EOFError(f"{readable(member.name)} is longer than it states")
            file.write(block)
    if left:
        raise EOFError(f"{readable(member.name)} is shorter than it states")
    modified = max(0.0, min(member.modified, 2.0**32))  # the archive's time, so that a second extraction looks alike
    os.utime(place, (modified, modified))


def _write_links(path: Path, links: list[tuple[str, Member]], target: Path) -> None:
    """Links to files inside the archive become those files; all others are refused."""
    while links:
        waiting = []
        for name, member in links:
            goal = target / _link_goal(path, name, member)
            if not goal.is_file():
                waiting.append((name, member))
                continue
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(goal, target / name)
        if len(waiting) == len(links):
            raise _refused(path, waiting[0][1].name, "a link to something that is no file of the archive")
        links = waiting


def _link_goal(path: Path, name: str, member: Member) -> str:
    goal = member.target.replace("\\", "/")
    if member.kind == "link":
        goal = goal if goal.startswith("/") else posixpath.join(posixpath.dirname(name), goal)
    goal = posixpath.normpath(goal)
    if goal.startswith(("/", "..")) or re.match(r"[A-Za-z]:", goal):
        raise _refused(path, member.name, f"a link that leads outside ({readable(member.target)})")
    return goal


@dataclass
class _Admission:
    """Looks at each member before it is written, and at all of them together."""

    path: Path
    allowance: int
    count: int = 0
    size: int = 0
    spelled: dict[str, str] = field(default_factory=dict)
    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)

    def admit(self, member: Member) -> str:
        """The member's path below the target folder ("" for the folder itself). Raises `DataError`."""
        self.count += 1
        self.size += max(member.size, 0)
        if self.count >= MOST_MEMBERS:
            raise too_many(self.path, self.count)
        if self.size > self.allowance or member.size < 0:
            raise DataError(
                "the archive grows beyond all proportion, or beyond the free space",
                path=self.path,
                got=f"more than {self.size:,} bytes from {self.path.stat().st_size:,}",
                allowed=f"{self.allowance:,} bytes",
                fix="if you trust it, extract it yourself and name the folder",
            )
        if member.kind not in ("file", "folder", "link", "hard link"):
            raise _refused(self.path, member.name, f"a {member.kind}")
        parts = self._parts(member.name)
        if not parts and member.kind != "folder":
            raise _refused(self.path, member.name, "a file without a name")
        self._refuse_clash(parts, member)
        name = "/".join(parts)
        if member.kind in ("link", "hard link"):
            _link_goal(self.path, name, member)
        return name

    def _parts(self, name: str) -> list[str]:
        name = name.replace("\\", "/")
        if name.startswith("/") or re.match(r"[A-Za-z]:", name) or "\0" in name:
            raise _refused(self.path, name, "an absolute path, a drive's name or a NUL")
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            raise _refused(self.path, name, "a path that leads outside ('..')")
        for part in parts:
            if _RESERVED.match(part.rstrip(" .")) or ":" in part or len(os.fsencode(part)) > 255:
                raise _refused(self.path, name, "a name that not every system can store")
        return parts

    def _refuse_clash(self, parts: list[str], member: Member) -> None:
        """Every folder and file has one spelling, once."""
        for depth in range(1, len(parts) + 1):
            path = "/".join(parts[:depth])
            folded = [unicodedata.normalize("NFC", part).casefold().rstrip(" .") for part in parts[:depth]]
            is_file = depth == len(parts) and member.kind != "folder"
            first = self.spelled.setdefault("/".join(folded), path)
            if first != path or path in self.files or (is_file and path in self.folders):
                raise _refused(self.path, member.name, f"a name that clashes with {readable(first)}")
            (self.files if is_file else self.folders).add(path)


def _refused(path: Path, name: str, why: str) -> DataError:
    return DataError(
        f"the archive is refused: {why}",
        path=path,
        got=readable(name),
        fix="pack the pictures again, plain files and folders only",
    )
