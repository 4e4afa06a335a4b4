"""SIGTERM and Ctrl-C, taken between two steps so that what is saved is whole."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


class Interrupted(BaseException):
    """A signal asked the run to stop. No `Exception`, so that no task swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class Signals:
    """While entered, SIGTERM and SIGINT set `pending`; inside `interruptible` they raise `Interrupted` at once.

    A second Ctrl-C is not made to wait. Outside the main thread, where Python allows no handlers, it does nothing.
    """

    def __init__(self) -> None:
        self.pending: int | None = None
        self._open = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._handle)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler or signal.SIG_DFL)  # None: it was not set from Python
        self._before.clear()

    def _handle(self, number: int, frame: FrameType | None) -> None:
        if self.pending is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.pending = number
        if self._open:
            self._open = False
            raise Interrupted(number)

    def check(self) -> None:
        """Raise `Interrupted` if a signal came."""
        if self.pending is not None:
            raise Interrupted(self.pending)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A stretch that may be left anywhere, because what it does is repeated or undone."""
        self._open = True
        try:
            self.check()
            yield
        finally:
            self._open = False
