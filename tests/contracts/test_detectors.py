"""What every registered detector promises, whoever wrote it."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from anmok import networks
from anmok.core.errors import UsageError
from anmok.networks._card import Card
from anmok.networks._detector import Detector

ALL = list(networks.OF_TASK["detect"])
# A form of each that is computed with in a moment; the published sizes are checked on the meta device and in FACTS.
SMALL: dict[str, dict[str, Any]] = {
    "anchor_free": {"width": 16},
    "fast_rcnn": {"encoder": "small_resnet", "hidden": 32},
    "faster_rcnn": {"encoder": "small_resnet", "hidden": 32, "sizes": (8, 16, 32)},
    "fasterrcnn_resnet50_fpn": {"encoder": "small_resnet", "hidden": 32, "sizes": (8, 16, 32)},
    "maskrcnn_resnet50_fpn": {"encoder": "small_resnet", "hidden": 32, "sizes": (8, 16, 32)},
    "rcnn": {"encoder": "small_resnet", "crop": 16},
    "sppnet": {"encoder": "small_resnet", "hidden": 32},
    "yolo_v1": {"input_size": 64},
    "yolo_v1_darknet": {"input_size": 64},
    "yolo_v1_small": {"width": 8},
    "yolo_v1_tiny": {"input_size": 64},
}
HEAVY = {"yolo_v1", "yolo_v1_darknet"}  # sixty million weights in the convolutions alone
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name in HEAVY else name for name in ALL]
ONE_STAGE = ["anchor_free", "yolo_v1_small", "yolo_v1_tiny"]


def small(name: str, num_classes: int = 3, **kwargs: Any) -> nn.Module:
    torch.manual_seed(0)
    net = networks.build(name, num_classes=num_classes, **SMALL[name], **kwargs)
    if hasattr(net, "rpn"):
        net.rpn.after, net.roi_heads.count = (20, 20), 16
    return net


def pictures(count: int = 2, channels: int = 3, size: int = 64) -> Tensor:
    return torch.randn(count, channels, size, size, generator=torch.Generator().manual_seed(0))


def targets(*many: int) -> list[dict[str, Tensor]]:
    """One picture a number, with so many objects, each a mask too, and eight regions."""
    generator, found = torch.Generator().manual_seed(1), []
    for count in many:
        corner = torch.rand(count, 2, generator=generator) * 30
        boxes = torch.cat([corner, corner + 14 + torch.rand(count, 2, generator=generator) * 16], 1)
        start = torch.rand(8, 2, generator=generator) * 40
        regions = torch.cat([start, start + 4 + torch.rand(8, 2, generator=generator) * 20], 1)
        masks = torch.zeros(count, 64, 64, dtype=torch.bool)
        for mask, box in zip(masks, boxes.round().long().tolist(), strict=True):
            mask[box[1] : box[3], box[0] : box[2]] = True
        labels = torch.arange(count) % 3
        found.append({"boxes": boxes, "labels": labels, "masks": masks, "regions": regions})
    return found


def test_every_detector_has_a_small_form_here() -> None:
    assert set(SMALL) == set(ALL)


@pytest.mark.parametrize("name", ALL)
def test_signature(name: str) -> None:
    """Plain keywords: at most eight, all but the first two by name, with defaults."""
    parameters = inspect.signature(networks.OF_TASK["detect"][name]).parameters
    assert list(parameters)[:2] == ["num_classes", "in_channels"]
    assert "weights" in parameters and len(parameters) <= 8
    assert all(p.default is not inspect.Parameter.empty for p in parameters.values())
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in list(parameters.values())[2:])


@pytest.mark.parametrize("name", ALL)
def test_card_is_complete(name: str) -> None:
    card = networks.card(name)
    assert isinstance(card, Card)
    for field in ("title", "idea", "fixed", "cost", "reach_for", "avoid"):
        assert len(getattr(card, field)) > (3 if field == "title" else 40), field
    assert max(map(len, str(card).splitlines())) <= 88
    assert len({str(networks.card(other)) for other in ALL}) == len(ALL)


@pytest.mark.parametrize("name", NAMES)
def test_learns_and_answers(name: str) -> None:
    """Losses are finite scalars that reach every learning parameter; answers are boxes within the picture."""
    net = small(name)
    assert isinstance(net, Detector)
    truths = targets(2, 3)
    parts = net.train().losses(net(pictures(), truths), truths)
    assert all(part.shape == () and part.dtype == torch.float32 and part.isfinite() for part in parts.values())
    sum(parts.values()).backward()
    untouched = [key for key, p in net.named_parameters() if p.requires_grad and p.grad is None]
    assert untouched == []
    with torch.no_grad():
        assert len(net.eval()(pictures())) > 0  # whoever takes regions then sees the whole picture as one
        outputs = net(pictures(), truths if net.takes_regions else None)
        found = net.detect(outputs, [(64, 64), (40, 50)], score=0.0, nms=0.5, limit=7)
    assert len(found) == 2
    for own, (height, width) in zip(found, [(64, 64), (40, 50)], strict=True):
        assert len(own["boxes"]) == len(own["labels"]) == len(own["scores"]) <= 7
        assert own["boxes"].dtype == torch.float32 and own["labels"].dtype == torch.int64
        assert (own["boxes"][:, 2:] > own["boxes"][:, :2]).all() and (own["boxes"] >= 0).all()
        assert (own["boxes"][:, 2] <= width).all() and (own["boxes"][:, 3] <= height).all()
        assert torch.equal(own["scores"], own["scores"].sort(descending=True).values)
        assert ((own["labels"] >= 0) & (own["labels"] < 3)).all()
        assert ((own["scores"] >= 0) & (own["scores"] <= 1)).all()
    nothing = net.detect(outputs, score=1.0)
    assert [len(own["boxes"]) for own in nothing] == [0, 0]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("many", [(0, 2), (0, 0)])
def test_pictures_without_objects_teach_background(name: str, many: tuple[int, int]) -> None:
    net, truths = small(name).train(), targets(*many)
    parts = net.losses(net(pictures(), truths), truths)
    total = sum(parts.values())
    assert total.isfinite() and total > 0
    total.backward()


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_and_channels_last(name: str) -> None:
    """bf16 autocast answers about the same losses as float32, in any memory layout."""
    net, truths = small(name).train(), targets(2, 1)
    for module in net.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0

    def total(x: Tensor, half: bool) -> float:
        torch.manual_seed(0)
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            outputs = net(x, truths)
        return sum(net.losses(outputs, truths).values()).item()

    exact = total(pictures(), half=False)
    assert total(pictures().contiguous(memory_format=torch.channels_last), half=True) == pytest.approx(exact, rel=0.1)


@pytest.mark.parametrize("name", NAMES)
def test_state_dict_round_trip(name: str) -> None:
    net, truths = small(name).eval(), targets(1, 1)
    with torch.device("meta"):
        other = small(name)
    other.load_state_dict(net.state_dict(), assign=True)
    for key, value in net.named_buffers():  # those that the state does not hold
        if key not in net.state_dict():
            parent, _, own = key.rpartition(".")
            setattr(other.get_submodule(parent), own, value)
    if hasattr(net, "rpn"):
        other.rpn.shapes = net.rpn.shapes
    with torch.no_grad():
        first, second = (one.detect(one(pictures(), truths), score=0.0, limit=3) for one in (net, other.eval()))
    for own, twin in zip(first, second, strict=True):
        assert all(torch.equal(own[key], twin[key]) for key in own)


@pytest.mark.parametrize("name", NAMES)
def test_any_number_of_channels(name: str) -> None:
    net = small(name, in_channels=1).eval()
    assert net.accepts.channels == 1
    with torch.no_grad():
        net(pictures(channels=1), targets(1, 1))
    with pytest.raises(UsageError, match="channels"):
        net(pictures(), targets(1, 1))


@pytest.mark.parametrize("name", NAMES)
def test_wrong_targets_are_named(name: str) -> None:
    net, truths = small(name).train(), targets(1, 2)
    outputs = net(pictures(), truths)
    for bad, said in (
        (truths[:1], "differ in number"),
        ([truths[0], {**truths[1], "labels": torch.tensor([0, 3])}], "outside the class list"),
        ([truths[0], {**truths[1], "labels": torch.tensor([0])}], "do not fit each other"),
    ):
        with pytest.raises(UsageError, match=said):
            net(pictures(), bad)
            net.losses(outputs, bad)
    if net.takes_regions:
        with pytest.raises(UsageError, match="regions it is given"):
            net(pictures(), [{"boxes": truth["boxes"], "labels": truth["labels"]} for truth in truths])


@pytest.mark.parametrize("name", ONE_STAGE)
def test_forward_exports(name: str) -> None:
    """A static graph down to what suppression is given, with any batch; any size where the network takes any."""
    net = small(name).eval()
    one_size = net.accepts.smallest == net.accepts.natural
    dynamic = {0: torch.export.Dim("n")}
    if not one_size:
        dynamic |= {2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC}

    class Candidates(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.net = net

        def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
            return self.net.candidates(self.net(x))

    program = torch.export.export(Candidates(), (pictures(),), dynamic_shapes=(dynamic,), strict=False)
    x = pictures(3) if one_size else torch.randn(3, 3, 96, 128)
    with torch.no_grad():
        expected = Candidates()(x)
    for own, other in zip(program.module()(x), expected, strict=True):
        torch.testing.assert_close(own, other)
