"""From a torch network to a graph: what each exporter can express, and what neither can."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.ship import graph
from anmok.ship.artefact import INPUT
from anmok.ship.engines import onnxruntime_engine
from anmok.ship.graph import to_onnx

PREPARATION = Preparation(8, 8)


class Sum(nn.Module):
    """The sum of every picture's values."""

    def forward(self, x: Tensor) -> Tensor:
        return x.sum((1, 2, 3))


class Inexpressible(nn.Module):
    """Eigenvalues: neither exporter has an operator for them."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.eigvals(x[:, 0]).real


def refuse(*_: object) -> bytes:
    raise RuntimeError("cannot be traced")


@pytest.mark.parametrize("traced", [True, False])
def test_either_exporter_will_do(traced: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not traced:
        monkeypatch.setattr(graph, "_traced", refuse)
    pixels = np.random.default_rng(0).integers(0, 256, (5, 8, 8, 3), dtype=np.uint8)
    found = onnxruntime_engine(to_onnx(Sum(), PREPARATION, ("sum",))).run({INPUT: pixels})["sum"]
    mean, std = np.array(PREPARATION.mean), np.array(PREPARATION.std)
    np.testing.assert_allclose(found, ((pixels / 255 - mean) / std).sum((1, 2, 3)), rtol=1e-4)


def test_what_neither_can_express_is_refused_in_one_sentence(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UsageError, match="cannot be expressed as ONNX") as caught:
        to_onnx(Inexpressible(), PREPARATION, ("values",))
    assert "No ONNX function found" in str(caught.value) and "eigvals" in str(caught.value)
    assert "\n" not in str(caught.value) and "\x1b" not in str(caught.value)
    assert not capfd.readouterr().out, "standard output is for answers"
