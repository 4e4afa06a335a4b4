"""Penalties where the gradients can be worked out by hand."""

import math

import pytest
import torch

from anmok.core.errors import UsageError
from anmok.losses.penalties import gradient_penalty, path_length, path_length_penalty, r1_penalty


def plane(pictures):
    """D(x) = 2 · Σx: its gradient is 2 everywhere, of length 2·√(values a picture)."""
    return 2 * pictures.flatten(1).sum(1)


def bowl(pictures):
    """D(x) = ½ Σx², whose gradient is x."""
    return pictures.square().flatten(1).sum(1) / 2


def test_gradient_penalty_of_a_plane():
    real, fake = torch.randn(2, 5, 1, 2, 2)
    assert gradient_penalty(plane, real, fake, weight=10).item() == pytest.approx(10 * (2 * 2 - 1) ** 2, rel=1e-5)


def test_gradient_penalty_looks_between_real_and_fake():
    real, fake = torch.zeros(4000, 1, 1, 1), torch.ones(4000, 1, 1, 1)
    torch.manual_seed(0)  # the slope at x̂ is x̂, uniform on [0, 1]: E(x̂ − 1)² = 1/3
    assert gradient_penalty(bowl, real, fake, weight=1).item() == pytest.approx(1 / 3, abs=0.02)
    with pytest.raises(UsageError, match="needs a drawn one"):
        gradient_penalty(bowl, real, fake[:5])


def test_r1_by_hand():
    assert r1_penalty(plane, torch.randn(5, 1, 2, 2), gamma=10).item() == pytest.approx(5 * 4 * 4, rel=1e-5)
    real = torch.tensor([3.0, 4.0]).reshape(1, 1, 1, 2)
    assert r1_penalty(bowl, real, gamma=1).item() == pytest.approx(12.5)


def test_penalties_reach_the_discriminator():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(4, 3), torch.nn.Tanh(), torch.nn.Linear(3, 1))
    for penalty in (r1_penalty(net, torch.randn(2, 1, 2, 2)), gradient_penalty(net, *torch.randn(2, 2, 1, 2, 2))):
        net.zero_grad()
        penalty.backward()
        assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in (net[1].weight, net[3].weight))


def test_path_length_of_a_linear_generator():
    """Picture = M·w: Jᵀy = Mᵀy, squared and summed over w, averaged over the layers it was given to."""
    torch.manual_seed(0)
    matrix, noise = torch.randn(12, 3), torch.randn(2, 3, 2, 2)
    styles = torch.randn(2, 4, 3, requires_grad=True)
    pictures = (styles.mean(1) @ matrix.T).reshape(2, 3, 2, 2)
    slopes = (noise.flatten(1) / 2) @ matrix / 4  # √(2·2) pixels; each of four layers has a quarter of the say
    torch.testing.assert_close(path_length(pictures, styles, noise), slopes.square().sum(1).sqrt())


def test_path_length_penalty_keeps_a_running_mean():
    mean = torch.tensor(0.0)
    for _ in range(500):
        penalty, mean = path_length_penalty(torch.tensor([3.0, 3.0]), mean)
    assert mean.item() == pytest.approx(3 * (1 - 0.99**500), rel=1e-4)
    assert penalty.item() == pytest.approx((3 - mean.item()) ** 2, rel=1e-3)
    lengths = torch.tensor([1.0, 5.0], requires_grad=True)
    penalty, mean = path_length_penalty(lengths, torch.tensor(3.0))
    assert mean.item() == 3 and math.isclose(penalty.item(), 4)
    penalty.backward()
    assert lengths.grad.tolist() == [-2, 2]  # the mean itself is held fixed
