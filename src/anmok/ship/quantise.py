"""Whole numbers of 8 bits for weights and maps (post-training quantisation; Jacob et al. 2018, arXiv 1712.05877).

All layers first. Where that costs more accuracy than allowed, layers are put back into float32, the most sensitive
first, until it does not, or too little is left to gain. The arithmetic is NNCF's (Apache-2.0), its telemetry off.
"""

from __future__ import annotations

import io
import logging
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from typing import Any

import numpy as np

from anmok.core.errors import UsageError
from anmok.ship.artefact import INPUT, Graph
from anmok.ship.engines import onnxruntime_engine

_BATCH = 8
_QUANTISED = {"QuantizeLinear", "DequantizeLinear"}
_WORK = ("Conv", "ConvTranspose", "MatMul", "Gemm")


@dataclass(frozen=True)
class Labelled:
    """Pictures uint8 (N, S, S, C) as the graph takes them, and the class that is right for each, int64 (N,)."""

    pixels: np.ndarray
    targets: np.ndarray


@dataclass(frozen=True)
class Quantised:
    """A graph in 8 bits. `layers`: convolutions and products in all; `kept`: those left in float32."""

    graph: Graph
    layers: int
    kept: int


def quantise(graph: Graph, calibration: np.ndarray, judged: Labelled, max_loss: float) -> Quantised:
    """The graph in 8 bits, as much of it as costs no more than `max_loss` of the accuracy on `judged`.

    The caller must look at the result's accuracy: where no part of the graph can be quantised within the loss, the
    best that was found comes back.

    Args:
        graph: ONNX, float32, one output of logits.
        calibration: pictures like those to come, uint8 (N, S, S, C): what ranges are measured on.
        judged: pictures with their right answers.
        max_loss: share of `judged` whose right answer may be lost.
    """
    nncf, onnx = _nncf()
    model = _with_own_constants(onnx.load_from_string(graph.onnx))
    batches = [calibration[start : start + _BATCH] for start in range(0, len(calibration), _BATCH)]
    ranges = nncf.Dataset(batches, lambda batch: {INPUT: batch})
    settings = {"preset": nncf.QuantizationPreset.MIXED, "subset_size": len(batches)}
    allowed = accuracy(graph, judged) - max_loss
    with _silent():
        found = nncf.quantize(model, ranges, **settings)
    if accuracy(_graph(found), judged) < allowed:
        items = nncf.Dataset(list(zip(judged.pixels, judged.targets, strict=True)), lambda item: {INPUT: item[0][None]})
        with _silent():
            found = nncf.quantize_with_accuracy_control(
                model, ranges, items, _validate, max_drop=max_loss, drop_type=nncf.DropType.ABSOLUTE, **settings
            )
    layers, kept = _count(found)
    return Quantised(_graph(found), layers, kept)


def accuracy(graph: Graph, judged: Labelled) -> float:
    """Share of pictures answered rightly."""
    engine = onnxruntime_engine(graph)
    right = [
        next(iter(engine.run({INPUT: judged.pixels[start : start + 64]}).values())).argmax(1)
        == judged.targets[start : start + 64]
        for start in range(0, len(judged.pixels), 64)
    ]
    return float(np.concatenate(right).mean())


def _validate(model: Any, items: Iterable[tuple[np.ndarray, int]]) -> tuple[float, list[float]]:
    """Accuracy on some items, and whether each was answered rightly, as NNCF asks for it."""
    pixels, targets = zip(*items, strict=True)
    outputs = onnxruntime_engine(_graph(model)).run({INPUT: np.stack(pixels)})
    right = (next(iter(outputs.values())).argmax(1) == np.array(targets)).astype(float)
    return float(right.mean()), right.tolist()


def _with_own_constants(model: Any) -> Any:
    """The same model where constants that several layers share are copied: NNCF looks for each layer's own."""
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in [node for node in model.graph.node if node.op_type == "Identity" and node.input[0] in constants]:
        copy = type(constants[node.input[0]])()
        copy.CopyFrom(constants[node.input[0]])
        copy.name = node.output[0]
        model.graph.initializer.append(copy)
        model.graph.node.remove(node)
    return model


def _graph(model: Any) -> Graph:
    return Graph(onnx=model.SerializeToString())


def _count(model: Any) -> tuple[int, int]:
    """Convolutions and products, and how many of them read no quantised input."""
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    work = [node for node in model.graph.node if node.op_type in _WORK]
    kept = [node for node in work if made_by.get(node.input[0]) not in _QUANTISED]
    return len(work), len(kept)


def _nncf() -> tuple[Any, Any]:
    """NNCF and ONNX, imported without telemetry. Raises `UsageError` where they are not installed."""
    sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]
    logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)  # that there is no CUDA
    try:
        import nncf
        import onnx
    except ModuleNotFoundError as error:
        raise UsageError(
            "8 bits need NNCF and ONNX", got=f"no {error.name}", fix="pip install 'anmok[ship]'"
        ) from error
    return nncf, onnx


@contextmanager
def _silent() -> Iterator[None]:
    """NNCF draws its progress on standard output, where results belong."""
    before = logging.getLogger("nncf").level
    logging.getLogger("nncf").setLevel(logging.ERROR)
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.getLogger("nncf").setLevel(before)
