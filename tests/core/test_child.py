"""Processes of one's own: asked for, or started ahead of whoever will ask."""

import subprocess
import sys
import time

import pytest

from anmok.core import child
from anmok.core.child import start_ahead, start_child

WORKER = "tests.core.echo"


@pytest.fixture(autouse=True)
def none_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_ahead", {})


def answer(process: child.subprocess.Popen[bytes], word: bytes) -> bytes:
    return process.communicate(word, timeout=20)[0]


def test_what_was_started_ahead_serves_who_asks_first_and_only_once() -> None:
    start_ahead(WORKER, 2)
    waiting = [process.pid for process in child._ahead[WORKER]]
    asked = [start_child(WORKER) for _ in range(3)]
    assert {process.pid for process in asked[:2]} == set(waiting) and asked[2].pid not in waiting
    assert [answer(process, b"%d" % i) for i, process in enumerate(asked)] == [b"0", b"1", b"2"]


def test_no_more_wait_than_were_wanted() -> None:
    for wanted in (1, 2, 1):
        start_ahead(WORKER, wanted)
    asked = [start_child(WORKER) for _ in range(2)]
    assert not child._ahead[WORKER]
    assert [answer(process, b"me") for process in asked] == [b"me", b"me"]


def test_one_that_has_ended_meanwhile_serves_nobody() -> None:
    start_ahead(WORKER, 1)
    (dead,) = child._ahead[WORKER]
    dead.kill()
    dead.wait()
    assert answer(start_child(WORKER), b"here") == b"here"


def test_what_is_said_ahead_is_heard_first() -> None:
    start_ahead(WORKER, 2, b"first, ")
    assert [answer(start_child(WORKER), b"then") for _ in range(3)] == [b"first, then"] * 2 + [b"then"]


def test_one_that_nobody_asks_for_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_UNASKED", 0.1)
    start_ahead(WORKER, 2)
    asked, waiting = start_child(WORKER), child._ahead[WORKER][0]
    end = time.monotonic() + 20
    while waiting.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    assert waiting.returncode is not None and not child._ahead[WORKER]
    assert answer(asked, b"alive") == b"alive"


@pytest.mark.parametrize(
    "start", ["anmok.core.child import end_without as start", "anmok.data.loader import _start_worker as start"]
)
def test_a_parent_that_is_gone_already_is_missed(start: str) -> None:
    """Killed between starting a worker and the worker's first look."""
    more = ", 0" if "_start_worker" in start else ""
    script = f"import time; from {start}; start(2**22 + 1{more}); time.sleep(60); print('still there')"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, timeout=50, check=False)
    assert found.returncode == 1 and not found.stdout
