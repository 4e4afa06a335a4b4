"""One process a run folder. The lock names its owner; a dead owner's lock is cleared.

A process id alone does not tell whether the owner lives, since ids are used again: the time at which the process
started is kept and compared too.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from anmok.core.errors import RunBusyError
from anmok.core.files import naming_the_cause, write_json

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


class Lock:
    """The lock file `path`. Acquiring twice in one process is allowed; the last release frees it."""

    def __init__(self, path: Path) -> None:
        self.path, self._depth, self._owner = path, 0, 0

    def acquire(self) -> None:
        """Take the lock. Raises `RunBusyError` naming the living owner, `UnwrittenError` if it cannot be written."""
        if self._depth and self._owner == os.getpid():
            self._depth += 1
            return
        with _alone(self.path):  # nobody clears a stale lock while another does
            owner = _read(self.path)
            if owner is not None and _lives(owner):
                raise RunBusyError(
                    "another process is using this run folder",
                    path=self.path.parent.parent,
                    got=f"process {owner.get('pid')} on {owner.get('host')}",
                    fix=f"wait for it, stop it, or give this run another name. Should you know that it is gone, "
                    f"delete {self.path}",
                )
            write_json(self.path, _identity(os.getpid()))
        self._depth, self._owner = 1, os.getpid()

    def release(self) -> None:
        """Give the lock back; does nothing in a forked child, which never owned it."""
        if self._owner != os.getpid() or not self._depth:
            return
        self._depth -= 1
        if not self._depth:
            with suppress(OSError):
                self.path.unlink()

    def __enter__(self) -> Lock:
        self.acquire()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    if fcntl is None:
        yield
        return
    with naming_the_cause(path), path.with_suffix(".guard").open("w") as guard:
        fcntl.flock(guard, fcntl.LOCK_EX)
        yield  # closing the file frees it; so does dying


def _identity(pid: int) -> dict[str, Any]:
    return {"pid": pid, "host": socket.gethostname(), "boot": _boot(), "started": _started(pid)}


def _read(path: Path) -> dict[str, Any] | None:
    try:
        owner = json.loads(path.read_text())
        return owner if isinstance(owner, dict) and isinstance(owner.get("pid"), int) else None
    except (OSError, ValueError):
        return None  # no lock, or one that no living version of this code could have written


def _lives(owner: dict[str, Any]) -> bool:
    if owner.get("host") != socket.gethostname():
        return True  # it cannot be seen from here
    if owner.get("boot") != _boot():
        return False
    if owner["pid"] == os.getpid():
        # Our own number, and this object did not take the lock: an earlier process's, or another RunFolder's of ours.
        return owner.get("started") == _started(os.getpid())
    return _exists(owner["pid"]) and owner.get("started") == _started(owner["pid"])


def _exists(pid: int) -> bool:
    if os.name == "nt":  # os.kill(pid, 0) would end the process there
        import ctypes

        handle = ctypes.windll.kernel32.OpenProcess(0x1000, False, pid)  # type: ignore[attr-defined]
        if handle:
            ctypes.windll.kernel32.CloseHandle(handle)  # type: ignore[attr-defined]
        return bool(handle)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return _stat(pid)[:1] != ["Z"]  # killed, and its parent has not asked yet


def _started(pid: int) -> str | None:
    """Clock ticks from boot to the start of a process, where /proc tells (Linux)."""
    fields = _stat(pid)
    return fields[19] if len(fields) > 19 else None


def _stat(pid: int) -> list[str]:
    """The fields of /proc/<pid>/stat after the command's name (which may contain spaces): state, parent, …"""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []


def _boot() -> str | None:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
