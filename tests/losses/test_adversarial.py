"""FACTS.md §4's worked values, and the formulas written out."""

import math

import pytest
import torch

from anmok.losses.adversarial import ADVERSARIAL


def test_the_optimum_of_the_game():
    undecided = torch.zeros(8)
    play = ADVERSARIAL["non-saturating"]
    assert play.discriminator(undecided, undecided).item() == pytest.approx(1.386294, abs=1e-6)
    assert play.generator(undecided).item() == pytest.approx(0.693147, abs=1e-6)


def test_least_squares_by_hand():
    real, fake = torch.tensor([0.9, 0.6]), torch.tensor([0.2, 0.7])
    play = ADVERSARIAL["least-squares"]
    assert play.discriminator(real, fake).item() == pytest.approx(0.175, abs=1e-6)
    assert play.generator(fake).item() == pytest.approx(0.365, abs=1e-6)


def test_non_saturating_is_binary_cross_entropy():
    real, fake = torch.randn(2, 5, 3, 3).unbind()
    bce = torch.nn.functional.binary_cross_entropy_with_logits
    play = ADVERSARIAL["non-saturating"]
    expected = bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
    torch.testing.assert_close(play.discriminator(real, fake), expected)
    torch.testing.assert_close(play.generator(fake), bce(fake, torch.ones_like(fake)))


def test_it_does_not_saturate():
    """Where the discriminator is sure, log(1 − D) has lost its gradient and −log D has not."""
    sure = torch.tensor([-12.0], requires_grad=True)
    ADVERSARIAL["non-saturating"].generator(sure).backward()
    assert sure.grad.item() == pytest.approx(-1, abs=1e-4)


def test_hinge_and_wasserstein_by_hand():
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 1.0])
    assert ADVERSARIAL["hinge"].discriminator(real, fake).item() == 0.5 / 2 + 2 / 2
    assert ADVERSARIAL["wasserstein"].discriminator(real, fake).item() == -1 - 1.25
    for name in ("hinge", "wasserstein"):
        assert ADVERSARIAL[name].generator(fake).item() == 1.0


@pytest.mark.parametrize("name", ADVERSARIAL)
def test_each_side_wants_what_the_game_says(name):
    """One step down: the discriminator raises real and lowers fake, the generator raises fake; bf16 sums in float32."""
    play = ADVERSARIAL[name]
    real, fake = torch.tensor([0.2]).requires_grad_(), torch.tensor([0.3]).requires_grad_()
    play.discriminator(real, fake).backward()
    assert real.grad < 0 < fake.grad
    fake.grad = None
    play.generator(fake).backward()
    assert fake.grad < 0
    low = torch.full((4096,), 0.3).bfloat16()
    assert math.isclose(play.generator(low).item(), play.generator(low.double()).item(), rel_tol=1e-5)
