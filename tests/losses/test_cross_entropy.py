import pytest
import torch
import torch.nn.functional as F

from anmok.core.errors import UsageError
from anmok.losses import LOSSES
from anmok.losses.cross_entropy import cross_entropy, mixed_targets, soft_targets


def drawn(count=7, classes=5):
    generator = torch.Generator().manual_seed(0)
    return torch.randn(count, classes, generator=generator), torch.randint(0, classes, (count,), generator=generator)


def test_it_is_registered():
    assert LOSSES["cross_entropy"] is cross_entropy


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("weighed", [False, True])
def test_hard_targets_equal_torch(smoothing, weighed):
    logits, targets = drawn()
    weight = torch.tensor([1.0, 2, 3, 4, 5]) if weighed else None
    expected = F.cross_entropy(logits, targets, weight=weight, label_smoothing=smoothing)
    torch.testing.assert_close(cross_entropy(logits, targets, smoothing, weight), expected)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
def test_soft_targets_by_the_formula(smoothing):
    logits, targets = drawn()
    shares = mixed_targets(targets, targets.flip(0), 0.7, 5)
    smoothed = (1 - smoothing) * shares + smoothing / 5
    expected = -(smoothed * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(cross_entropy(logits, shares, smoothing), expected)


def test_mixing_is_linear_in_the_targets():
    """mixup's loss on mixed targets is the mix of both losses."""
    logits, targets = drawn()
    partners = targets.roll(1)
    mixed = cross_entropy(logits, mixed_targets(targets, partners, 0.3, 5))
    torch.testing.assert_close(mixed, 0.3 * cross_entropy(logits, targets) + 0.7 * cross_entropy(logits, partners))


def test_each_picture_may_have_its_own_share():
    shares = mixed_targets(torch.tensor([0, 1]), torch.tensor([1, 1]), torch.tensor([0.25, 1.0]), 3)
    torch.testing.assert_close(shares, torch.tensor([[0.25, 0.75, 0], [0, 1, 0]]))


def test_bfloat16_logits_are_summed_in_float32():
    logits, targets = drawn(512, 10)
    low = logits.bfloat16()
    assert cross_entropy(low, targets).dtype == torch.float32
    torch.testing.assert_close(cross_entropy(low, targets), F.cross_entropy(low.float(), targets))


def test_gradients_are_softmax_minus_target():
    logits, targets = drawn()
    logits.requires_grad_()
    cross_entropy(logits, targets).backward()
    torch.testing.assert_close(logits.grad, (logits.detach().softmax(1) - soft_targets(targets, 5)) / 7)


@pytest.mark.parametrize(
    ("logits", "targets", "smoothing", "says"),
    [
        (torch.zeros(3), torch.zeros(3).long(), 0.0, "one row a picture"),
        (torch.zeros(3, 2), torch.zeros(4).long(), 0.0, r"\(3,\)"),
        (torch.zeros(3, 2), torch.zeros(3, 3), 0.0, r"\(3, 2\)"),
        (torch.zeros(3, 2), torch.zeros(3).long(), 1.0, "below 1"),
    ],
)
def test_errors(logits, targets, smoothing, says):
    with pytest.raises(UsageError, match=says):
        cross_entropy(logits, targets, smoothing)
