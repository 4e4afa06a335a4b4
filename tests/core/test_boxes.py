"""Box arithmetic against torchvision, hand-worked values, and its own inverses."""

from __future__ import annotations

import pytest
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torchvision.models.detection._utils import BoxCoder

from anmok.core import boxes
from anmok.core.errors import UsageError

# The five boxes whose suppression was worked by hand.
FIVE = torch.tensor([[10, 10, 50, 50], [12, 12, 52, 52], [10, 10, 50, 90], [60, 60, 100, 100], [62, 58, 98, 102.0]])
SCORES = torch.tensor([0.9, 0.8, 0.7, 0.6, 0.95])


def some(count: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    corner, size = torch.rand(count, 2, generator=generator) * 80, torch.rand(count, 2, generator=generator) * 40 + 0.5
    return torch.cat([corner, corner + size], 1)


def test_overlaps_of_the_five() -> None:
    found = boxes.iou(FIVE, FIVE)
    expected = {(0, 1): 0.8223, (0, 2): 0.5, (1, 2): 0.4634, (3, 4): 0.8257}
    for (a, b), value in expected.items():
        assert found[a, b].item() == pytest.approx(value, abs=5e-5)
    assert boxes.iou(FIVE, FIVE, inclusive=True)[0, 2].item() == pytest.approx(0.5062, abs=5e-5)


def test_overlaps_are_torchvisions() -> None:
    a, b = some(30), some(20, 1)
    torch.testing.assert_close(boxes.iou(a, b), torchvision.ops.box_iou(a, b))
    torch.testing.assert_close(boxes.area(a), torchvision.ops.box_area(a))


def test_boxes_without_area_overlap_nothing() -> None:
    flat = torch.tensor([[5.0, 5.0, 5.0, 5.0], [9.0, 9.0, 3.0, 3.0]])
    assert torch.equal(boxes.iou(flat, flat), torch.zeros(2, 2))


@pytest.mark.parametrize(
    ("threshold", "inclusive", "kept"),
    [
        (0.3, False, [4, 0]),
        (0.5, False, [4, 0, 2]),  # an overlap of exactly the threshold survives
        (0.7, False, [4, 0, 2]),
        (0.85, False, [4, 0, 1, 2, 3]),
        (0.5, True, [4, 0]),
    ],
)
def test_suppression(threshold: float, inclusive: bool, kept: list[int]) -> None:
    assert boxes.nms(FIVE, SCORES, threshold, inclusive).tolist() == kept


def test_suppression_by_class_keeps_classes_apart() -> None:
    labels = torch.tensor([0, 1, 0, 0, 0])
    assert boxes.nms_by_class(FIVE, SCORES, labels, 0.3).tolist() == [4, 0, 1]


def test_soft_suppression() -> None:
    """Gaussian: 1 loses exp(-.8223² / .5) of its score to 0 alone, 4 does not touch it."""
    kept, scores = boxes.soft_nms(FIVE[:2], SCORES[:2], sigma=0.5)
    assert kept.tolist() == [0, 1]
    overlap = boxes.iou(FIVE[:1], FIVE[1:2]).item()
    assert scores.tolist() == pytest.approx([0.9, 0.8 * 2.718281828 ** (-(overlap**2) / 0.5)])
    kept, scores = boxes.soft_nms(FIVE[:2], SCORES[:2], sigma=None, threshold=0.3)
    assert scores.tolist() == pytest.approx([0.9, 0.8 * (1 - overlap)])
    kept, _ = boxes.soft_nms(FIVE, SCORES, sigma=None, threshold=0.3, lowest=0.2)
    assert kept.tolist() == [4, 0, 2]  # 2 overlaps 0 by .5: .35 is left; 1 and 3 fall below .2
    assert boxes.soft_nms(FIVE[:0], SCORES[:0])[0].tolist() == []


def test_soft_suppression_leaves_other_classes_alone() -> None:
    labels = torch.tensor([0, 1, 0, 0, 1])
    kept, scores = boxes.soft_nms(FIVE, SCORES, labels)
    for label in (0, 1):
        own = (labels == label).nonzero()[:, 0]
        alone, left = boxes.soft_nms(FIVE[own], SCORES[own])
        here = labels[kept] == label
        assert kept[here].tolist() == own[alone].tolist()
        assert scores[here].tolist() == pytest.approx(left.tolist())
    best, _ = boxes.soft_nms(FIVE, SCORES, labels, limit=2)
    assert best.tolist() == kept[:2].tolist()


def test_deltas_are_torchvisions() -> None:
    objects, references = some(40), some(40, 1)
    coder = BoxCoder((10.0, 10.0, 5.0, 5.0))
    stds = (0.1, 0.1, 0.2, 0.2)
    deltas = boxes.encode(objects, references, stds=stds)
    torch.testing.assert_close(deltas, coder.encode_single(objects, references))
    back = boxes.decode(deltas, references, stds=stds)
    torch.testing.assert_close(back, coder.decode_single(deltas, references))
    torch.testing.assert_close(back, objects, rtol=1e-4, atol=1e-4)


def test_growth_is_limited() -> None:
    found = boxes.decode(torch.tensor([0.0, 0.0, 99.0, 0.0]), torch.tensor([0.0, 0.0, 16.0, 16.0]))
    assert (found[2] - found[0]).item() == pytest.approx(1000)


def test_targets_of_the_published_anchors() -> None:
    """Inclusive boxes: GT0 and GT1 against four anchors."""
    truth, second = torch.tensor([10.0, 10, 109, 109]), torch.tensor([130.0, 130, 189, 189])
    cases = [
        (truth, [0, 0, 99, 99], [0.1, 0.1, 0, 0]),
        (truth, [20, 20, 119, 119], [-0.1, -0.1, 0, 0]),
        (second, [150, 150, 249, 249], [-0.4, -0.4, -0.510826, -0.510826]),
    ]
    for box, anchor, expected in cases:
        found = boxes.encode(box, torch.tensor(anchor).float(), inclusive=True)
        assert found.tolist() == pytest.approx(expected, abs=1e-6)


@given(
    st.lists(st.tuples(*[st.floats(0, 90, width=32)] * 2, *[st.floats(0.5, 60, width=32)] * 2), min_size=1, max_size=8),
    st.booleans(),
)
def test_decoding_undoes_encoding(corners: list[tuple[float, ...]], inclusive: bool) -> None:
    objects = torch.tensor([[x, y, x + w, y + h] for x, y, w, h in corners])
    references = some(len(objects), 3)
    deltas = boxes.encode(objects, references, means=(0.1, 0, 0, 0.2), stds=(0.1, 0.1, 0.2, 0.2), inclusive=inclusive)
    back = boxes.decode(deltas, references, means=(0.1, 0, 0, 0.2), stds=(0.1, 0.1, 0.2, 0.2), inclusive=inclusive)
    grown = (objects - references)[:, 2:] + references[:, 2:] - objects[:, :2]
    fits = (grown / (references[:, 2:] - references[:, :2]) < 60).all(1)
    torch.testing.assert_close(back[fits], objects[fits], rtol=1e-3, atol=1e-2)


def test_clipping_is_torchvisions() -> None:
    wild = some(20) * 3 - 50
    torch.testing.assert_close(boxes.clip(wild, (60, 90)), torchvision.ops.clip_boxes_to_image(wild, (60, 90)))


def test_what_is_no_box_is_named() -> None:
    with pytest.raises(UsageError, match=r"int64 \(2, 4\)"):
        boxes.iou(torch.zeros(2, 4, dtype=torch.int64), FIVE)
    with pytest.raises(UsageError, match=r"\(2, 3\)"):
        boxes.nms(torch.zeros(2, 3), SCORES[:2], 0.5)
