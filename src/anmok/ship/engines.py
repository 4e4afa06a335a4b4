"""What computes a graph: ONNX Runtime or OpenVINO, each imported only when it is asked.

OpenVINO's telemetry package is kept from being imported, so nothing can be sent. Both compute in float32 unless told
otherwise; OpenVINO by itself would take bfloat16 where the processor has it.

A batch goes through in pieces, one processor a piece: maps then stay in the processor's own cache, and no processor
waits for another. Measured on two cores, EfficientNet-Lite0 in bf16, milliseconds a picture of 224 × 224: in batches of
32 7, in pieces of eight 3.2, of four 3.1, of two 2.7, of one 2.4; in float32 5.7, 5.2, 4.8, 4.6 (before requests
were kept, which saves another half millisecond). Small pictures go many at a time, or asking would cost more than
computing.

That was on a processor with AMX. On one without (AMD EPYC, Zen 5), pictures a second one by one, in twos and in fours:
OpenVINO in bf16 500, 590 and 625, in float32 310, 348 and 349, ONNX Runtime 348, 359 and 326. So the processor says
how many. (The answers were the same to the bit.)

A graph for pieces of one size is quicker in bf16 than one for pieces of any size: 658 pictures a second in place of 605
(in turn in one process, n = 28; in float32 nothing), with the same answers to the bit. It is made where thousands of
pictures will come, and their last piece is filled up.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from anmok.core.errors import ArtefactError, UsageError
from anmok.core.processor import has_amx, processors
from anmok.ship.apart import Apart, start_engine_ahead
from anmok.ship.artefact import Graph
from anmok.ship.edges import in_three

PIECE = 3 * 224 * 224  # values of a picture of the usual size
Inputs = Mapping[str, np.ndarray]
Outputs = Mapping[str, np.ndarray]

# OpenVINO's Python layer makes something once, at a process's first inference, while it lets go of Python's lock: two
# threads there at once wait for each other for ever (seen with 2026.4). So the first inference is alone.
_FIRST, _BEGUN = threading.Lock(), threading.Event()


class Engine(Protocol):
    """A graph made ready. `label`: what computes, and in which numbers."""

    label: str

    def run(self, inputs: Inputs) -> Outputs:
        """The graph's inputs by name, one row a picture → its outputs, likewise."""


