"""Contracts over every explainer: it finds the planted mark, keeps the network as it was, and says what is wrong."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from anmok.core.errors import UsageError
from anmok.explain import EXPLAINERS

from .conftest import small_network

EVERY = pytest.mark.parametrize("name", list(EXPLAINERS))


def test_the_three_are_found():
    assert {"class_activation", "integrated_gradients", "occlusion"} <= set(EXPLAINERS)


@EVERY
def test_the_planted_mark_is_the_hottest_place(name, planted):
    for number, picture in enumerate(planted.pictures):
        found = EXPLAINERS[name](planted.network, picture, int(planted.classes[number]))
        row, column = np.unravel_index(found.heat.argmax(), found.heat.shape)
        assert planted.at_mark(number, int(row), int(column)), (name, number, row, column)


@EVERY
@pytest.mark.parametrize(("channels", "height", "width"), [(1, 24, 24), (3, 17, 31), (1, 40, 12)])
def test_shape_range_and_score(name, channels, height, width):
    network = small_network(channels).eval()
    picture = torch.randn(channels, height, width, generator=torch.Generator().manual_seed(3))
    found = EXPLAINERS[name](network, picture)
    assert found.heat.shape == (height, width)
    assert found.heat.dtype == np.float32
    assert found.heat.min() >= 0 and found.heat.max() <= 1
    probabilities = network(picture[None]).softmax(1)[0].detach()
    assert found.target == int(probabilities.argmax())
    assert found.score == pytest.approx(float(probabilities[found.target]), abs=1e-5)


@EVERY
def test_the_network_is_left_as_it_was(name):
    network = small_network().train()
    network[1].eval()  # a frozen normalisation must not be thawed
    before = copy.deepcopy(network.state_dict())
    for weight in network.parameters():
        weight.requires_grad_(False)  # a frozen network is explained too
    with torch.no_grad():
        EXPLAINERS[name](network, torch.randn(1, 24, 24))
    assert network.training and not network[1].training and network[4].training
    assert all(weight.grad is None for weight in network.parameters())
    assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


@EVERY
@pytest.mark.parametrize(
    ("picture", "target", "says"),
    [
        (torch.zeros(1, 24, 24, dtype=torch.uint8), None, "normalised"),
        (torch.zeros(2, 1, 24, 24), None, "one normalised picture"),
        (torch.full((1, 24, 24), float("nan")), None, "not finite"),
        (torch.zeros(1, 24, 24), 3, "0 to 2"),
    ],
)
def test_errors_say_what_arrived(name, picture, target, says):
    with pytest.raises(UsageError, match=says):
        EXPLAINERS[name](small_network(), picture, target)


@EVERY
def test_only_classifiers(name):
    with pytest.raises(UsageError, match="classifier"):
        EXPLAINERS[name](nn.Conv2d(1, 4, 3), torch.randn(1, 24, 24))


def test_integrated_gradients_equal_a_linear_networks_weights():
    linear = nn.Sequential(nn.Flatten(), nn.Linear(16, 2, bias=False))
    picture = torch.randn(1, 4, 4, generator=torch.Generator().manual_seed(0))
    found = EXPLAINERS["integrated_gradients"](linear, picture, 1)
    shares = (linear[1].weight[1].view(4, 4) * picture[0]).abs().detach().numpy()
    peak = np.quantile(shares, 0.99)
    np.testing.assert_allclose(found.heat, np.minimum(shares / peak, 1), atol=1e-4)


def test_occlusion_of_a_sum_is_what_was_covered():
    """A network that adds up brightness loses exactly the window's excess over the mean."""

    class Brightness(nn.Module):
        def forward(self, x):
            total = x.sum(dim=(1, 2, 3))
            return torch.stack([torch.zeros_like(total), total], dim=1)

    picture = torch.zeros(1, 8, 8)
    picture[0, 2:4, 4:6] = 1.0
    found = EXPLAINERS["occlusion"](Brightness(), picture, 1, window=2)
    inside = np.zeros((8, 8), bool)
    inside[2:4, 4:6] = True
    assert found.heat[inside].min() > found.heat[~inside].max()
    assert "2 × 2" in found.scaling
