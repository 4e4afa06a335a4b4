"""From a torch network to a graph that other runtimes compute: normalisation goes in, torch stays behind."""

from __future__ import annotations

import copy
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.ship.artefact import INPUT, Graph

OPSET = 17  # one operator for layer normalisation; every runtime since 2022 reads it
_TRACED = 2  # pictures of the example: one would make some operators forget that there is a batch


class Shipped(nn.Module):
    """Decoded pictures, uint8 (N, S, S, C), and what is given beside them → the network's outputs, in float32."""

    scale: Tensor
    shift: Tensor

    def __init__(self, network: nn.Module, preparation: Preparation) -> None:
        super().__init__()
        mean, std = torch.tensor(preparation.mean), torch.tensor(preparation.std)
        self.network = copy.deepcopy(network).to("cpu", torch.float32).eval()
        self.register_buffer("scale", (1 / (255 * std)).view(-1, 1, 1))
        self.register_buffer("shift", (-mean / std).view(-1, 1, 1))

    def forward(self, pictures: Tensor, *further: Tensor) -> Any:
        """uint8 (N, S, S, C), and more → what the network answers."""
        x = pictures.permute(0, 3, 1, 2).float()
        return self.network(x * self.scale + self.shift, *further)


class Mirrored(nn.Module):
    """The mean of a network's answers to a picture and to its mirror image: (N, C, S, S) → (N, …)."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        """Both answers, averaged."""
        return (self.network(x) + self.network(x.flip(3))) / 2


def to_onnx(
    network: nn.Module, preparation: Preparation, outputs: Sequence[str], further: Mapping[str, Tensor] | None = None
) -> Graph:
    """The network as ONNX, with its normalisation, for any number of pictures.

    Traced by torch's older exporter, which takes a twentieth of the newer one's time (0.7 s against 13 s for
    EfficientNet-Lite0, measured); networks it cannot trace go to the newer one. What either made is not believed but
    compared (`anmok.ship.gate`).

    Args:
        network: normalised pictures (N, C, S, S), and `further` → a tensor, or a tuple of them.
        preparation: what pictures look like, and how they are normalised.
        outputs: a name for each tensor.
        further: what the network takes beside pictures, by name: an example (2, R, …) of each, where R, too, may be any
            number in the graph.

    Raises:
        UsageError: neither exporter can express the network.
    """
    module = Shipped(network, preparation).eval()
    size, channels = preparation.size, preparation.channels
    noise = torch.randint(0, 256, (_TRACED, size, size, channels), dtype=torch.uint8, generator=torch.Generator())
    example = {INPUT: noise, **(further or {})}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about the exporter's age, and constants that tracing finds
        try:
            return Graph(onnx=_traced(module, example, outputs))
        except Exception as first:  # torch raises many kinds for what it cannot trace
            try:
                return Graph(onnx=_captured(module, example, outputs))
            except Exception as second:
                raise UsageError(
                    "this network cannot be expressed as ONNX", got=_reason(second),
                    fix=f"a network without steps that depend on the data ({_reason(first)})",
                ) from second  # fmt: skip


def _traced(module: nn.Module, example: Mapping[str, Tensor], outputs: Sequence[str]) -> bytes:
    module(*example.values())  # what is imported only where it is used must not be while the tracer looks on
    with suppress(AttributeError):  # a graph that cannot be expressed is printed whole: not among our answers
        torch._C._jit_set_onnx_log_output_stream("stderr")
    file: Any = BytesIO()
    axes = {name: {0: "batch"} for name in (*example, *outputs)}
    axes |= {name: {0: "batch", 1: name} for name in example if name != INPUT}
    torch.onnx.export(module, tuple(example.values()), file, input_names=list(example), output_names=list(outputs),
                      dynamic_axes=axes, opset_version=OPSET, dynamo=False)  # fmt: skip
    return file.getvalue()


def _captured(module: nn.Module, example: Mapping[str, Tensor], outputs: Sequence[str]) -> bytes:
    batch, many = torch.export.Dim("batch"), torch.export.Dim.DYNAMIC
    shapes: dict[str, Any] = {INPUT: {0: batch}}
    if len(example) > 1:
        shapes["further"] = tuple({0: batch, 1: many} for name in example if name != INPUT)
    program = torch.onnx.export(module, tuple(example.values()), input_names=list(example), output_names=list(outputs),
                                dynamic_shapes=shapes, dynamo=True, verbose=False)  # fmt: skip
    assert program is not None
    return bytes(program.model_proto.SerializeToString())


def _reason(error: BaseException) -> str:
    """What went wrong in the first place, in a line: exporters wrap it in advice to those who develop them."""
    while error.__cause__ is not None:
        error = error.__cause__
    words = next(iter(str(error).strip().splitlines()), "")
    return f"{type(error).__name__}: {words[:200]}"


def to_openvino(graph: Graph) -> Graph:
    """The same graph as OpenVINO writes it, weights in float32."""
    from anmok.ship.engines import openvino_module

    openvino = openvino_module()
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / "model.xml"
        openvino.serialize(openvino.Core().read_model(graph.onnx), xml, xml.with_suffix(".bin"))
        return Graph(xml=xml.read_bytes(), weights=xml.with_suffix(".bin").read_bytes())
