"""An engine in a process of its own: whatever happens to it costs that process and no more.

OpenVINO computes in bf16 more than twice as fast as in float32. But on processors with AMX, a process in which it has
done so may end with a segmentation fault at the next signal with a Python handler: Ctrl-C, or the end of a loading
worker (seen with OpenVINO 2026.4 and Linux 6.18; nothing can be caught, it strikes while the kernel writes or reads
the interrupted thread's registers). In a process that has no handlers and no children there is nothing to strike.
Pictures go there and outputs come back by pipe, which costs this process 0.04 ms a picture of 224 × 224. Outputs of
megabytes come back in memory that both processes see, where the system has it (Linux): probabilities of eleven classes
for 512 × 512 pixels took 30 ms by pipe, a fifth of the whole.

Whoever has several threads ask finds the process busy without a pause: a question arrives while the one before is being
answered. (Between one batch of 32 and the next it used to wait a tenth of the time.)
"""

from __future__ import annotations

import io
import json
import math
import mmap
import os
import struct
import subprocess
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from importlib import import_module
from itertools import cycle
from queue import SimpleQueue
from typing import IO, Any

import numpy as np

from anmok.core.child import die_with_parent, private_pipes, start_ahead, start_child
from anmok.core.errors import AnmokError, ArtefactError, UsageError
from anmok.ship.artefact import Graph
from anmok.ship.container import IR_GRAPH, IR_WEIGHTS, ONNX_GRAPH

_HEAD = struct.Struct("<Q")  # bytes of JSON
_LARGE = 1 << 20  # bytes of outputs from which the pipe is spared
_ALIGNED = 64  # bytes: where an array may begin
_PATIENCE = 60.0  # seconds for an answer that takes a tenth of one
_UNDER_WAY = 2  # questions: one that is being answered, one that arrives
Arrays = dict[str, np.ndarray]


class EngineLostError(AnmokError):
    """The process ended; nothing more comes from it."""


class Room:
    """Memory that two processes see, as large as was last needed.

    Args:
        number: of an open file that lives in memory, in this process.
    """

    def __init__(self, number: int) -> None:
        self.number, self._seen = number, mmap.mmap(-1, 1)

    @classmethod
    def new(cls) -> Room | None:
        """None where the system has no such files."""
        try:
            return cls(os.memfd_create("anmok", os.MFD_CLOEXEC))
        except (AttributeError, OSError):
            return None

    @classmethod
    def of(cls, process: int, number: int | None) -> Room | None:
        """The room that has this number in another process of the same person; None where it cannot be had."""
        try:
            return None if number is None else cls(os.open(f"/proc/{process}/fd/{number}", os.O_RDWR))
        except OSError:
            return None

    def bytes(self, size: int) -> np.ndarray:
        """Its first bytes, uint8 (size,): what the other process writes is read here."""
        if len(self._seen) < size:
            if os.fstat(self.number).st_size < size:
                os.ftruncate(self.number, size)
            self._seen = mmap.mmap(self.number, size)
        return np.frombuffer(self._seen, np.uint8, size)


