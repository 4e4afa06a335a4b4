"""What computes a graph: ONNX Runtime or OpenVINO, each imported only when it is asked.

OpenVINO's telemetry package is kept from being imported, so nothing can be sent. Both compute in float32 unless told
otherwise; OpenVINO by itself would take bfloat16 where the processor has it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from typing import Any, Protocol

import numpy as np

from anmok.core.errors import ArtefactError, UsageError
from anmok.ship.artefact import INPUT, Graph

PRECISIONS = ("float32", "bf16")


class Engine(Protocol):
    """A graph made ready."""

    def run(self, pictures: np.ndarray) -> Mapping[str, np.ndarray]:
        """uint8 (N, S, S, C) → outputs by name, float32, one row a picture. Safe to call from several threads."""


class OnnxRuntime:
    """ONNX Runtime on the CPU, float32."""

    def __init__(self, graph: Graph, precision: str = "float32", threads: int | None = None) -> None:
        import onnxruntime

        if graph.onnx is None:
            raise UsageError("ONNX Runtime reads ONNX only", got="an OpenVINO graph", fix="pip install openvino")
        if precision != "float32":
            raise UsageError("ONNX Runtime computes in float32 here", got=precision, allowed="float32")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # errors only
        options.intra_op_num_threads = threads or 0
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # decoding shares the cores
        try:
            self._session = onnxruntime.InferenceSession(graph.onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # its exceptions share no base class
            raise _unusable("ONNX Runtime", error) from error
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, pictures: np.ndarray) -> Mapping[str, np.ndarray]:
        """See `Engine`."""
        return dict(zip(self._names, self._session.run(None, {INPUT: pictures}), strict=True))


class OpenVino:
    """OpenVINO on the CPU, float32 or bf16."""

    def __init__(self, graph: Graph, precision: str = "float32", threads: int | None = None) -> None:
        openvino = openvino_module()
        settings: dict[str, Any] = {
            "INFERENCE_PRECISION_HINT": {"float32": "f32", "bf16": "bf16"}[precision],
            "PERFORMANCE_HINT": "LATENCY",
        }
        if threads:
            settings["INFERENCE_NUM_THREADS"] = threads
        try:
            core = openvino.Core()
            model = core.read_model(graph.onnx) if graph.onnx else core.read_model(graph.xml, graph.weights)
            self._compiled = core.compile_model(model, "CPU", settings)
            self._names = [output.get_any_name() for output in self._compiled.outputs]
        except RuntimeError as error:
            raise _unusable("OpenVINO", error) from error

    def run(self, pictures: np.ndarray) -> Mapping[str, np.ndarray]:
        """See `Engine`."""
        found = self._compiled.create_infer_request().infer({INPUT: pictures}, share_inputs=True)
        return {name: np.asarray(found[place]) for place, name in enumerate(self._names)}


def openvino_module() -> Any:
    """The package `openvino`, imported without its telemetry."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    import openvino

    return openvino


ENGINES: Mapping[str, Callable[..., Engine]] = {"onnxruntime": OnnxRuntime, "openvino": OpenVino}


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


def threads_here() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _unusable(engine: str, error: Exception) -> ArtefactError:
    words = " ".join(str(error).split())[:300]
    return ArtefactError(f"{engine} cannot use the model's graph", got=words, fix="export the run again")