class InPieces:
    """Runs pieces of a batch side by side, in threads: engines release Python's lock while they compute.

    Args:
        together: pictures of 224 × 224 that one processor computes at once, or as much of others.
    """

    def __init__(
        self, infer: Callable[[Inputs], Sequence[np.ndarray]], names: Sequence[str], label: str, together: int
    ) -> None:
        self._infer, self._names, self.label, self._values = infer, tuple(names), label, PIECE * together
        self._threads = ThreadPoolExecutor(processors(), thread_name_prefix="anmok-engine")

    def run(self, inputs: Inputs) -> Outputs:
        """See `Engine`."""
        count = len(next(iter(inputs.values())))
        size = sum(values[0].size for values in inputs.values())
        each = min(_at_once(self._values, size), -(-count // processors()))
        pieces = [
            {name: values[start : start + each] for name, values in inputs.items()} for start in range(0, count, each)
        ]
        if len(pieces) == 1:
            return dict(zip(self._names, self._infer(inputs), strict=True))
        found = list(self._threads.map(self._infer, pieces))
        return {name: np.concatenate(parts) for name, *parts in zip(self._names, *found, strict=True)}


def _at_once(values: int, size: int) -> int:
    """Pictures of `size` values in a piece of at most so many values."""
    return max(1, values // size)


def onnxruntime_engine(graph: Graph, precision: str = "float32") -> Engine:
    """ONNX Runtime on the CPU, float32.

    Raises:
        UsageError: another kind of graph, or another precision.
        ArtefactError: it refuses the graph.
    """
    import onnxruntime

    if graph.onnx is None:
        raise UsageError("ONNX Runtime reads ONNX only", got="an OpenVINO graph", fix="pip install openvino")
    if precision != "float32":
        raise UsageError("ONNX Runtime computes in float32 here", got=precision, allowed="float32")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # nothing: errors are raised
    options.intra_op_num_threads = 1
    try:
        session = onnxruntime.InferenceSession(graph.onnx, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its exceptions share no base class
        raise _unusable("ONNX Runtime", error) from error
    names = [output.name for output in session.get_outputs()]
    return InPieces(lambda piece: session.run(None, dict(piece)), names, "ONNX Runtime, float32", 1 if has_amx() else 2)


def openvino_engine(graph: Graph, precision: str = "float32", thousands: bool = False) -> Engine:
    """OpenVINO on the CPU: float32, or bf16 in a process of its own (`anmok.ship.apart` says why).

    Args:
        precision: `float32` or `bf16`.
        thousands: so many pictures will come, many at a time; fewer are answered, too, and no sooner.

    Raises:
        UsageError: another precision, or bf16 on a processor without it.
        ArtefactError: it refuses the graph.
    """
    if precision not in ("float32", "bf16"):
        raise UsageError("OpenVINO computes in float32 or bf16 here", got=precision, allowed="float32, bf16")
    if precision == "float32":
        return openvino_here(graph, precision)
    maker = openvino_of_thousands if thousands else openvino_here
    return Apart(f"{__name__}:{maker.__name__}", graph, precision)


def expect_openvino(precision: str) -> None:
    """An `openvino_engine` will be asked for: what it takes to start one begins now, beside whatever comes first."""
    if precision == "bf16":
        start_engine_ahead(f"{__name__}:{openvino_module.__name__}")


def openvino_of_thousands(graph: Graph, precision: str) -> Engine:
    """OpenVINO in this process, for pieces of one size."""
    return openvino_here(graph, precision, thousands=True)


def openvino_here(graph: Graph, precision: str, thousands: bool = False) -> Engine:
    """OpenVINO in this process; see `openvino_engine`."""
    core = openvino_module().Core()
    if precision == "bf16" and "BF16" not in core.get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise UsageError("this processor has no bf16", allowed="float32")
    settings: dict[str, Any] = {"NUM_STREAMS": processors(), "INFERENCE_NUM_THREADS": processors()}

    def read() -> Any:
        return core.read_model(graph.onnx) if graph.onnx else core.read_model(graph.xml, graph.weights)

    together = 1 if has_amx() else 4

    def ready(part: Any, numbers: str) -> Any:
        return core.compile_model(part, "CPU", settings | {"INFERENCE_PRECISION_HINT": numbers})

    try:
        three = in_three(read) if precision == "bf16" else None
        hint = {"float32": "f32", "bf16": "bf16"}[precision]
        filled = 0
        if three:
            parts = list(map(ready, three, ("f32", hint, "f32")))
        else:
            whole = read()
            filled = _fix(whole, PIECE * together) if thousands else 0
            parts = [ready(whole, hint)]
        names = [output.get_any_name() for output in parts[-1].outputs]
    except RuntimeError as error:
        raise _unusable("OpenVINO", error) from error

    kept = threading.local()  # each thread's requests: making one for every piece took a third of the time

    def infer(piece: Inputs) -> Sequence[np.ndarray]:
        count = len(next(iter(piece.values())))
        values: Mapping[Any, np.ndarray] = _filled(piece, filled)  # by name; from one part to the next by place
        with nullcontext() if _BEGUN.is_set() else _FIRST:
            if not hasattr(kept, "requests"):
                kept.requests = [part.create_infer_request() for part in parts]
            for part, request in zip(parts, kept.requests, strict=True):
                found = request.infer(dict(values), share_inputs=True, share_outputs=True)
                values = {place: found[place] for place in range(len(part.outputs))}
            _BEGUN.set()
        return [value[:count].copy() for value in values.values()]  # the thread's next piece takes their place

    return InPieces(infer, names, f"OpenVINO, {precision}", together)


def _fix(model: Any, values: int) -> int:
    """Make a graph one for pieces of as many pictures as have so many values; how many those are, or 0 where the graph
    says of something else than their number that it may be any."""
    shapes = [list(entry.get_partial_shape()) for entry in model.inputs]
    if any(length.is_dynamic for shape in shapes for length in shape[1:]):
        return 0
    sizes = [[length.get_length() for length in shape[1:]] for shape in shapes]
    count = _at_once(values, sum(map(math.prod, sizes)))
    model.reshape({entry.any_name: [count, *size] for entry, size in zip(model.inputs, sizes, strict=True)})
    return count


def _filled(piece: Inputs, count: int) -> Inputs:
    """A piece of at least `count` rows, the last one repeated."""
    short = count - len(next(iter(piece.values())))
    if short <= 0:
        return piece
    return {name: np.concatenate([values, np.repeat(values[-1:], short, axis=0)]) for name, values in piece.items()}


def openvino_module() -> Any:
    """The package `openvino`, imported without its telemetry."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


ENGINES: Mapping[str, Callable[..., Engine]] = {"onnxruntime": onnxruntime_engine, "openvino": openvino_engine}


def installed() -> list[str]:
    """Names of the engines that this environment has, not yet imported."""
    return [name for name in ENGINES if find_spec(name) is not None]


def open_engine(graph: Graph, name: str | None = None, precision: str = "float32") -> Engine:
    """An engine that can compute `graph`: the one of this name, else the first installed that reads its kind.

    Raises:
        UsageError: no such engine, or it is not installed.
        ArtefactError: the engine refuses the graph.
    """
    if name is not None and name not in ENGINES:
        raise UsageError("there is no engine of this name", got=repr(name), allowed=", ".join(ENGINES))
    able = ["openvino"] if graph.kind == "openvino" else list(ENGINES)
    here = [engine for engine in able if engine in installed() and name in (None, engine)]
    if not here:
        wanted = name or " or ".join(able)
        raise UsageError(f"this model needs {wanted}, which is not installed", fix=f"pip install {name or able[0]}")
    return ENGINES[here[0]](graph, precision)


def _unusable(engine: str, error: Exception) -> ArtefactError:
    words = " ".join(str(error).split())[:300]
    return ArtefactError(f"{engine} cannot use the model's graph", got=words, fix="export the run again")
