"""From a generator in torch to a graph of codes that other runtimes compute."""

from __future__ import annotations

import copy
import warnings
from io import BytesIO
from typing import Any

import torch
from torch import nn

from anmok.core.errors import UsageError
from anmok.ship.artefact import Graph
from anmok.ship.graph import OPSET
from anmok.ship.painter import CODES, PICTURES


def generator_to_onnx(generator: nn.Module, width: int) -> Graph:
    """A generator as ONNX, for any number of pictures. What comes out is not believed but compared.

    Args:
        generator: float32 (N, width), see `anmok.ship.painter` → uint8 (N, S, S, C).
        width: numbers a picture.

    Raises:
        UsageError: it cannot be expressed.
    """
    module = copy.deepcopy(generator).to("cpu", torch.float32).eval()
    example, file = torch.ones(2, width), BytesIO()
    axes: Any = {name: {0: "batch"} for name in (CODES, PICTURES)}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # about the exporter's age, and constants that tracing finds
        try:
            torch.onnx.export(module, (example,), file, input_names=[CODES], output_names=[PICTURES],  # type: ignore[arg-type]
                              dynamic_axes=axes, opset_version=OPSET, dynamo=False)  # fmt: skip
        except Exception as error:  # torch raises many kinds for what it cannot trace
            words = next(iter(str(error).strip().splitlines()), "")
            raise UsageError("this generator cannot be expressed as ONNX", got=f"{type(error).__name__}: {words[:200]}",
                             fix="anmok generate with the run itself") from error  # fmt: skip
    return Graph(onnx=file.getvalue())
