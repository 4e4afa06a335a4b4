"""Sensitive layers go back to float32: on a network of which one layer does not survive eight bits."""

import numpy as np
import pytest
import torch
from torch import nn

from anmok.core.preparation import Preparation
from anmok.ship.graph import to_onnx
from anmok.ship.quantise import Labelled, accuracy, quantise

pytest.importorskip("nncf")


BIG = 3e4


class Sensitive(nn.Module):
    """Its second layer has one channel so large that eight bits leave nothing of the others."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first = nn.Conv2d(3, 8, 3, padding=1)
        self.mixed = nn.Conv2d(8, 8, 1)
        self.head = nn.Linear(8, 3)
        with torch.no_grad():
            self.mixed.weight[0] *= BIG

    def forward(self, x):
        x = self.mixed(torch.relu(self.first(x)))
        x = torch.relu(x * torch.tensor([1 / BIG] + [1.0] * 7).view(-1, 1, 1))
        return self.head(x.mean((2, 3)) * 8)


def test_sensitive_layers_stay_exact():
    network, preparation = Sensitive().eval(), Preparation(16, 16)
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 226, (160, 1, 1, 3)).astype(np.uint8) + rng.integers(0, 30, (160, 16, 16, 3), np.uint8)
    x = (torch.from_numpy(pixels).permute(0, 3, 1, 2) / 255 - 0.5) / 0.5
    with torch.no_grad():
        network.head.bias -= network(x).mean(0)  # every class is the answer to some
        judged = Labelled(pixels, network(x).argmax(1).numpy())
    graph = to_onnx(network, preparation, ("logits",))
    assert accuracy(graph, judged) == 1.0 and len(np.unique(judged.targets)) == 3
    loose, strict = (quantise(graph, pixels[:64], judged, loss) for loss in (0.9, 0.01))
    assert loose.kept < strict.kept <= loose.layers
    assert accuracy(loose.graph, judged) < 0.6 and accuracy(strict.graph, judged) >= 0.99
