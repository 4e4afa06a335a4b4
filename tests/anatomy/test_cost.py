"""Costs are measured: what is counted, in which mode, and how often."""

from __future__ import annotations

import contextlib

import pytest
import torch
from torch import nn

from anmok.anatomy.cost import REPEATS, measure_cost


class Witness(nn.Module):
    """A classifier that writes down how it is called."""

    def __init__(self, calls: list[tuple[int, bool, bool, bool]], weights: int = 8) -> None:
        super().__init__()
        self.calls, self.conv, self.fc = calls, nn.Conv2d(3, 4, 3), nn.Linear(4, weights)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, None]:
        last = x.is_contiguous(memory_format=torch.channels_last)
        self.calls.append((len(x), self.training, torch.is_grad_enabled(), last))
        return self.fc(self.conv(x).mean((2, 3))), None  # auxiliary outputs are allowed


def test_one_picture_a_batch_and_a_training_step() -> None:
    calls: list[tuple[int, bool, bool, bool]] = []
    cost = measure_cost(lambda: Witness(calls), (3, 8, 8), batch=5, seconds=1e-9)
    once = REPEATS + 1  # with the warm-up
    assert calls == [
        *[(1, False, False, True)] * once,
        *[(5, False, False, True)] * once,
        *[(5, True, True, True)] * once,
    ]
    assert cost.batch == 5 and min(cost.one_s, cost.batch_s, cost.train_s) > 0
    assert 0 <= cost.answer_bytes <= cost.train_bytes


def test_every_forward_pass_is_in_the_context_of_training() -> None:
    entered = []

    @contextlib.contextmanager
    def autocast():
        entered.append(True)
        with torch.autocast("cpu", torch.bfloat16):
            yield

    kinds = []

    def build() -> nn.Module:
        net = Witness([])
        net.fc.register_forward_hook(lambda _, __, out: kinds.append(out.dtype))
        return net

    measure_cost(build, (3, 8, 8), batch=2, seconds=1e-9, autocast=autocast)
    assert len(entered) == len(kinds) == 3 * (REPEATS + 1)
    assert set(kinds) == {torch.bfloat16}


def test_training_changes_weights() -> None:
    """A step is a whole step: gradients and an update, or it would be too cheap."""
    nets: list[nn.Module] = []

    def build() -> nn.Module:
        torch.manual_seed(0)
        nets.append(Witness([]))
        return nets[-1]

    measure_cost(build, (3, 8, 8), batch=2, seconds=1e-9)
    torch.manual_seed(0)
    assert not torch.equal(nets[0].fc.weight, Witness([]).fc.weight)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a graphics card")
def test_on_a_graphics_card() -> None:
    cost = measure_cost(lambda: Witness([]), (3, 32, 32), batch=2, seconds=1e-9, device=torch.device("cuda"))
    assert cost.train_bytes > 2 * 3 * 32 * 32 * 4


def test_networks_that_answer_for_every_pixel_train_too() -> None:
    cost = measure_cost(lambda: nn.Conv2d(3, 4, 3), (3, 8, 8), batch=2, seconds=1e-9)
    assert min(cost.one_s, cost.batch_s, cost.train_s) > 0
