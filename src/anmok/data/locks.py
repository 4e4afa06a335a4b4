"""File locks that end with their process: flock where there is one, msvcrt on Windows."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO


@contextlib.contextmanager
def exclusive(path: Path) -> Iterator[bool]:
    """Try to lock `path` (made if missing) for this process alone; says whether that worked, without waiting.

    Raises:
        OSError: the file cannot be made.
    """
    with path.open("ab") as file:
        yield _try_exclusive(file)


def share(file: IO[bytes]) -> None:
    """Mark an open file as in use until it is closed: `exclusive` on the same path then says no."""
    if sys.platform == "win32":
        return  # there, open files cannot be removed anyway
    import fcntl

    with contextlib.suppress(OSError):  # a file system without locks: removal leaves what is open readable
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)


def _try_exclusive(file: IO[bytes]) -> bool:
    if sys.platform == "win32":
        import msvcrt

        file.seek(0)
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except PermissionError:
            return False
        return True
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # a file system without locks: renaming is atomic there too, only work may be done twice
        return True
    return True
