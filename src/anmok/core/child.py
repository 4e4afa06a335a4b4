"""A process of one's own that works for this one: a module's `main`, asked by standard input, answering by output.

Plain subprocesses of the interpreter, neither forked nor made by `multiprocessing`: forking a process in which torch
has started threads can deadlock, and multiprocessing's spawn imports the user's script again.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import IO

from anmok.core.memory import IN_CHILDREN

_BOOT = "import sys; from importlib import import_module; sys.path[:] = sys.argv[2:]; import_module(sys.argv[1]).main()"
_ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
_PIPE = 1 << 20  # bytes a pipe holds, where that can be chosen
_SET_PIPE_SIZE = 1031  # fcntl's, on Linux
_LOOK = 0.5  # seconds between two looks at whether the parent is still there
_UNASKED = 30.0  # seconds that children started ahead are kept for whoever may want them
_ahead: dict[str, list[subprocess.Popen[bytes]]] = {}  # by module


def start_child(module: str) -> subprocess.Popen[bytes]:
    """Start `main()` of a module; its `stdin` and `stdout` are pipes. Nothing else of this process reaches it. One that
    was started ahead serves as well."""
    return waiting_child(module) or _started(module)


def waiting_child(module: str) -> subprocess.Popen[bytes] | None:
    """A child of this module that was started ahead and that nobody asked for yet, from now on the caller's."""
    while waiting := _ahead.get(module):
        with suppress(IndexError):  # another thread took the last one
            child = waiting.pop()
            if child.poll() is None:
                return child
    return None


def start_ahead(module: str, count: int, told: bytes = b"") -> None:
    """Have so many children ready for the next calls of `start_child`, while this process does something else that has
    to be done first: importing torch takes seconds of one processor, starting a child 0.2 to 0.4.

    Args:
        told: what each of them hears at once.
    """
    with suppress(OSError):  # whoever wants one will be told
        children = [_started(module) for _ in range(count - len(_ahead.get(module, ())))]
        for child in children:
            _tell(child, told)
        _ahead.setdefault(module, []).extend(children)
        end = threading.Timer(_UNASKED, _end_unasked, (module, children))
        end.daemon = True
        end.start()


def _end_unasked(module: str, children: Sequence[subprocess.Popen[bytes]]) -> None:
    for child in children:
        with suppress(ValueError):  # it was asked for
            _ahead.get(module, []).remove(child)
            child.kill()
            child.communicate()


def _tell(child: subprocess.Popen[bytes], words: bytes) -> None:
    assert child.stdin is not None
    child.stdin.write(words)
    child.stdin.flush()


def _started(module: str) -> subprocess.Popen[bytes]:
    child = subprocess.Popen(
        [sys.executable, "-c", _BOOT, module, *sys.path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        bufsize=1 << 16,
        env=IN_CHILDREN | os.environ | _ONE_THREAD,
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
    )
    _widen(child.stdin, child.stdout)
    return child


def _widen(*pipes: IO[bytes] | None) -> None:
    """More room in each pipe, where the system grants it: fewer changes between the processes."""
    with suppress(ImportError, OSError):
        import fcntl

        for pipe in pipes:
            if pipe is not None:
                fcntl.fcntl(pipe, _SET_PIPE_SIZE, _PIPE)


def private_pipes() -> tuple[IO[bytes], IO[bytes]]:
    """In the child: standard input and output under new numbers, so that nothing a library prints gets between."""
    requests, answers = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb", buffering=1 << 16)
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    return requests, answers


def die_with_parent() -> None:
    """In the child: Ctrl-C is for the parent, which ends its children itself; and none outlives it by long.

    Linux's own death signal is not asked for: it comes when the *thread* that started the child ends, and children are
    started in threads that do not last.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_without(os.getppid())


def end_without(parent: int) -> None:
    """In the child: end soon after the process of this number is no longer the parent, or if it is not already."""
    threading.Thread(target=_watch, args=(parent,), name="anmok-parent", daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK)
    os._exit(1)
