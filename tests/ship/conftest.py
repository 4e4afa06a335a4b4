"""One small classifier, as a torch network and as a shipped model, for all tests of the room."""

from pathlib import Path

import pytest
import torch
from torch import nn

from anmok.core.preparation import Preparation
from anmok.ship.artefact import Artefact, Manifest, write_artefact
from anmok.ship.graph import to_onnx

CLASSES = ("ant", "bee", "cat", "dog", "elk")
PREPARATION = Preparation(size=32, store=36, mean=(0.48, 0.45, 0.40), std=(0.23, 0.22, 0.24))


class Small(nn.Module):
    """Colours matter to it, and where they are: (N, 3, 32, 32) → (N, 5)."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.norm = nn.BatchNorm2d(8)
        self.head = nn.Linear(8 * 4 * 4, len(CLASSES))
        with torch.no_grad():
            self.head.weight.mul_(12)  # certain answers: differences show in the probabilities

    def forward(self, x):
        x = torch.relu(self.norm(self.conv(x)))
        return self.head(nn.functional.adaptive_avg_pool2d(x, 4).flatten(1))


@pytest.fixture(scope="session")
def network() -> nn.Module:
    return Small().eval()


@pytest.fixture(scope="session")
def artefact(network) -> Artefact:
    answers = {"classes": CLASSES, "temperature": 1.7, "threshold": 0.6}
    manifest = Manifest("classify", "small", PREPARATION, ("logits",), answers)
    return Artefact(manifest, to_onnx(network, PREPARATION, ("logits",)), "# small\n")


@pytest.fixture(scope="session")
def shipped(artefact, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("shipped") / "small.anmok"
    write_artefact(path, artefact)
    return path
