import pytest
import torch
import torch.nn.functional as F
from torchvision.ops import sigmoid_focal_loss

from anmok.core.errors import UsageError
from anmok.losses import LOSSES
from anmok.losses.focal import focal


def drawn(classes=4, shape=(2, 6, 5)):
    generator = torch.Generator().manual_seed(0)
    logits = 3 * torch.randn(shape[0], classes, *shape[1:], generator=generator)
    return logits, torch.randint(0, classes, shape, generator=generator)


def test_it_is_registered():
    assert LOSSES["focal"] is focal


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0, 5.0])
@pytest.mark.parametrize("alpha", [0.25, 0.9, None])
def test_with_two_classes_it_is_torchvisions(gamma, alpha):
    logits, targets = drawn(classes=2)
    margin = logits[:, 1] - logits[:, 0]  # softmax over two is the sigmoid of their difference
    expected = sigmoid_focal_loss(margin, targets.float(), -1 if alpha is None else alpha, gamma, reduction="mean")
    weight = None if alpha is None else torch.tensor([1 - alpha, alpha])
    torch.testing.assert_close(focal(logits, targets, gamma=gamma, weight=weight), expected)


def test_without_gamma_it_is_cross_entropy():
    logits, targets = drawn()
    targets[0, :2] = 255
    expected = F.cross_entropy(logits, targets, ignore_index=255)
    torch.testing.assert_close(focal(logits, targets, gamma=0.0, ignore=255), expected)


def test_what_is_ignored_teaches_nothing():
    logits, targets = drawn()
    logits.requires_grad_()
    targets[0] = 255
    focal(logits, targets, ignore=255).backward()
    assert (logits.grad[0] == 0).all() and (logits.grad[1] != 0).any()
    assert focal(logits, torch.full_like(targets, 255), ignore=255) == 0


def test_weights_of_places_multiply():
    logits, targets = drawn()
    torch.testing.assert_close(
        focal(logits, targets, place_weight=torch.full((2, 6, 5), 3.0)), 3 * focal(logits, targets)
    )


def test_certainty_has_finite_slopes():
    logits = torch.tensor([[60.0, 0.0], [0.0, 60.0]], requires_grad=True)
    for gamma in (0.5, 2.0):
        (slope,) = torch.autograd.grad(focal(logits, torch.tensor([0, 0]), gamma=gamma), logits)
        assert torch.isfinite(slope).all()


def test_errors():
    logits, targets = drawn()
    with pytest.raises(UsageError, match="negative"):
        focal(logits, targets, gamma=-1)
    with pytest.raises(UsageError, match=r"\(2, 6, 5\)"):
        focal(logits, targets[0])
