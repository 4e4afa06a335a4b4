"""A tiny network trained on noise in which a mark decides the class, so that the right heat map is known."""

from dataclasses import dataclass

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

SIDE, MARK = 24, 6


@dataclass(frozen=True)
class Planted:
    """`pictures` (N, C, 24, 24) with a 6 × 6 mark whose top left corner is `corners` (N, 2); `classes` (N,)."""

    network: nn.Module
    pictures: Tensor
    classes: Tensor
    corners: Tensor

    def at_mark(self, number: int, row: int, column: int, slack: int = 3) -> bool:
        top, left = (int(value) for value in self.corners[number])
        return top - slack <= row < top + MARK + slack and left - slack <= column < left + MARK + slack


def small_network(channels: int = 1, seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)

    def block(wide_in: int, wide_out: int) -> list[nn.Module]:
        return [nn.Conv2d(wide_in, wide_out, 3, padding=1), nn.BatchNorm2d(wide_out), nn.ReLU(inplace=True)]

    return nn.Sequential(
        *block(channels, 12), nn.MaxPool2d(2), *block(12, 24), *block(24, 24),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(24, 3),
    )  # fmt: skip


def marked(count: int, channels: int, seed: int) -> tuple[Tensor, Tensor, Tensor]:
    """Noise with one mark: bright (0), dark (1) or striped (2)."""
    generator = torch.Generator().manual_seed(seed)
    pictures = 0.5 * torch.randn(count, channels, SIDE, SIDE, generator=generator)
    classes = torch.randint(0, 3, (count,), generator=generator)
    corners = torch.randint(1, SIDE - MARK - 1, (count, 2), generator=generator)
    for number, (top, left) in enumerate(corners.tolist()):
        mark = torch.full((MARK, MARK), 2.5 if classes[number] != 1 else -2.5)
        if classes[number] == 2:
            mark[1::2] = -2.5
        pictures[number, :, top : top + MARK, left : left + MARK] = mark
    return pictures, classes, corners


@pytest.fixture(scope="session")
def planted() -> Planted:
    pictures, classes, _ = marked(512, 1, seed=0)
    network = small_network()
    optimizer = torch.optim.Adam(network.parameters(), 5e-3)
    for _ in range(3):
        for part in torch.arange(512).split(32):
            loss = F.cross_entropy(network(pictures[part]), classes[part])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    network.eval()
    pictures, classes, corners = marked(12, 1, seed=1)
    with torch.no_grad():
        assert (network(pictures).argmax(1) == classes).all(), "the network must know the marks before it explains them"
    return Planted(network, pictures, classes, corners)
