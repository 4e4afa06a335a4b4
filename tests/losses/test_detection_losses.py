"""Losses of boxes and of dense scores against worked values, torchvision, and each other."""

from __future__ import annotations

import pytest
import torch
import torchvision

from anmok.core.errors import UsageError
from anmok.losses import LOSSES
from anmok.losses.box_overlap import ciou_loss, giou_loss
from anmok.losses.dense_focal import quality_focal, sigmoid_focal, varifocal
from anmok.losses.smooth_l1 import smooth_l1

DISTANCES = torch.tensor([0.05, 0.1, 0.5, 1.0, 2.0])


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ({"beta": 1}, [0.00125, 0.005, 0.125, 0.5, 1.5]),
        ({}, [0.00125, 0.005, 0.125, 0.5, 1.5]),
        ({"beta": 1 / 9}, [0.01125, 0.045, 0.444444, 0.944444, 1.944444]),
        ({"sigma": 3}, [0.01125, 0.045, 0.444444, 0.944444, 1.944444]),
        ({"beta": 0}, [0.05, 0.1, 0.5, 1.0, 2.0]),
    ],
)
def test_smooth_l1(choice: dict[str, float], expected: list[float]) -> None:
    assert smooth_l1(-DISTANCES, torch.zeros(5), **choice).tolist() == pytest.approx(expected, abs=1e-6)


def test_smooth_l1_takes_one_notation() -> None:
    for choice in ({"beta": 1.0, "sigma": 3.0}, {"beta": -1.0}, {"sigma": 0.0}):
        with pytest.raises(UsageError):
            smooth_l1(DISTANCES, DISTANCES, **choice)


def some(seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner = torch.rand(50, 2, generator=generator) * 50
    return torch.cat([corner, corner + torch.rand(50, 2, generator=generator) * 40 + 1], 1)


def test_overlap_losses_are_one_less_torchvisions_measures() -> None:
    a, b = some(0), some(1)
    torch.testing.assert_close(giou_loss(a, b), 1 - torchvision.ops.generalized_box_iou(a, b).diagonal())
    torch.testing.assert_close(ciou_loss(a, b), 1 - torchvision.ops.complete_box_iou(a, b).diagonal())
    assert giou_loss(a, a).abs().max() < 1e-5 and ciou_loss(a, a).abs().max() < 1e-5


def test_overlap_losses_pull_boxes_that_do_not_touch() -> None:
    box, goal = torch.tensor([[0.0, 0, 10, 10]], requires_grad=True), torch.tensor([[30.0, 0, 40, 10]])
    for loss in (giou_loss, ciou_loss):
        (slope,) = torch.autograd.grad(loss(box, goal).sum(), box)
        assert (slope[0, [0, 2]] < 0).any() and slope.isfinite().all()


def test_overlap_losses_name_what_is_no_pair() -> None:
    with pytest.raises(UsageError, match="in pairs"):
        giou_loss(some(0), some(1)[:3])
    with pytest.raises(UsageError, match="predicted boxes"):
        ciou_loss(some(0)[:, :3], some(1))


def test_focal_is_torchvisions() -> None:
    generator = torch.Generator().manual_seed(0)
    logits, targets = torch.randn(200, generator=generator) * 4, torch.rand(200, generator=generator).round()
    for alpha, gamma in ((0.25, 2.0), (0.9, 0.5)):
        expected = torchvision.ops.sigmoid_focal_loss(logits, targets, alpha, gamma)
        torch.testing.assert_close(sigmoid_focal(logits, targets, alpha, gamma), expected)
    torch.testing.assert_close(
        sigmoid_focal(logits, targets, None, 2.0), torchvision.ops.sigmoid_focal_loss(logits, targets, -1)
    )


def test_quality_focal_with_yes_and_no_is_focal() -> None:
    logits, targets = torch.linspace(-3, 3, 8), torch.tensor([0.0, 1] * 4)
    torch.testing.assert_close(quality_focal(logits, targets, 2.0), sigmoid_focal(logits, targets, None, 2.0))


def test_quality_losses_are_least_at_the_quality() -> None:
    quality = torch.tensor([0.2, 0.5, 0.9])
    logits = torch.logit(quality).requires_grad_()
    for loss in (quality_focal, varifocal):
        (slope,) = torch.autograd.grad(loss(logits, quality).sum(), logits)
        assert slope.abs().max() < 1e-6


def test_half_precision_is_computed_in_float32() -> None:
    logits = torch.tensor([20.0, -20.0], dtype=torch.bfloat16)
    for loss in (sigmoid_focal, quality_focal, varifocal):
        value = loss(logits, torch.tensor([0.0, 1.0]))
        assert value.dtype == torch.float32 and value.isfinite().all()


def test_they_are_registered() -> None:
    assert {"smooth_l1", "giou_loss", "ciou_loss", "sigmoid_focal", "quality_focal", "varifocal"} <= set(LOSSES)
