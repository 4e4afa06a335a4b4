"""Every module comes back in its own mode: where a frozen part evaluates for good, and where something goes wrong."""

import pytest
from torch import nn

from anmok.core.modes import evaluating, keeping_modes


def network() -> nn.Sequential:
    net = nn.Sequential(nn.BatchNorm2d(3), nn.Sequential(nn.Dropout(), nn.BatchNorm2d(3))).train()
    net[1][1].eval()  # frozen
    return net


def modes(net: nn.Module) -> list[bool]:
    return [module.training for module in net.modules()]


def test_frozen_parts_stay_frozen() -> None:
    first, second = network(), network().eval()
    before = modes(first), modes(second)
    with evaluating(first, second):
        assert not any(modes(first) + modes(second))
    assert (modes(first), modes(second)) == before == ([True, True, True, True, False], [False] * 5)


def test_modes_come_back_after_an_error() -> None:
    net = network()
    before = modes(net)
    with pytest.raises(KeyboardInterrupt), keeping_modes(net):
        net.train()
        raise KeyboardInterrupt
    assert modes(net) == before
