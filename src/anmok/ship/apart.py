"""An engine in a process of its own: whatever happens to it costs that process and no more.

OpenVINO computes in bf16 more than twice as fast as in float32. But on processors with AMX, a process in which it has
done so may end with a segmentation fault at the next signal with a Python handler: Ctrl-C, or the end of a loading
worker (seen with OpenVINO 2026.4 and Linux 6.18; nothing can be caught, it strikes while the kernel writes or reads
the interrupted thread's registers). In a process that has no handlers and no children there is nothing to strike.
Pictures go there and outputs come back by pipe, which costs this process 0.04 ms a picture of 224 × 224. Outputs of
megabytes come back in memory that both processes see, where the system has it (Linux): probabilities of eleven classes
for 512 × 512 pixels took 30 ms by pipe, a fifth of the whole.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import struct
import subprocess
import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from typing import IO, Any

import numpy as np

from anmok.core.child import die_with_parent, private_pipes, start_child
from anmok.core.errors import AnmokError, ArtefactError, UsageError
from anmok.ship.artefact import Graph
from anmok.ship.container import IR_GRAPH, IR_WEIGHTS, ONNX_GRAPH

_HEAD = struct.Struct("<Q")  # bytes of JSON
_LARGE = 1 << 20  # bytes of outputs from which the pipe is spared
_ALIGNED = 64  # bytes: where an array may begin
_PATIENCE = 60.0  # seconds for an answer that takes a tenth of one


class EngineLostError(AnmokError):
    """The process ended; nothing more comes from it."""


class Room:
    """Memory that two processes see, as large as was last needed.

    Args:
        number: of an open file that lives in memory.
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
        graph: or what makes it here, while the process starts.
        first: called there meanwhile, `module:function` too; what it imports will be needed.

    Raises:
        UsageError, ArtefactError: as the maker raises them.
        EngineLostError: the process does not start.
    """

    def __init__(
        self, maker: str, graph: Graph | Callable[[], Graph], precision: str, first: str | None = None
    ) -> None:
        self._lock = threading.Lock()  # one question at a time
        self._room = Room.new()
        self._process = start_child(__name__, [self._room.number] if self._room else [])
        weakref.finalize(self, _end, self._process, self._room)
        assert self._process.stdin is not None
        with suppress(OSError):  # then the next message says so
            _send(self._process.stdin, {"first": first}, {})
        made = graph if isinstance(graph, Graph) else graph()
        members = {name: np.frombuffer(content, np.uint8) for name, content in made.members().items()}
        told, _ = self._asked(
            {"maker": maker, "precision": precision, "room": self._room and self._room.number}, members
        )
        if "refused" in told:
            kind = ArtefactError if told["kind"] == ArtefactError.__name__ else UsageError
            raise kind(told["refused"])
        self.label = str(told["label"])

    def run(self, inputs: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        """See `anmok.ship.engines.Engine`. Raises `EngineLostError`."""
        with self._lock:
            return self._asked({}, inputs)[1]

    def _asked(
        self, note: Mapping[str, Any], arrays: Mapping[str, np.ndarray]
    ) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        end = threading.Timer(_PATIENCE, process.kill)
        end.daemon = True
        end.start()
        try:
            _send(process.stdin, note, arrays)
            return _receive(process.stdout, self._room)
        except (OSError, EOFError, ValueError) as error:
            process.kill()
            how = f"exit code {process.wait()}"
            raise EngineLostError("the process that computed has ended", got=how) from error
        finally:
            end.cancel()


def main() -> None:
    """The child: make the engine ready, then answer until standard input ends."""
    requests, answers = private_pipes()
    die_with_parent()
    first = _receive(requests)[0]["first"]
    if first is not None:
        with suppress(ImportError):  # the maker will say so
            _named(first)()
    note, members = _receive(requests)
    parts = {name: members[name].tobytes() if name in members else None for name in (ONNX_GRAPH, IR_GRAPH, IR_WEIGHTS)}
    try:
        engine = _named(note["maker"])(Graph(*parts.values()), note["precision"])
    except (AnmokError, ImportError) as error:
        _send(answers, {"refused": getattr(error, "what", str(error)), "kind": type(error).__name__}, {})
        return
    _send(answers, {"label": engine.label}, {})
    room = None if note["room"] is None else Room(note["room"])
    with suppress(EOFError):
        while True:
            _, asked = _receive(requests)
            _send(answers, {}, engine.run(asked), room)


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


def _receive(pipe: IO[bytes], room: Room | None = None) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
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


def _end(process: subprocess.Popen[bytes], room: Room | None) -> None:
    process.kill()
    process.wait()
    if room is not None:
        os.close(room.number)
    for pipe in (process.stdin, process.stdout):
        with suppress(OSError):
            if pipe is not None:
                pipe.close()
