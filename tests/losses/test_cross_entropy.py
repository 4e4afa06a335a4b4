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


def drawn_places(ignored=False):
    generator = torch.Generator().manual_seed(1)
    logits = torch.randn(2, 5, 4, 3, generator=generator)
    targets = torch.randint(0, 5, (2, 4, 3), generator=generator)
    if ignored:
        targets[0, :2] = 255
    return logits, targets


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("weighed", [False, True])
def test_places_equal_torch(smoothing, weighed):
    logits, targets = drawn_places(ignored=True)
    weight = torch.tensor([1.0, 2, 3, 4, 5]) if weighed else None
    expected = F.cross_entropy(logits, targets, weight, ignore_index=255, label_smoothing=smoothing)
    torch.testing.assert_close(cross_entropy(logits, targets, smoothing, weight, ignore=255), expected)


def test_where_nothing_counts_the_loss_is_zero_and_so_is_its_slope():
    logits, targets = drawn_places()
    logits.requires_grad_()
    loss = cross_entropy(logits, torch.full_like(targets, 255), ignore=255)
    loss.backward()
    assert loss == 0 and (logits.grad == 0).all()


def test_an_unknown_id_is_not_ignored_by_chance():
    """More than 255 classes: 255 is one of them unless `ignore` says otherwise."""
    logits = torch.randn(2, 300)
    targets = torch.tensor([255, 7])
    torch.testing.assert_close(cross_entropy(logits, targets), F.cross_entropy(logits, targets))


def test_weights_of_places_multiply_and_the_mean_stays_over_places():
    logits, targets = drawn_places(ignored=True)
    factor = torch.rand(2, 4, 3) * 10
    each = F.cross_entropy(logits, targets, ignore_index=255, reduction="none")
    expected = (each * factor).sum() / (targets != 255).sum()
    torch.testing.assert_close(cross_entropy(logits, targets, ignore=255, place_weight=factor), expected)


def test_soft_targets_at_places():
    logits, targets = drawn_places()
    shares = F.one_hot(targets, 5).movedim(-1, 1).float()
    torch.testing.assert_close(cross_entropy(logits, shares), cross_entropy(logits, targets))


def test_places_that_do_not_fit_are_named():
    logits, targets = drawn_places()
    with pytest.raises(UsageError, match=r"\(2, 4, 3\)"):
        cross_entropy(logits, targets[:, :2])
    with pytest.raises(UsageError, match="weights of places"):
        cross_entropy(logits, targets, place_weight=torch.ones(2, 4))
