"""Region pooling, crops, anchors, matching and sampling, against worked values and torchvision."""

from __future__ import annotations

from fractions import Fraction

import pytest
import torch
import torch.nn.functional as F
from torchvision.models.detection._utils import BalancedPositiveNegativeSampler, Matcher
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import MultiScaleRoIAlign

from anmok.core.boxes import clip, iou
from anmok.networks import _anchors, _matching, _regions
from anmok.networks._rpn import rpn_labels

COUNTING = torch.arange(64.0).reshape(1, 1, 8, 8)  # 8 · row + column


@pytest.mark.parametrize(
    ("inclusive", "stride", "size", "expected"),
    [
        ([0, 0, 6, 4], 1, 2, [[19, 22], [35, 38]]),
        ([0, 0, 6, 4], 1, 3, [[10, 12, 14], [26, 28, 30], [34, 36, 38]]),
        ([17, 33, 95, 79], 16, 2, [[27, 30], [43, 46]]),
        ([8, 8, 40, 40], 16, 2, [[18, 19], [26, 27]]),  # halves are rounded away from zero
    ],
)
def test_roi_pool(inclusive: list[int], stride: int, size: int, expected: list[list[int]]) -> None:
    """Worked on Caffe's boxes, which include their last pixel; ours end one pixel later."""
    x1, y1, x2, y2 = inclusive
    found = _regions.roi_pool(COUNTING, [torch.tensor([[x1, y1, x2 + 1.0, y2 + 1.0]])], size, stride)
    assert found[0, 0].tolist() == expected


def test_roi_align_is_torchvisions() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(2, 3, 256 // s, 320 // s, generator=generator) for s in (4, 8, 16, 32)]
    corner = torch.rand(40, 2, generator=generator) * 150
    boxes = torch.cat([corner, corner + torch.rand(40, 2, generator=generator) ** 3 * 1000 + 1], 1)
    boxes = clip(boxes, (256, 320))
    regions = [boxes[:25], boxes[25:]]
    theirs = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)(
        {str(i): x for i, x in enumerate(maps)}, regions, [(256, 320)] * 2
    )
    torch.testing.assert_close(_regions.roi_align(maps, regions, 7, [4, 8, 16, 32]), theirs)


@pytest.mark.parametrize(
    ("length", "count", "expected"),
    [
        (13, 6, [(0, 3), (2, 5), (4, 7), (6, 9), (8, 11), (10, 13)]),
        (13, 3, [(0, 5), (4, 9), (8, 13)]),
        (13, 2, [(0, 7), (6, 13)]),
        (13, 1, [(0, 13)]),
        (10, 6, [(0, 2), (1, 4), (3, 5), (5, 7), (6, 9), (8, 10)]),
        (5, 6, [(0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 5)]),
    ],
)
def test_pyramid_bins(length: int, count: int, expected: list[tuple[int, int]]) -> None:
    assert _regions.bins(length, count) == expected
    x = torch.randperm(length * length).float().reshape(1, 1, length, length)
    pooled = [[x[0, 0, a:b, c:d].max().item() for c, d in expected] for a, b in expected]
    assert F.adaptive_max_pool2d(x, count)[0, 0].tolist() == pooled


def test_pyramid_on_the_whole_map_is_fixed_pooling() -> None:
    """13 × 13 cells: kernels and strides 3/2, 5/4, 7/6 and 13/13."""
    x = torch.randn(2, 4, 13, 13)
    fixed = [F.max_pool2d(x, k, s).flatten(1) for k, s in ((13, 13), (7, 6), (5, 4), (3, 2))]
    assert torch.equal(_regions.pyramid_pool(x), torch.cat(fixed, 1))
    assert _regions.pyramid_pool(x).shape == (2, 4 * 50)


def test_pyramid_of_regions_is_the_pyramid_of_their_cells() -> None:
    x = torch.randn(2, 4, 12, 20)
    boxes = torch.tensor([[0, 0, 320, 192.0], [17, 33, 95, 79], [100, 100, 101, 101], [310, 180, 400, 300]])
    cells = [(0, 12, 0, 20), (2, 5, 1, 6), (6, 7, 6, 7), (11, 12, 19, 20)]  # rows, columns
    found = _regions.pyramid_pool_regions(x, [boxes[:3], boxes[3:]], stride=16)
    for i, (top, bottom, left, right) in enumerate(cells):
        own = x[int(i == 3), :, top:bottom, left:right]
        torch.testing.assert_close(found[i], _regions.pyramid_pool(own[None])[0])


def test_the_largest_value_of_each_bin_learns() -> None:
    """Gradients are those of pooling every region by itself."""
    x = torch.randn(2, 4, 12, 20)
    boxes = torch.tensor([[0, 0, 160, 96.0], [17, 33, 95, 79], [100, 30, 131, 90], [8, 8, 9, 9]])
    weights = torch.randn(4, 4 * 50)
    cells = [(0, 12, 0, 20), (4, 10, 2, 12), (3, 12, 12, 17), (1, 2, 1, 2)]  # rows, columns at stride 8
    grads = []
    for pooled in (
        lambda x: _regions.pyramid_pool_regions(x, [boxes[:2], boxes[2:]], stride=8),
        lambda x: torch.cat([_regions.pyramid_pool(x[int(i > 1), None, :, a:b, c:d])
                             for i, (a, b, c, d) in enumerate(cells)]),
    ):  # fmt: skip
        leaf = x.clone().requires_grad_()
        (pooled(leaf) * weights).sum().backward()
        grads.append(leaf.grad)
    torch.testing.assert_close(*grads)


