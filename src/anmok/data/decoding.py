"""A pool of killable decoding workers: a picture that crashes or stalls its decoder costs that picture and no more.

Workers are plain subprocesses of the interpreter, neither forked nor made by `multiprocessing`: forking a process in
which torch has started threads can deadlock, and multiprocessing's spawn imports the user's script again, and torch
with it, in each worker (and fails where the script lacks its `__main__` guard). This way a worker starts in 0.2
to 0.4 s and holds 33 MB (measured on 2 cores), on every platform alike. Pixels come back through pipes, so `/dev/shm`
is not needed; at 1 GB/s, against some 5 ms for decoding a photograph, that costs about 3 % (measured).

A worker that dies or exceeds the time limit is replaced, and the picture it held is tried once more by its successor,
because it may have been killed from outside. After the second failure the picture is answered by a `PictureError` that
names the signal or the limit. Every locator is answered exactly once, in order.
"""

from __future__ import annotations

import math
import os
import pickle
import queue
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.pictures import Decoded
from anmok.core.preparation import Preparation
from anmok.core.processor import processors
from anmok.core.seen import Seen
from anmok.core.types import Pictures
from anmok.data.decoding_process import WorkerProcess
from anmok.data.decoding_worker import decode_one
from anmok.data.records import Layout

TIMEOUT = 20.0  # seconds for one picture
_CHUNK_BYTES, _LONGEST_CHUNK = 4 << 20, 16


class Answer(NamedTuple):
    """One picture of `decode_many`: `position` in the locators, the pixels or why there are none, notes."""

    position: int
    pixels: np.ndarray | PictureError
    notes: tuple[str, ...]


def decode_many(
    pictures: Pictures,
    locators: Sequence[str | int],
    preparation: Preparation | Seen | Layout | None,
    *,
    workers: int | None = None,
    timeout: float = TIMEOUT,
) -> Iterator[Answer]:
    """Decode and fit pictures in order, a bounded number ahead; see `DecodingPool` for the arguments."""
    with DecodingPool(pictures, preparation, workers=workers, timeout=timeout) as pool:
        for position, found in enumerate(pool.map(locators)):
            if isinstance(found, PictureError):
                yield Answer(position, found, ())
            else:
                yield Answer(position, found.pixels, found.notes)


class DecodingPool:
    """Decodes in worker processes, which start with the first pictures and live until `close`.

    Args:
        pictures: where the pixels come from; pickled to the workers, so its class must be importable there. Stores
            that are `in_memory` are read in this process, as nothing in them needs decoding.
        preparation: how to fit what was decoded, and what to store with it; None leaves pictures as they are.
        workers: number of processes; None takes one a processor. 0 decodes in this process, without protection
            from crashes and stalls.
        timeout: seconds that one picture may take.
    """

    def __init__(
        self,
        pictures: Pictures,
        preparation: Preparation | Seen | Layout | None,
        *,
        workers: int | None = None,
        timeout: float = TIMEOUT,
    ) -> None:
        self._pictures, self._preparation = pictures, preparation
        self._count = processors() if workers is None else workers
        if getattr(pictures, "in_memory", False):
            self._count = 0
        self._workers: list[WorkerProcess] = []
        self._owner = os.getpid()
        self._stop = threading.Event()
        if not self._count:
            return
        setup = pickle.dumps((pictures, preparation, timeout))
        self._workers = [WorkerProcess(setup, timeout) for _ in range(self._count)]
        self._idle: queue.LifoQueue[WorkerProcess] = queue.LifoQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(self._count, thread_name_prefix="anmok-decoding")
        # Holds the workers, not the pool: a forgotten pool can be collected, and then closes.
        threading.Thread(target=_watch, args=(self._workers, self._stop), daemon=True).start()

    def map(self, locators: Sequence[str | int]) -> Iterator[Decoded | PictureError]:
        """One answer a locator, in order. Decodes ahead of the reader by a few chunks and no further.

        Raises:
            AnmokError: workers cannot be started at all.
        """
        if not self._count:
            yield from (decode_one(self._pictures, locator, self._preparation) for locator in locators)
            return
        pending: deque[Future[list[Decoded | PictureError]]] = deque()
        chunk, start = self._chunk(len(locators)), 0
        try:
            while pending or start < len(locators):
                while start < len(locators) and len(pending) <= 2 * self._count:
                    pending.append(self._threads.submit(self._run, locators[start : start + chunk]))
                    start += chunk
                yield from pending.popleft().result()
        finally:
            for future in pending:
                future.cancel()

    def _chunk(self, total: int) -> int:
        """Locators sent at once: many small pictures, few large ones, and something for every worker."""
        size = math.prod(self._preparation.shape) if self._preparation else _CHUNK_BYTES
        share = -(-total // self._count)
        return max(1, min(_CHUNK_BYTES // size, _LONGEST_CHUNK, share))

    def _run(self, locators: Sequence[str | int]) -> list[Decoded | PictureError]:
        worker = self._idle.get()
        try:
            return worker.decode(locators)
        finally:
            self._idle.put(worker)

    def close(self) -> None:
        """End the workers at once. Answers not yet read are lost."""
        self._end(wait=True)

    def _end(self, *, wait: bool) -> None:
        workers, self._workers = self._workers, []
        if not workers or self._owner != os.getpid():  # after a fork they remain the parent's
            return
        self._stop.set()
        for worker in workers:
            worker.close()
        self._threads.shutdown(wait=wait, cancel_futures=True)

    def __enter__(self) -> DecodingPool:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_stop"):
            self._end(wait=False)


def _watch(workers: Sequence[WorkerProcess], stop: threading.Event) -> None:
    while not stop.wait(0.1):
        for worker in workers:
            worker.kill_if_late()
