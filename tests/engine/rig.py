"""Trials that end in SIGKILL or a refusing disk, forked from one process that has already imported torch.

    python -m engine.rig FOLDER SEED KIND=COUNT …      (from tests/; prints one JSON object; COUNT 0: every call)

A fresh process runs the rig, because forking one whose torch has started threads may hang.
"""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch

from anmok.core.errors import UnwrittenError
from anmok.engine.checkpoint import Checkpoints

from .fake_task import PairTask, fingerprint, in_child, train

CALLS = ("open", "write", "fsync", "replace", "truncate")
ERRORS = {"ENOSPC": errno.ENOSPC, "EIO": errno.EIO, "EACCES": errno.EACCES, "EROFS": errno.EROFS}
HANG = 60.0  # seconds after which a trial counts as hung


def intercept(action: Callable[[int, Callable[..., Any], tuple[Any, ...]], None]) -> list[str]:
    """Call `action(number, call, arguments)` before each call that changes the disk, counted from 0; returns a log."""
    log: list[str] = []

    def wrap(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            log.append(name)
            action(len(log) - 1, real, arguments)
            return real(*arguments, **named)

        return call

    for name in CALLS:
        setattr(os, name, wrap(name, getattr(os, name)))
    return log


def main() -> None:
    folder, seed = Path(sys.argv[1]), int(sys.argv[2])
    torch.set_num_threads(1)
    os.fsync = lambda descriptor: None  # a killed process loses nothing that was written; only time is saved here
    train(folder / "reference")
    started = time.monotonic()
    train(folder / "again")
    seconds = time.monotonic() - started
    reference = fingerprint(folder / "reference")
    assert fingerprint(folder / "again") == reference, "two uninterrupted runs differ"
    trials = {
        "instants": _instants,
        "calls": _calls,
        "faults": _faults,
        "sigterm": _sigterm,
        "thrice": _thrice,
        "fulldisk": _fulldisk,
    }
    failed, done = [], 0
    for kind, count in (argument.split("=") for argument in sys.argv[3:]):
        for number, reason in trials[kind](folder, int(count), random.Random(seed), reference, seconds):
            done += 1
            failed += [f"{kind} {number}: {reason}"] if reason else []
    print(json.dumps({"trials": done, "failed": failed, "run_seconds": round(seconds, 2)}))


Reasons = Any  # an iterator of (trial, what went wrong or None)


def _instants(folder: Path, count: int, chance: random.Random, reference: dict[str, str], seconds: float) -> Reasons:
    """Kill at a random instant, up to three times a run, then let it end."""
    for number in range(count):
        path = folder / f"instant{number}"
        for attempt in range(chance.randint(1, 3)):
            _killed_after(path, chance.random() * seconds, resume=attempt > 0)
        yield number, _ends_like(path, reference)


def _thrice(folder: Path, count: int, chance: random.Random, reference: dict[str, str], seconds: float) -> Reasons:
    """Kill three times within the same epoch, at three batches of it."""
    for number in range(count):
        path, epoch = folder / f"thrice{number}", chance.randint(0, 1)
        for attempt, batch in enumerate(sorted(chance.sample(range(4), 3))):
            in_child(partial(_die_at, path, epoch, batch, resume=attempt > 0))
        yield number, _ends_like(path, reference, checkpoint_steps=1, compare=("end", "results", "best", "samples"))


def _calls(folder: Path, count: int, chance: random.Random, reference: dict[str, str], seconds: float) -> Reasons:
    """Kill before one call that changes the disk: before each of them, or before `count` of them."""
    for number in _some(_calls_of_a_run(folder), count, chance):
        path = folder / f"call{number}"
        in_child(lambda p=path, k=number: (intercept(lambda n, *_: n == k and _die()), train(p)))
        yield number, _ends_like(path, reference)


def _faults(folder: Path, count: int, chance: random.Random, reference: dict[str, str], seconds: float) -> Reasons:
    """Refuse one call that changes the disk; the run must fail, keep its last good checkpoint, and resume."""
    for number in _some(_calls_of_a_run(folder), count, chance):
        for name, code in ERRORS.items() if count == 0 else [chance.choice(list(ERRORS.items()))]:
            path = folder / f"fault{number}{name}"
            status = in_child(lambda p=path, k=number, c=code: _refused(p, k, c))
            if status != 3:
                yield number, f"{name} ended the run with {status}, not with UnwrittenError"
                continue
            numbers = Checkpoints(path / "state").numbers()
            if numbers:
                Checkpoints(path / "state").read(numbers[-1])  # the newest listed one passes its digests
            yield number, _ends_like(path, reference)


def _fulldisk(folder: Path, count: int, chance: random.Random, reference: dict[str, str], seconds: float) -> Reasons:
    """Fill the disk (FOLDER must be a small file system of its own) so that a run meets its end in mid-save."""
    in_child(lambda: train(folder / "whole"))
    needed = sum(file.stat().st_size for file in (folder / "whole").rglob("*"))
    filler = folder / "filler"
    for number in range(count):
        path, room = folder / f"full{number}", int(needed * chance.uniform(0.1, 0.9))
        filler.write_bytes(bytes(shutil.disk_usage(folder).free - room))
        status = in_child(lambda p=path: _refused(p, -1, errno.ENOSPC))
        filler.unlink()
        yield number, None if status == 3 else f"a full disk ended the run with {status}, not with UnwrittenError"
        yield number, _ends_like(path, reference)


def _sigterm(folder: Path, count: int, chance: random.Random, reference: dict[str, str], seconds: float) -> Reasons:
    """SIGTERM at a random instant: 143 once the run has begun, and an exact resume."""
    for number in range(count):
        path = folder / f"sigterm{number}"
        pid = _start(path, resume=False)
        time.sleep(0.1 + chance.random() * seconds)
        os.kill(pid, signal.SIGTERM)
        status = _wait(pid)
        yield number, None if status in (143, 0) else f"exit status {status}"
        # Its own save comes between the regular ones: the last but one checkpoint may be of another step.
        yield number, _ends_like(path, reference, compare=("end", "results", "best", "last", "samples"))


def _refused(path: Path, number: int, code: int) -> None:
    def refuse(n: int, call: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        if n == number:
            if call.__name__ == "write":  # part of it still fits
                call(arguments[0], bytes(arguments[1])[: len(arguments[1]) // 2])
            raise OSError(code, os.strerror(code))

    intercept(refuse)
    try:
        train(path)
    except UnwrittenError as error:
        assert errno.errorcode[code] in str(error), error
        raise SystemExit(3) from None


def _calls_of_a_run(folder: Path) -> int:
    log = folder / "calls.json"

    def count() -> None:
        calls = intercept(lambda *_: None)
        train(folder / "counted")
        log.write_text(json.dumps(len(calls)))

    if not log.exists():
        assert in_child(count) == 0
    return int(log.read_text())


def _some(total: int, count: int, chance: random.Random) -> list[int]:
    return list(range(total)) if count == 0 else sorted(chance.sample(range(total), count))


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _die_at(path: Path, epoch: int, number: int, *, resume: bool) -> None:
    task = PairTask()  # made in the child: Python reseeds `random` in a forked one
    real = task.batches.epoch

    def batches(at: int, start: int = 0) -> Any:
        for index, batch in enumerate(real(at, start), start):
            if (at, index) == (epoch, number):
                _die()
            yield batch

    task.batches.epoch = batches  # type: ignore[method-assign]
    train(path, resume=resume, task=task, checkpoint_steps=1)


def _start(path: Path, *, resume: bool) -> int:
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            train(path, resume=resume)
            status = 0
        except SystemExit as stop:
            status = int(stop.code or 0)
        finally:
            os._exit(status)
    return pid


def _wait(pid: int) -> int:
    end = time.monotonic() + HANG
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return -999


def _killed_after(path: Path, seconds: float, *, resume: bool) -> None:
    pid = _start(path, resume=resume)
    time.sleep(seconds)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def _ends_like(
    path: Path, reference: dict[str, str], compare: tuple[str, ...] | None = None, **options: Any
) -> str | None:
    """Resume to the end; what differs from the uninterrupted run, if anything."""
    if in_child(lambda: train(path, resume=True, **options)) != 0:
        return "could not be resumed"
    found = fingerprint(path)
    shutil.rmtree(path)
    differing = [name for name in compare or reference if found[name] != reference[name]]
    return f"{', '.join(differing)} differ" if differing else None


if __name__ == "__main__":
    main()