@pytest.mark.parametrize(
    ("inclusive", "window", "place"),
    [
        ([101, 51, 300, 150], [85, 43, 317, 159], (0, 0, 227, 227)),
        ([1, 1, 100, 100], [1, 1, 109, 109], (16, 16, 227, 227)),
    ],
)
def test_crop_with_context(inclusive: list[int], window: list[int], place: tuple[int, ...]) -> None:
    """On a picture of 500 × 375; worked on boxes counted from 1 that include their last pixel."""
    x1, y1, x2, y2 = inclusive
    (cut,), (pasted,) = _regions.context_windows(torch.tensor([[x1 - 1.0, y1 - 1, x2, y2]]), (375, 500))
    assert (cut + torch.tensor([1, 1, 0, 0])).tolist() == window
    assert pasted.tolist() == list(place)


def test_warped_crop_shows_the_region_and_leaves_the_outside_empty() -> None:
    picture = torch.ones(1, 3, 375, 500)
    picture[:, :, :100, :100] = 5
    crop = _regions.warp(picture, [torch.tensor([[0.0, 0, 100, 100]])])[0]
    assert torch.equal(crop[:, :16], torch.zeros(3, 16, 227))
    torch.testing.assert_close(crop[:, 20:205, 20:205], torch.full((3, 185, 185), 5.0))
    torch.testing.assert_close(crop[:, 220:, 20:], torch.ones(3, 7, 207))


def crop_by_hand(picture: torch.Tensor, box: list[float], size: int, context: int) -> torch.Tensor:
    """The authors' program for one region, in fractions; torch's interpolation for the window."""
    crop, spans = torch.zeros(picture.shape[0], size, size), []
    for low, high, end in ((box[0], box[2], picture.shape[2]), (box[1], box[3], picture.shape[1])):
        half = (Fraction(high) - Fraction(low)) / 2
        centre, reach = Fraction(low) + 1 + half, half * size / (size - 2 * context)
        start, stop = rounded(centre - reach), rounded(centre + reach)
        zoom, first, last = Fraction(size, stop - start + 1), max(1, start), min(end, stop)
        pad = rounded(max(0, 1 - start) * zoom)
        spans.append((first - 1, last, pad, pad + max(1, min(rounded((last - first + 1) * zoom), size - pad))))
    (left, right, x1, x2), (top, bottom, y1, y2) = spans
    if left < right and top < bottom:
        window = picture[None, :, top:bottom, left:right]
        crop[:, y1:y2, x1:x2] = F.interpolate(window, (y2 - y1, x2 - x1), mode="bilinear")[0]
    return crop


def rounded(value: Fraction | int) -> int:
    """Halves away from zero."""
    return int(abs(value) + Fraction(1, 2)) * (1 if value >= 0 else -1)


@pytest.mark.parametrize(("size", "context"), [(40, 3), (32, 2), (16, 1)])
def test_crops_one_by_one_and_all_at_once(size: int, context: int) -> None:
    """Whole corners, of which some fall on halves; corners between; regions that touch and cross the edges."""
    generator = torch.Generator().manual_seed(size)
    pictures = torch.randn(2, 3, 60, 90, generator=generator)
    corner = torch.rand(60, 2, generator=generator) * torch.tensor([80.0, 50])
    boxes = torch.cat([corner, corner + 1 + torch.rand(60, 2, generator=generator) * 40], 1)
    boxes[:40] = boxes[:40].round()
    boxes[40] = torch.tensor([0.0, 0, 90, 60])
    boxes[41] = torch.tensor([3.0, 5, 3 + size - 2 * context, 5 + size - 2 * context])
    boxes[42] = torch.tensor([120.0, 10, 140, 30])  # outside
    found = _regions.warp(pictures, [boxes[:25], boxes[25:]], size, context)
    numbered = _regions.numbered([boxes[:25], boxes[25:]])
    windows = _regions.context_windows(boxes, (60, 90), size, context)
    together = _regions._looked_up(pictures, numbered[:, 0].long(), *windows, size)
    for row, box in enumerate(boxes.tolist()):
        expected = crop_by_hand(pictures[int(row >= 25)], box, size, context)
        torch.testing.assert_close(found[row], expected, atol=0, rtol=0)
        torch.testing.assert_close(together[row], expected, atol=2e-5, rtol=0)
    assert not found[42].any() and found[41].all()


def test_regions_outside_the_picture_do_not_stop_the_crop() -> None:
    picture = torch.ones(1, 3, 40, 50)
    wild = torch.tensor([[-30.0, -30, -20, -20], [60, 60, 90, 90], [10, 10, 10.2, 10.2], [-100, -100, 200, 200]])
    assert _regions.warp(picture, [wild], 32, 2).isfinite().all()


