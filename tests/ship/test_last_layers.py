"""A graph in two parts answers as the whole; what is no map stays whole."""

import numpy as np
import pytest
import torch
from torch import nn

from anmok.core.preparation import Preparation
from anmok.ship.engines import openvino_module
from anmok.ship.graph import Mirrored, to_onnx
from anmok.ship.last_layers import in_two

pytest.importorskip("openvino")
PREPARATION = Preparation(16, 16, 3, fit="squash")


class TwoWays(nn.Module):
    """Two last convolutions that read the same maps, and one of what lies before."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.up, self.left, self.right = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 2, 3, padding=1), nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        early = self.first(x).relu()
        late = self.second(early).relu() + early
        return (self.left(late) + self.right(late) * self.up(early)).softmax(1)


def reader(network: nn.Module):
    graph = to_onnx(network, PREPARATION, ("maps",))
    core = openvino_module().Core()
    return core, lambda: core.read_model(graph.onnx)


def answered(core, models, pictures: np.ndarray) -> np.ndarray:
    values = [pictures]
    for model in models:
        found = core.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(dict(enumerate(values)))
        values = [found[place] for place in range(len(model.outputs))]
    return values[0]


@pytest.mark.parametrize(("network", "reads"), [(TwoWays(), 2), (Mirrored(TwoWays()), 4),
                                                (nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)), 1)],
                         ids=["two ways", "mirrored", "plain"])  # fmt: skip
def test_two_parts_answer_as_the_whole(network: nn.Module, reads: int) -> None:
    core, read = reader(network.eval())
    two = in_two(read)
    assert two is not None and len(two[1].inputs) == reads and two[1].outputs[0].get_any_name() == "maps"
    kinds = [node.get_type_name() for node in two[1].get_ops()]
    assert 0 < kinds.count("Convolution") < [node.get_type_name() for node in read().get_ops()].count("Convolution")
    pictures = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    whole = answered(core, [read()], pictures)
    assert whole.std() > 0.01
    np.testing.assert_allclose(answered(core, two, pictures), whole, atol=1e-6)


@pytest.mark.parametrize("network", [
    nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 2)),
    nn.AvgPool2d(2),
], ids=["dense layers", "no convolution"])  # fmt: skip
def test_other_graphs_stay_whole(network: nn.Module) -> None:
    assert in_two(reader(network.eval())[1]) is None