class Apart:
    """An `Engine` that computes in a child process, which lives as long as this object.

    Args:
        maker: of the engine, `module:function`, called there with the graph and `precision`.

    Raises:
        UsageError, ArtefactError: as the maker raises them.
        EngineLostError: the process does not start.
    """

    def __init__(self, maker: str, graph: Graph, precision: str) -> None:
        self._asking, self._under_way = threading.Lock(), threading.Semaphore(_UNDER_WAY)
        self._latest = threading.Event()  # set once the latest question's answer is here, or will never be
        self._latest.set()
        self._rooms = [Room.new() for _ in range(_UNDER_WAY)]  # an answer may still be read while the next is written
        self._room = cycle(self._rooms)
        self._process = start_child(__name__)
        weakref.finalize(self, _end, self._process, self._rooms)
        numbers = [room and room.number for room in self._rooms]
        order = {"maker": maker, "precision": precision, "process": os.getpid(), "rooms": numbers}
        members = {name: np.frombuffer(content, np.uint8) for name, content in graph.members().items()}
        with self._patience() as (requests, answers):
            _send(requests, order, members)
            told, _ = _receive(answers)
        if "refused" in told:
            kind = ArtefactError if told["kind"] == ArtefactError.__name__ else UsageError
            raise kind(told["refused"])
        self.label = str(told["label"])

    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """See `anmok.ship.engines.Engine`. Raises `EngineLostError`."""
        here = threading.Event()
        with self._under_way, self._patience() as (requests, answers):
            try:
                with self._asking:
                    before, self._latest = self._latest, here
                    room = next(self._room)
                    _send(requests, {}, inputs)
                before.wait()  # answers come in the order of the questions
                return _receive(answers, room)[1]
            finally:
                here.set()

    @contextmanager
    def _patience(self) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
        """The pipes to the process and from it; it is ended where it fails, or takes too long."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        end = threading.Timer(_PATIENCE, process.kill)
        end.daemon = True
        end.start()
        try:
            yield process.stdin, process.stdout
        except (OSError, EOFError, ValueError) as error:
            process.kill()
            how = f"exit code {process.wait()}"
            raise EngineLostError("the process that computed has ended", got=how) from error
        except BaseException:  # Ctrl-C in a notebook: the answer that nobody took would be taken for the next one's
            process.kill()
            raise
        finally:
            end.cancel()


def start_engine_ahead(first: str) -> None:
    """Start the process of the next `Apart`, which calls `first`, `module:function`, before it is told what to make:
    to import what it will need takes as long as making a graph here."""
    told = io.BytesIO()
    _send(told, {"first": first}, {})
    start_ahead(__name__, 1, told.getvalue())


def main() -> None:
    """The child: make the engine ready, then answer until standard input ends."""
    requests, answers = private_pipes()
    die_with_parent()
    with suppress(EOFError):
        order, members = _receive(requests)
        if "first" in order:
            with suppress(ImportError):  # the maker will say so
                _named(order["first"])()
            order, members = _receive(requests)
        _answer(order, members, requests, answers)


def _answer(order: Mapping[str, Any], members: Arrays, requests: IO[bytes], answers: IO[bytes]) -> None:
    parts = {name: members[name].tobytes() if name in members else None for name in (ONNX_GRAPH, IR_GRAPH, IR_WEIGHTS)}
    try:
        engine = _named(order["maker"])(Graph(*parts.values()), order["precision"])
    except (AnmokError, ImportError) as error:
        _send(answers, {"refused": getattr(error, "what", str(error)), "kind": type(error).__name__}, {})
        return
    _send(answers, {"label": engine.label}, {})
    under_way: SimpleQueue[Future[Mapping[str, np.ndarray]]] = SimpleQueue()
    rooms = [Room.of(order["process"], number) for number in order["rooms"]]
    threading.Thread(target=_send_all, args=(under_way, answers, rooms), name="anmok-answers", daemon=True).start()
    with ThreadPoolExecutor(_UNDER_WAY, thread_name_prefix="anmok-questions") as threads:
        while True:
            under_way.put(threads.submit(engine.run, _receive(requests)[1]))


def _send_all(
    under_way: SimpleQueue[Future[Mapping[str, np.ndarray]]], answers: IO[bytes], rooms: Sequence[Room | None]
) -> None:
    """Answers in the order of the questions. One that fails ends the process, by which the asker knows."""
    for room in cycle(rooms):
        try:
            _send(answers, {}, under_way.get().result(), room)
        except BaseException:
            os._exit(1)


def _named(function: str) -> Callable[..., Any]:
    module, _, name = function.partition(":")
    return getattr(import_module(module), name)  # type: ignore[no-any-return]


def _send(pipe: IO[bytes], note: Mapping[str, Any], arrays: Mapping[str, np.ndarray], room: Room | None = None) -> None:
    """One message: plain values, and arrays by name, in the room where there is one and they are large."""
    whole = {name: np.ascontiguousarray(values) for name, values in arrays.items()}
    shapes = [[name, values.dtype.str, values.shape] for name, values in whole.items()]
    large = room is not None and sum(values.nbytes for values in whole.values()) >= _LARGE
    if large:
        assert room is not None
        _place(room, whole)
    text = json.dumps({"note": note, "arrays": shapes, "in_room": large}).encode()
    pipe.write(_HEAD.pack(len(text)) + text)
    for values in () if large else whole.values():
        pipe.write(values.reshape(-1).view(np.uint8).data)
    pipe.flush()


def _place(room: Room, arrays: Mapping[str, np.ndarray]) -> None:
    parts = [values.reshape(-1).view(np.uint8) for values in arrays.values()]
    starts = _starts([len(part) for part in parts])
    place = room.bytes(starts[-1])
    for part, start in zip(parts, starts, strict=False):
        place[start : start + len(part)] = part


def _starts(sizes: Sequence[int]) -> list[int]:
    """Where arrays of so many bytes begin, one after the other, and where the last one ends."""
    starts = [0]
    for size in sizes:
        starts.append(-(-(starts[-1] + size) // _ALIGNED) * _ALIGNED)
    return starts


def _receive(pipe: IO[bytes], room: Room | None = None) -> tuple[dict[str, Any], Arrays]:
    """The next message. Raises `EOFError` where there is none."""
    (length,) = _HEAD.unpack(_read(pipe, _HEAD.size))
    told = json.loads(bytes(_read(pipe, length)))
    sizes = [np.dtype(kind).itemsize * math.prod(shape) for _, kind, shape in told["arrays"]]
    starts = _starts(sizes)
    arrays = {}
    for (name, kind, shape), size, start in zip(told["arrays"], sizes, starts, strict=False):
        if told["in_room"]:
            assert room is not None
            content: Any = room.bytes(starts[-1])[start : start + size].copy()  # the next answer takes its place
        else:
            content = _read(pipe, size)
        arrays[name] = np.frombuffer(content, kind).reshape(shape)
    return told["note"], arrays


def _read(pipe: IO[bytes], length: int) -> bytearray:
    buffer = bytearray(length)
    view = memoryview(buffer)
    while view:
        count = pipe.readinto(view)  # type: ignore[attr-defined]
        if not count:
            raise EOFError
        view = view[count:]
    return buffer


def _end(process: subprocess.Popen[bytes], rooms: Sequence[Room | None]) -> None:
    process.kill()
    process.wait()
    for room in rooms:
        if room is not None:
            os.close(room.number)
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
