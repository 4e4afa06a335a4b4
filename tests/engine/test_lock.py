"""One process a run folder."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest

from anmok.core.errors import RunBusyError
from anmok.engine.lock import Lock, _identity

from .fake_task import in_child


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "run/state").mkdir(parents=True)
    return tmp_path / "run/state/lock.json"


def try_lock(path: Path) -> None:
    try:
        with Lock(path):
            pass
    except RunBusyError as error:
        path.with_name("error").write_text(str(error))
        raise SystemExit(5) from None


def test_a_second_process_is_refused_with_the_owner(path: Path) -> None:
    with Lock(path):
        assert in_child(lambda: try_lock(path)) == 5
        message = path.with_name("error").read_text()
        assert f"process {os.getpid()} on {socket.gethostname()}" in message and str(path.parent.parent) in message
    assert in_child(lambda: try_lock(path)) == 0 and not path.exists()


def test_the_same_process_may_take_it_twice(path: Path) -> None:
    lock = Lock(path)
    with lock:
        with lock:
            pass
        assert path.exists()
        with pytest.raises(RunBusyError):  # another object for the same folder: two runs in one process
            Lock(path).acquire()
    assert not path.exists()


def test_a_forked_child_neither_owns_nor_releases(path: Path) -> None:
    lock = Lock(path)
    with lock:
        assert in_child(lock.release) == 0
        assert path.exists()


@pytest.mark.parametrize("reaped", [True, False])
def test_a_killed_owners_lock_is_cleared(path: Path, reaped: bool) -> None:
    pid = os.fork()
    if pid == 0:
        Lock(path).acquire()
        os.kill(os.getpid(), signal.SIGKILL)
    while not path.exists():
        time.sleep(0.001)
    if reaped:
        os.waitpid(pid, 0)
    else:  # a zombie: dead, but its number is not free yet
        os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    assert json.loads(path.read_text())["pid"] == pid
    with Lock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    if not reaped:
        os.waitpid(pid, 0)


@pytest.mark.parametrize(
    "changes, stale",
    [
        ({}, False),
        ({"started": "1"}, True),  # the number was given to another process
        ({"boot": "another"}, True),
        ({"host": "elsewhere"}, False),  # cannot be seen from here
        ({"host": "elsewhere", "boot": "another"}, False),
    ],
)
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="start times are read from /proc")
def test_whose_lock_is_stale(path: Path, changes: dict[str, Any], stale: bool) -> None:
    path.write_text(json.dumps(_identity(os.getppid()) | changes))
    if stale:
        Lock(path).acquire()
    else:
        with pytest.raises(RunBusyError, match=f"process {os.getppid()} on"):
            Lock(path).acquire()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": "x"}', "\x80\x04"])
def test_rubbish_is_no_lock(path: Path, content: str) -> None:
    path.write_text(content)
    with Lock(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()


def test_of_many_clearing_a_stale_lock_one_wins(path: Path) -> None:
    path.write_text(json.dumps(_identity(os.getpid()) | {"boot": "another"}))
    start = time.monotonic() + 0.3
    children = []
    for _ in range(8):
        pid = os.fork()
        if pid == 0:
            status = 5
            try:
                time.sleep(max(0.0, start - time.monotonic()))
                Lock(path).acquire()
                time.sleep(0.6)  # holds it while the others try
                status = 0
            finally:
                os._exit(status)
        children.append(pid)
    exits = [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]
    assert sorted(exits) == [0] + [5] * 7
