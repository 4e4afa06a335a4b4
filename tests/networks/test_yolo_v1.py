"""YOLO v1's loss and layout against values worked by hand."""

from __future__ import annotations

import pytest
import torch

from anmok import networks
from anmok.core.errors import UsageError
from anmok.networks._yolo import CellMajor, PlaneMajor
from anmok.networks._yolo_loss import Grid, darknet_cost, on_grid, responsible, yolo_loss

# One object: centre (.5, .5), .4 × .2 of the picture, class 7.
TARGET = {"boxes": torch.tensor([[0.3, 0.4, 0.7, 0.6]]) * 448, "labels": torch.tensor([7])}


def worked() -> Grid:
    boxes, classes = torch.zeros(1, 7, 7, 2, 4), torch.zeros(1, 7, 7, 20)
    confidences = torch.full((1, 7, 7, 2), 0.1)
    boxes[0, 3, 3] = torch.tensor([[0.5, 0.5, 0.6, 0.5], [0.7, 0.5, 0.5, 0.4]])
    confidences[0, 3, 3] = torch.tensor([0.6, 0.3])
    classes[0, 3, 3, 7], classes[0, 3, 3, 0] = 0.8, 0.1
    return Grid(boxes, confidences, classes)


def test_the_object_falls_into_its_cell() -> None:
    truth = on_grid([TARGET], (7, 7), 64)
    assert truth.present.nonzero().tolist() == [[0, 3, 3]]
    assert truth.boxes[0, 3, 3].tolist() == pytest.approx([0.5, 0.5, 0.4, 0.2])
    assert truth.labels[0, 3, 3] == 7


def test_the_predictor_that_overlaps_more_answers() -> None:
    chosen, overlap = responsible(worked().boxes, on_grid([TARGET], (7, 7), 64))
    assert overlap[0, 3, 3].tolist() == pytest.approx([0.734694, 0.5], abs=1e-6)
    assert chosen.nonzero().tolist() == [[0, 3, 3, 0]]


def test_where_nothing_overlaps_the_nearest_answers() -> None:
    grid = worked()
    grid.boxes[0, 3, 3] = torch.tensor([[-3.0, 0.5, 0.1, 0.1], [-2.0, 0.5, 0.1, 0.1]])
    chosen, overlap = responsible(grid.boxes, on_grid([TARGET], (7, 7), 64))
    assert overlap[0, 3, 3].tolist() == [0, 0]
    assert chosen.nonzero().tolist() == [[0, 3, 3, 1]]


def test_the_papers_sum() -> None:
    parts = yolo_loss(worked(), on_grid([TARGET], (7, 7), 64))
    values = {name: part.item() for name, part in parts.items()}
    assert values == pytest.approx(
        {"places": 0, "sizes": 0.019199, "objects": 0.018142, "background": 0.045 + 0.48, "classes": 0.05}, abs=1e-6
    )
    assert sum(values.values()) == pytest.approx(0.612341, abs=1e-6)


def test_confidence_one_instead_of_overlap() -> None:
    parts = yolo_loss(worked(), on_grid([TARGET], (7, 7), 64), rescore=False)
    assert sum(parts.values()).item() == pytest.approx(0.754199, abs=1e-6)


def test_darknets_figure() -> None:
    assert darknet_cost(yolo_loss(worked(), on_grid([TARGET], (7, 7), 64))).item() == pytest.approx(0.426637, abs=1e-6)


def test_darknets_delta_is_minus_half_the_papers_gradient() -> None:
    grid = Grid(*(part.requires_grad_() for part in worked()))
    sum(yolo_loss(grid, on_grid([TARGET], (7, 7), 64)).values()).backward()
    assert -grid.confidences.grad[0, 3, 3, 0].item() / 2 == pytest.approx(0.734694 - 0.6, abs=1e-6)  # object_scale 1
    assert -grid.confidences.grad[0, 0, 0, 0].item() / 2 == pytest.approx(0.5 * (0 - 0.1))  # noobject_scale .5
    assert -grid.boxes.grad[0, 3, 3, 0, 2].item() / 2 == pytest.approx(5 * (0.4**0.5 - 0.6))  # coord_scale 5


