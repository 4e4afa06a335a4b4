"""The parent's end of a decoding worker: start, ask, wait with a limit, bury, start again."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from anmok.core.child import start_child
from anmok.core.errors import AnmokError, PictureError
from anmok.core.pictures import Decoded
from anmok.data.decoding_worker import FRAME, REQUEST

_START_LIMIT = 60.0  # seconds until a new worker must have said that it is ready
_TRIES = 2


class DecoderLostError(PictureError):
    """The picture's decoder crashed or ran out of time, each time it was tried."""


class _WorkerLostError(Exception):
    """The process ended before it answered; says how."""


class WorkerProcess:
    """One worker process, which is started when needed and again after each death.

    Used by one thread at a time; only `kill_if_late` and `close` are called from others.
    """

    def __init__(self, setup: bytes, timeout: float) -> None:
        self._setup, self._timeout = setup, timeout
        self._process: subprocess.Popen[bytes] | None = None
        self._deadline = math.inf
        self._late = False
        self._closed = False
        self._lock = threading.Lock()  # between starting a process and closing

    def decode(self, locators: Sequence[str | int]) -> list[Decoded | PictureError]:
        """One answer a locator, in order. Raises `AnmokError` where no worker can be started."""
        answers: list[Decoded | PictureError] = []
        failures = 0
        at_once = len(locators)
        while len(answers) < len(locators):
            process = self._started()
            asked = locators[len(answers) : len(answers) + at_once]
            try:
                self._send(process, pickle.dumps(asked))
                for _ in asked:
                    answers.append(self._receive(process))
                    failures = 0
            except _WorkerLostError as cause:
                if self._closed:
                    raise AnmokError("the decoding pool was closed") from cause
                # Answers are buffered in the worker, so only a picture asked for alone is known to be the culprit.
                failures += len(asked) == 1
                at_once = 1
                if failures == _TRIES:
                    answers.append(self._verdict(locators[len(answers)], cause))
                    failures = 0
        return answers

    def kill_if_late(self) -> None:
        """End the process if its answer is overdue; the reader of its pipe then learns that it died."""
        process = self._process
        if process is not None and time.monotonic() > self._deadline:
            self._late, self._deadline = True, math.inf
            process.kill()

    def close(self) -> None:
        """End the process for good."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def _verdict(self, locator: str | int, cause: _WorkerLostError) -> DecoderLostError:
        fix = "the file is probably damaged: save it again with another program, or remove it"
        return DecoderLostError(f"{cause}, {_TRIES} times", path=str(locator), fix=fix)

    def _started(self) -> subprocess.Popen[bytes]:
        for attempt in itertools.count(1):
            if self._process is not None:
                return self._process
            self._late = False
            with self._lock:
                if self._closed:
                    raise AnmokError("the decoding pool was closed")
                process = self._process = start_child("anmok.data.decoding_worker")
            try:
                self._send(process, self._setup)
                self._receive_frame(process, _START_LIMIT)
            except _WorkerLostError as cause:
                if attempt == 3:
                    fix = f"`{sys.executable} -c 'import anmok.data.decoding_worker'` to see why"
                    raise AnmokError(f"decoding workers do not start: {cause}", fix=fix) from cause
        raise AssertionError("unreachable")

    def _send(self, process: subprocess.Popen[bytes], body: bytes) -> None:
        assert process.stdin is not None
        try:
            process.stdin.write(REQUEST.pack(len(body)) + body)
            process.stdin.flush()
        except OSError:
            raise self._lost(process) from None

    def _receive(self, process: subprocess.Popen[bytes]) -> Decoded | PictureError:
        header, pixels = self._receive_frame(process, self._timeout)
        if "error" in header:
            return PictureError(**header["error"])
        notes, (height, width) = tuple(map(str, header["notes"])), header["size"]
        array = np.frombuffer(pixels, dtype=np.uint8).reshape(header["shape"])
        return Decoded(array, notes, (int(height), int(width)), int(header["channels"]))

    def _receive_frame(self, process: subprocess.Popen[bytes], limit: float) -> tuple[dict[str, Any], bytearray]:
        self._deadline = time.monotonic() + limit
        head = self._read(process, FRAME.size)
        text_length, pixel_length = FRAME.unpack(head)
        header = json.loads(self._read(process, text_length))
        pixels = self._read(process, pixel_length)
        self._deadline = math.inf
        if "fatal" in header:
            self._lost(process)
            fix = "define its class in a module that can be imported, not in a script or notebook"
            raise AnmokError("the picture store cannot be sent to decoding workers", got=header["fatal"], fix=fix)
        return header, pixels

    def _read(self, process: subprocess.Popen[bytes], length: int) -> bytearray:
        assert process.stdout is not None
        buffer = bytearray(length)
        view = memoryview(buffer)
        while view:
            count = process.stdout.readinto(view)  # type: ignore[attr-defined]
            if not count:
                raise self._lost(process)
            view = view[count:]
        return buffer

    def _lost(self, process: subprocess.Popen[bytes]) -> _WorkerLostError:
        """Bury the process and say how it ended."""
        self._deadline = math.inf
        process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # what was still buffered cannot be delivered
                    pipe.close()
        self._process = None
        if self._late:
            return _WorkerLostError(f"decoding it took longer than {self._timeout:g} s")
        if code < 0:
            return _WorkerLostError(f"its decoder crashed with signal {-code} ({_signal_name(-code)})")
        return _WorkerLostError(f"its decoder ended with exit code {code}")


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "unknown"
