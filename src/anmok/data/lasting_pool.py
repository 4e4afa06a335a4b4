"""A decoding pool that outlasts the question, so that asking about one picture after the other starts its workers once.

One pool waits here, the one used last, for at most `IDLE` seconds; the interpreter's end ends it too.
"""

from __future__ import annotations

import atexit
import os
import pickle
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from anmok.core.seen import Seen
from anmok.core.types import Pictures
from anmok.data.decoding import DecodingPool

IDLE = 30.0  # seconds that workers wait for another question: starting them takes a quarter of one


@contextmanager
def lasting_pool(pictures: Pictures, seen: Seen) -> Iterator[DecodingPool]:
    """A `DecodingPool` of these arguments: the one that waits, if it is such a one, else a new one.

    After the block it waits for the next question. Where the block ended early or failed, its workers end.
    """
    if getattr(pictures, "in_memory", False):  # no workers, and too large to be compared
        with DecodingPool(pictures, seen) as pool:
            yield pool
        return
    key = pickle.dumps((pictures, seen))
    pool = _WAITING.take(key) or DecodingPool(pictures, seen)
    try:
        yield pool
    except BaseException:
        pool.close()
        raise
    _WAITING.put(key, pool)


class _Waiting:
    """Room for one pool."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._held: tuple[int, bytes, DecodingPool] | None = None
        self._clock: threading.Timer | None = None

    def take(self, key: bytes) -> DecodingPool | None:
        """The waiting pool if it is of this key and of this process; it is then the caller's."""
        with self._lock:
            if self._held is None or self._held[:2] != (os.getpid(), key):
                return None
            pool, self._held = self._held[2], None
            self._stop_clock()
        return pool

    def put(self, key: bytes, pool: DecodingPool) -> None:
        """Let a pool wait in place of the one before, which ends."""
        with self._lock:
            before, self._held = self._held, (os.getpid(), key, pool)
            self._stop_clock()
            self._clock = threading.Timer(IDLE, self.end, [pool])
            self._clock.daemon = True
            self._clock.start()
        if before is not None:
            before[2].close()

    def end(self, only: DecodingPool | None = None) -> None:
        """End the pool that waits; `only`: if it is this one."""
        with self._lock:
            if self._held is None or only not in (None, self._held[2]):
                return
            pool, self._held = self._held[2], None
            self._stop_clock()
        pool.close()

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
        self._clock = None


_WAITING = _Waiting()
atexit.register(_WAITING.end)