PUBLISHED = [  # as printed by the authors, counted from 1
    [-83, -39, 100, 56], [-175, -87, 192, 104], [-359, -183, 376, 200],
    [-55, -55, 72, 72], [-119, -119, 136, 136], [-247, -247, 264, 264],
    [-35, -79, 52, 96], [-79, -167, 96, 184], [-167, -343, 184, 360],
]  # fmt: skip


def test_published_anchors() -> None:
    inclusive = _anchors.published() - torch.tensor([0, 0, 1, 1])
    assert inclusive.tolist() == PUBLISHED


def test_published_anchors_of_a_picture() -> None:
    """A picture of 1000 × 600 has 62 × 37 cells."""
    found = _anchors.over_map(_anchors.published(), 37, 62, (16, 16))
    assert len(found) == 20_646
    assert int((clip(found, (600, 1000)) == found).all(1).sum()) == 7_790


def test_centred_anchors_are_torchvisions() -> None:
    assert _anchors.centred([128])[0].tolist() == [-91, -45, 91, 45]
    generator = AnchorGenerator(((32,), (64, 100)), ((0.5, 1.0, 2.0),) * 2)
    maps = [torch.zeros(1, 1, 12, 17), torch.zeros(1, 1, 6, 9)]
    theirs = generator(ImageList(torch.zeros(1, 3, 100, 140), [(100, 140)]), maps)[0]
    ours = [
        _anchors.over_map(_anchors.centred(sizes), *x.shape[2:], (100 // x.shape[2], 140 // x.shape[3]))
        for sizes, x in (((32,), maps[0]), ((64, 100), maps[1]))
    ]
    assert torch.equal(torch.cat(ours), theirs)


ANCHORS = [[0, 0, 99, 99], [20, 20, 119, 119], [100, 0, 199, 99], [150, 150, 249, 249], [0, 100, 49, 149],
           [50, 0, 149, 99]]  # fmt: skip
TRUTHS = [[10, 10, 109, 109], [130, 130, 189, 189]]


def half_open(inclusive: list[list[int]]) -> torch.Tensor:
    return torch.tensor(inclusive).float() + torch.tensor([0, 0, 1, 1])


def test_worked_anchors_and_labels() -> None:
    anchors, truths = half_open(ANCHORS), half_open(TRUTHS)
    best = iou(truths, anchors).amax(0)
    assert best.tolist() == pytest.approx([0.680672, 0.680672, 0.047120, 0.133333, 0.033058, 0.369863], abs=1e-6)
    labels, wanted = rpn_labels(anchors, truths)
    assert labels.tolist() == [1, 1, 0, 1, 0, -1]
    assert torch.equal(wanted[3], truths[1])
    matcher = Matcher(0.7, 0.3, allow_low_quality_matches=True)
    assert torch.equal(_matching.match(iou(truths, anchors), 0.7, 0.3, best_too=True), matcher(iou(truths, anchors)))


@pytest.mark.parametrize("best_too", [False, True])
def test_matching_is_torchvisions(best_too: bool) -> None:
    generator = torch.Generator().manual_seed(0)
    overlaps = (torch.rand(5, 400, generator=generator) * 20).round() / 20  # many ties
    theirs = Matcher(0.7, 0.3, allow_low_quality_matches=best_too)(overlaps)
    assert torch.equal(_matching.match(overlaps, 0.7, 0.3, best_too=best_too), theirs)


def test_an_object_that_no_anchor_touches_matches_none() -> None:
    """torchvision would call every anchor its best."""
    overlaps = torch.tensor([[0.0, 0.0], [0.8, 0.1]])
    assert _matching.match(overlaps, 0.7, 0.3, best_too=True).tolist() == [1, _matching.BACKGROUND]
    assert _matching.match(torch.zeros(0, 3), 0.7, 0.3).tolist() == [_matching.BACKGROUND] * 3


def test_anchors_across_the_edge_do_not_learn() -> None:
    labels, _ = rpn_labels(half_open(ANCHORS), half_open(TRUTHS), torch.tensor([True, False, True, True, True, True]))
    assert labels.tolist() == [1, -1, 0, 1, 0, -1]


@pytest.mark.parametrize(
    ("yes", "no", "expected"), [(300, 5000, (128, 128)), (3, 5000, (3, 253)), (300, 20, (128, 20))]
)
def test_sampling(yes: int, no: int, expected: tuple[int, int]) -> None:
    """Numbers as torchvision's sampler draws them; every index of its kind, none twice."""
    labels = torch.cat([torch.ones(yes), torch.zeros(no), torch.full((50,), -1.0)])
    theirs = BalancedPositiveNegativeSampler(256, 0.5)([labels])
    chosen = _matching.sample(labels == 1, labels == 0, 256, 0.5)
    assert tuple(map(len, chosen)) == expected == (int(theirs[0][0].sum()), int(theirs[1][0].sum()))
    assert (labels[chosen[0]] == 1).all() and (labels[chosen[1]] == 0).all()
    assert len(torch.cat(chosen).unique()) == sum(expected)