def test_a_batch_counts_a_pictures_mean() -> None:
    double = Grid(*(torch.cat([part, part]) for part in worked()))
    parts = yolo_loss(double, on_grid([TARGET, TARGET], (7, 7), 64))
    assert sum(parts.values()).item() == pytest.approx(0.612341, abs=1e-6)


def test_one_object_a_cell() -> None:
    two = {"boxes": torch.tensor([[0.3, 0.4, 0.7, 0.6], [0.45, 0.4, 0.55, 0.6]]) * 448, "labels": torch.tensor([7, 3])}
    assert on_grid([two], (7, 7), 64).labels[0, 3, 3] == 7
    torch.manual_seed(0)
    drawn = {int(on_grid([two], (7, 7), 64, shuffle=True).labels[0, 3, 3]) for _ in range(20)}
    assert drawn == {7, 3}


def test_layouts_hold_the_same_numbers() -> None:
    """Cells first (paper) and planes first (darknet), written out for one cell and predictor."""
    paper = CellMajor((7, 7), 2)(torch.arange(1470.0)[None])
    cell = 30 * (7 * 2 + 5)
    assert paper.boxes[0, 2, 5, 1].tolist() == [cell + 5 + k for k in range(4)]
    assert (paper.confidences[0, 2, 5, 0], paper.classes[0, 2, 5, 3]) == (cell + 4, cell + 10 + 3)
    darknet = PlaneMajor((7, 7), 3, 20)(torch.arange(1715.0)[None])
    place = 7 * 2 + 5
    assert darknet.classes[0, 2, 5, 3] == 20 * place + 3
    assert darknet.confidences[0, 2, 5, 1] == 980 + 3 * place + 1
    assert darknet.boxes[0, 2, 5, 1].tolist() == [980 + 147 + (3 * place + 1) * 4 + k for k in range(4)]


def test_answers_in_pixels() -> None:
    net = networks.yolo_v1_small(20)
    net.stride = 64
    found = net.detect(worked(), [(448, 448)], score=0.2, nms=0.5)[0]
    assert len(found["boxes"]) == 2  # A at .48; B at .24 overlaps it by less than a half
    assert found["scores"].tolist() == pytest.approx([0.48, 0.24])
    assert found["labels"].tolist() == [7, 7]
    assert found["boxes"][0].tolist() == pytest.approx([0.32 * 448, 0.375 * 448, 0.68 * 448, 0.625 * 448], abs=1e-3)


COUNTS = {  # all, convolutions
    "yolo_v1": (271_703_550, 60_155_968),
    "yolo_v1_darknet": (197_301_875, 60_169_152),
    "yolo_v1_tiny": (27_095_374, 8_654_224),
}
ANSWERS = {"yolo_v1": 1470, "yolo_v1_darknet": 1715, "yolo_v1_tiny": 1470}


@pytest.mark.parametrize("name", COUNTS)
def test_counts_and_answers(name: str) -> None:
    with torch.device("meta"):
        net = getattr(networks, name)()
        grid = net(torch.zeros(2, 3, 448, 448))
    whole = sum(p.numel() for p in net.parameters())
    assert (whole, sum(p.numel() for p in net.convolutions.parameters())) == COUNTS[name]
    assert sum(part[0].numel() for part in grid) == ANSWERS[name]
    assert grid.boxes.shape[1:3] == (7, 7)


def test_local_layer_is_a_convolution_where_kernels_are_alike() -> None:
    from anmok.networks.yolo_v1_darknet import Local

    local, x = Local(3, 5, (4, 6)), torch.randn(2, 3, 4, 6)
    with torch.no_grad():
        local.weight.copy_(local.weight[:1].expand_as(local.weight).clone())
    expected = torch.nn.functional.conv2d(x, local.weight[0], padding=1)
    torch.testing.assert_close(local(x), expected)


def test_sizes_are_multiples_of_the_stride() -> None:
    with torch.device("meta"):
        assert networks.yolo_v1(5, input_size=192)(torch.zeros(1, 3, 192, 192)).boxes.shape == (1, 3, 3, 2, 4)
    with pytest.raises(UsageError, match="input_size=192"):
        networks.yolo_v1(5, input_size=200)
