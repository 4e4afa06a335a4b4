"""A graph in three parts answers as the whole; what is no map stays whole."""

import numpy as np
import pytest
import torch
from torch import nn

from anmok.core.preparation import Preparation
from anmok.ship.edges import in_three
from anmok.ship.engines import openvino_module
from anmok.ship.graph import Mirrored, to_onnx

pytest.importorskip("openvino")
PREPARATION = Preparation(16, 16, 3, fit="squash")


class TwoWays(nn.Module):
    """Two last convolutions that read the same maps, and one of what lies before."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.first, self.second = nn.Conv2d(4, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.up, self.left, self.right = nn.Conv2d(4, 2, 1), nn.Conv2d(4, 2, 3, padding=1), nn.Conv2d(4, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        early = self.first(self.stem(x)).relu()
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


PLAIN = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1))


@pytest.mark.parametrize(
    ("network", "gives", "reads"),
    [(TwoWays(), 1, 2), (Mirrored(TwoWays()), 2, 4), (PLAIN, 1, 1)],
    ids=["two ways", "mirrored", "plain"],
)
def test_three_parts_answer_as_the_whole(network: nn.Module, gives: int, reads: int) -> None:
    generator = torch.Generator().manual_seed(0)
    for weight in network.parameters():
        nn.init.normal_(weight, std=0.3, generator=generator)
    core, read = reader(network.eval())
    three = in_three(read)
    assert three is not None
    first, body, last = three
    assert (len(first.outputs), len(body.outputs), len(last.inputs)) == (gives, reads, reads)
    assert last.outputs[0].get_any_name() == "maps"
    kinds = [[node.get_type_name() for node in part.get_ops()] for part in three]
    assert kinds[0].count("Convolution") == gives and "Relu" in kinds[0] and "Relu" not in kinds[2]
    whole = read()
    assert sum(part.count("Convolution") for part in kinds) == [node.get_type_name() for node in whole.get_ops()].count(
        "Convolution"
    )
    pictures = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)
    expected = answered(core, [whole], pictures)
    assert expected.std() > 0.05
    np.testing.assert_allclose(answered(core, three, pictures), expected, atol=1e-6)


class Around(nn.Module):
    """Maps that the picture's own values reach beside all convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1), nn.Conv2d(3, 3, 3, padding=1))
        self.last = nn.Conv2d(3, 2, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.net(x) + x)


@pytest.mark.parametrize(
    "network",
    [
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 14 * 14, 2)),
        nn.Sequential(*(nn.Conv2d(3, 3, 3) for _ in range(4)), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        nn.AvgPool2d(2),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 2, 1)),
        Around(),
    ],
    ids=["dense layers", "means over all places", "no convolution", "nothing between", "a way around"],
)
def test_other_graphs_stay_whole(network: nn.Module) -> None:
    assert in_three(reader(network.eval())[1]) is None
