"""Reconstruction and evidence against torch's distributions, and FACTS.md §3's worked value."""

import math

import pytest
import torch
from torch.distributions import Bernoulli, Normal
from torch.distributions import kl_divergence as torch_kl

from anmok.core.errors import UsageError
from anmok.losses import LOSSES
from anmok.losses.evidence import kl_divergence, negative_evidence


def test_kl_by_hand():
    found = kl_divergence(torch.tensor([[1.0, -0.5]]), torch.tensor([[0.0, math.log(0.25)]]))
    assert found.item() == pytest.approx(0.943147, abs=1e-6)
    assert found.item() == pytest.approx(0.5 + 0.443147, abs=1e-6)


def test_kl_of_random_posteriors():
    mean, logvar = torch.randn(2, 6, 5)
    expected = torch_kl(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    torch.testing.assert_close(kl_divergence(mean, logvar), expected)
    assert torch.equal(kl_divergence(torch.zeros(2, 5), torch.zeros(2, 5)), torch.zeros(2))


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_negative_evidence_of_black_and_white_pictures(beta):
    logits, targets = torch.randn(3, 1, 4, 4), torch.rand(3, 1, 4, 4).round()
    mean, logvar = torch.randn(2, 3, 2)
    likelihood = Bernoulli(logits=logits).log_prob(targets).sum((1, 2, 3))
    expected = (-likelihood + beta * torch_kl(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)).mean()
    torch.testing.assert_close(negative_evidence(logits, targets, mean, logvar, beta), expected)


def test_reconstruction_by_hand():
    outputs, targets = torch.tensor([[0.0, 1.0]]), torch.tensor([[0.5, 0.0]])
    assert LOSSES["squared_error"](outputs, targets).item() == pytest.approx((0.25 + 1) / 2)
    assert LOSSES["absolute_error"](outputs, targets).item() == pytest.approx((0.5 + 1) / 2)
    by_hand = (math.log(2) + math.log(1 + math.e)) / 2
    assert LOSSES["binary_cross_entropy"](outputs, targets).item() == pytest.approx(by_hand, abs=1e-6)


def test_errors():
    for name in ("squared_error", "absolute_error", "binary_cross_entropy"):
        with pytest.raises(UsageError, match="do not fit"):
            LOSSES[name](torch.zeros(2, 3), torch.zeros(3, 2))
    with pytest.raises(UsageError, match="do not fit"):
        negative_evidence(torch.zeros(2, 3), torch.zeros(2, 1), torch.zeros(2, 1), torch.zeros(2, 1))
    with pytest.raises(UsageError, match="0 or more"):
        negative_evidence(torch.zeros(2, 3), torch.zeros(2, 3), torch.zeros(2, 1), torch.zeros(2, 1), beta=-1)
