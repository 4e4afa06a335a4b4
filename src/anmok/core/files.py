"""Files that are either the old or the new, never something between.

Every file that anmok publishes is written under a temporary name in its own folder, fsynced and renamed; then the
folder is fsynced. A process killed, or a disk found full, at any of these calls leaves what was there before. `$TMPDIR`
plays no part: a rename from another filesystem would be a copy.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from anmok.core.errors import UnwrittenError

TEMPORARY = ".writing-"  # files of this prefix are left by killed writers and may be deleted

_GATHER = 1 << 18  # bytes below which chunks are joined before they are written

_REMEDIES = {
    errno.ENOSPC: ("the disk is full", "free some space"),
    errno.EDQUOT: ("the disk quota is used up", "free some space"),
    errno.EACCES: ("writing is not permitted", "give yourself write permission there"),
    errno.EPERM: ("writing is not permitted", "give yourself write permission there"),
    errno.EROFS: ("the file system is read-only", "remount it writable, or write elsewhere"),
    errno.EIO: ("the disk reported an input/output error", "check the disk, or write elsewhere"),
    errno.ENOENT: ("its folder does not exist", "make the folder, or name one that exists"),
    errno.ENAMETOOLONG: ("its name is too long", "name it shorter"),
}


def unwritable(place: Path) -> str:
    """Why nothing can be made at `place`, a file or folder that need not exist, in words; "" where it can be."""
    place = place.expanduser().absolute()
    there = next(known for known in (place, *place.parents) if os.access(known, os.F_OK))
    there = there.parent if there == place and there.is_file() else there
    if not there.is_dir():
        return f"{there} is no folder"
    return "" if os.access(there, os.W_OK | os.X_OK) else f"{there} must not be written to"


@contextmanager
def naming_the_cause(path: Path) -> Iterator[None]:
    """Turn an `OSError` of the block into an `UnwrittenError` that says what the disk refused and what to do."""
    try:
        yield
    except OSError as error:
        cause, fix = _REMEDIES.get(error.errno or 0, ("it could not be written", "look at the cause"))
        got = f"{errno.errorcode.get(error.errno or 0, 'OSError')}, {error.strerror or error}"
        raise UnwrittenError(
            f"{cause}; what was saved before is intact", path=path, got=got, fix=f"{fix}, then the same again"
        ) from error


def write_atomic(path: Path, chunks: Iterable[bytes | memoryview], *, sync_folder: bool = True) -> tuple[int, str]:
    """Publish a file from its chunks and return its length and SHA-256.

    With `sync_folder=False` the caller publishes several files and syncs their folder once, with `fsync_folder`.

    Raises:
        UnwrittenError: the file could not be written; the file of that name, if any, is what it was.
    """
    digest, length = hashlib.sha256(), 0
    with _published(path, sync_folder) as descriptor:
        for chunk in _gathered(chunks):
            digest.update(chunk)
            length += _write_all(descriptor, memoryview(chunk))
    return length, digest.hexdigest()


@contextmanager
def whole_file(path: str | Path) -> Iterator[IO[bytes]]:
    """A file to be written piece by piece, which takes the name `path` when the block ends well.

    Raises:
        UnwrittenError: the file could not be written; the file of that name, if any, is what it was.
    """
    with _published(Path(path)) as descriptor, open(descriptor, "wb", closefd=False) as file:
        yield file


@contextmanager
def _published(path: Path, sync_folder: bool = True) -> Iterator[int]:
    """A descriptor of a temporary file beside `path`, which replaces it when the block ends well and else vanishes."""
    temporary = path.with_name(f"{TEMPORARY}{path.name[:200]}-{os.getpid()}")
    with naming_the_cause(path):
        try:
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o666)
            try:
                yield descriptor
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, path)  # noqa: PTH105
        except BaseException:
            with suppress(OSError):
                temporary.unlink()
            raise
        if sync_folder:
            fsync_folder(path.parent)


def _gathered(chunks: Iterable[bytes | memoryview]) -> Iterator[bytes | memoryview]:
    """The same bytes with small chunks joined: a network has hundreds of small tensors."""
    small = bytearray()
    for chunk in chunks:
        if len(chunk) < _GATHER:
            small += chunk
            if len(small) < _GATHER:
                continue
        if small:
            yield bytes(small)
            small.clear()
        if len(chunk) >= _GATHER:
            yield chunk
    if small:
        yield bytes(small)


def _write_all(descriptor: int, view: memoryview) -> int:
    length = len(view)
    while view:  # a nearly full disk takes part of a write before it refuses the rest
        written = os.write(descriptor, view)
        view = view[written:]
    return length


def fsync_folder(folder: Path) -> None:
    """Make renames in `folder` durable, where the system can: neither Windows nor every network drive has such a call.

    Raises:
        UnwrittenError: the disk refused.
    """
    if os.name == "nt":  # orders renames by itself
        return
    with naming_the_cause(folder):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                raise
        finally:
            os.close(descriptor)


def write_text(path: str | Path, text: str) -> None:
    """Publish a UTF-8 text file. Raises `UnwrittenError`."""
    write_atomic(Path(path), [text.encode()])


def write_json(path: Path, value: Any) -> None:
    """Publish strict, indented JSON: no NaN, non-ASCII kept. Raises `UnwrittenError`."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def sha256_of(path: str | Path) -> str:
    """A file's SHA-256, 64 hexadecimal digits, read piece by piece. Raises `OSError`."""
    digest = hashlib.sha256()
    with Path(path).open("rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def sweep(folder: Path) -> None:
    """Delete the temporary files that killed writers left in `folder`. Only the folder's owner may do this."""
    for path in folder.glob(f"{TEMPORARY}*"):
        with suppress(OSError):
            path.unlink()
