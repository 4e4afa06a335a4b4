"""A shipped detector answers as the network does, from the file to boxes in the original's pixels."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.models.detection.roi_heads import paste_masks_in_image

import anmok
from anmok.core.preparation import Preparation
from anmok.core.types import Prediction
from anmok.data.stores import PathPictures
from anmok.engine.devices import choose
from anmok.networks import build
from anmok.networks._detector import select
from anmok.ship.answers.detect import OUTPUTS, pasted
from anmok.ship.artefact import Artefact, Manifest, write_artefact
from anmok.ship.gate import compare
from anmok.ship.graph import to_onnx
from anmok.ship.runtime import Model
from anmok.tasks.detect import Detect, Detection
from anmok.tasks.detect.drawing import TRUE
from anmok.verbs.settings import PredictSettings
from anmok.verbs.shipped import shipped_answers

ROTATED = 6  # EXIF: the stored rows run from top to bottom on the right side


@pytest.fixture
def model() -> Detect:
    torch.manual_seed(0)
    network = build("anchor_free", num_classes=3, in_channels=3, width=16)
    torch.nn.init.normal_(network.classes.last.weight, std=0.5)  # scores far apart, some of them high
    model = Detect(network.eval(), ("ant", "bee", "cat"), Preparation(64, 64, 3, fit="pad"), choose("cpu", "float32"))
    model.threshold = 0.02
    return model


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    rng = np.random.default_rng(3)  # no two answers tie: masks that lie over each other are drawn in their order
    for name, size in (("wide.png", (150, 70)), ("tall.jpg", (40, 90)), ("turned.jpg", (120, 50))):
        picture = Image.fromarray(rng.integers(0, 256, (9, 9, 3), dtype=np.uint8)).resize(size)
        exif = Image.Exif()
        if name == "turned.jpg":
            exif[0x0112] = ROTATED
        picture.save(tmp_path / name, exif=exif)
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    return [str(tmp_path / name) for name in ("wide.png", "tall.jpg", "broken.png", "turned.jpg")]


@pytest.mark.parametrize("nms", [0.6, "soft"])
def test_it_answers_as_the_network_does_in_upright_pixels(
    model: Detect, files: list[str], nms: float | Literal["soft"]
) -> None:
    model.nms = nms
    cargo = Detection().cargo(model)
    graph = to_onnx(cargo.network, model.preparation, cargo.outputs)
    shipped = Model(Artefact(Manifest("detect", "tiny", model.preparation, OUTPUTS, cargo.answers), graph))
    asked = PredictSettings.of()
    expected = list(Detection().answers(model, PathPictures(), files, files, asked))
    found = list(shipped_answers(shipped, PathPictures(), files, files))
    parity = compare(expected, found)
    assert parity.holds and (parity.pictures, parity.refused) == (3, 1)
    for answer, (width, height) in zip((found[0], found[1], found[3]), ((150, 70), (40, 90), (50, 120)), strict=True):
        boxes = np.asarray(answer.boxes)
        assert len(boxes) and boxes.min() >= 0 and boxes[:, 2].max() <= width and boxes[:, 3].max() <= height
    assert np.asarray(found[3].boxes)[:, 3].max() > 60  # it stands upright: its boxes reach below its stored height


def test_answers_come_in_order_whatever_the_batch(model: Detect, files: list[str]) -> None:
    """Batches are computed side by side: the broken file and the sizes of the others tell who is who."""
    cargo = Detection().cargo(model)
    graph = to_onnx(cargo.network, model.preparation, cargo.outputs)
    shipped = Model(Artefact(Manifest("detect", "tiny", model.preparation, OUTPUTS, cargo.answers), graph))
    many = files * 6
    names = [f"{number} {Path(file).name}" for number, file in enumerate(many)]
    alone = {file: next(iter(shipped_answers(shipped, PathPictures(), [file], [file]))) for file in files}
    for batch in (1, 3, 64):
        found = list(shipped_answers(shipped, PathPictures(), many, names, batch=batch))
        assert [answer.id for answer in found] == names
        for answer, file in zip(found, many, strict=True):
            assert (answer.error is None) == ("broken" not in file)
            if answer.error is None:
                assert answer.labels == alone[file].labels
                np.testing.assert_allclose(answer.boxes, alone[file].boxes, atol=1e-2)


def test_a_folder_holds_the_boxes_drawn_whoever_answers(model: Detect, files: list[str], tmp_path: Path) -> None:
    cargo = Detection().cargo(model)
    graph = to_onnx(cargo.network, model.preparation, cargo.outputs)
    shipped = tmp_path / "tiny.anmok"
    write_artefact(shipped, Artefact(Manifest("detect", "tiny", model.preparation, OUTPUTS, cargo.answers), graph))
    found = anmok.predict(str(shipped), files, to=tmp_path / "out")
    assert [one.error is None for one in found] == ["broken" not in file for file in files]
    drawn = sorted(path.name for path in (tmp_path / "out" / "overlays").iterdir())
    assert drawn == ["tall.jpg", "turned.jpg", "wide.jpg"]
    with Image.open(tmp_path / "out" / "overlays" / "turned.jpg") as upright:
        assert upright.height > upright.width  # drawn over the picture as a person sees it
        seen = np.asarray(upright.convert("RGB")).astype(int)
    assert (np.abs(seen - np.array(TRUE)).sum(2) < 60).any()  # in the colour of boxes
    rows = (tmp_path / "out" / "boxes.csv").read_text().splitlines()
    boxes = sum(len(one.labels) for one in found if one.labels is not None)
    assert boxes and len(rows) == 1 + boxes + 1  # the head, the boxes, and the broken file's error


def test_soft_suppression_lets_the_second_of_two_near_objects_live() -> None:
    """Two boxes overlap by 6 / 14: above 0.4 the hard form drops the second, the soft one lets it lose certainty."""
    boxes = torch.tensor([[0.0, 0, 10, 8], [4, 0, 14, 8], [40, 0, 50, 8]])
    scores = torch.tensor([[0.9, 0.0], [0.8, 0.0], [0.1, 0.7]])
    hard = select(boxes, scores, None, score=0.2, nms=0.4, limit=9)
    soft = select(boxes, scores, None, score=0.2, nms="soft", limit=9)
    assert hard["scores"].tolist() == pytest.approx([0.9, 0.7]) and hard["labels"].tolist() == [0, 1]
    left = 0.8 * math.exp(-((6 / 14) ** 2) / 0.5)
    assert soft["scores"].tolist() == pytest.approx([0.9, 0.7, left]) and soft["labels"].tolist() == [0, 1, 0]
    assert len(select(boxes, scores, None, score=0.6, nms="soft", limit=9)["scores"]) == 2  # judged by what is left


@pytest.mark.parametrize(
    ("network", "sizes"), [("faster_rcnn", (8, 16, 32)), ("fasterrcnn_resnet50_fpn", (8, 16, 32, 64, 128))]
)
def test_two_stages_are_one_graph(network: str, sizes: tuple[int, ...], files: list[str]) -> None:
    """Anchors, suppression of proposals and pooling of regions go into the graph, for any number of pictures."""
    torch.manual_seed(0)
    encoder = "small_resnet" if network == "faster_rcnn" else "resnet18"
    built = build(f"{network}:{encoder}", num_classes=3, in_channels=3, hidden=8, sizes=sizes).eval()
    for layer in (built.rpn.head.cls_logits, built.rpn.head.bbox_pred, built.roi_heads.box_predictor.cls_score):
        torch.nn.init.normal_(layer.weight, std=0.3)  # answers far apart
    torch.nn.init.normal_(built.roi_heads.box_predictor.bbox_pred.weight, std=0.1)
    model = Detect(built, ("ant", "bee", "cat"), Preparation(64, 64, 3, fit="pad"), choose("cpu", "float32"))
    model.threshold = 0.3
    cargo = Detection().cargo(model)
    graph = to_onnx(cargo.network, model.preparation, cargo.outputs)
    shipped = Model(Artefact(Manifest("detect", "tiny", model.preparation, OUTPUTS, cargo.answers), graph))
    expected = list(Detection().answers(model, PathPictures(), files, files, PredictSettings.of()))
    assert sum(len(one.labels) for one in expected if one.labels is not None) > 5
    for batch in (1, 3):
        found = list(shipped_answers(shipped, PathPictures(), files, files, batch=batch))
        parity = compare(expected, found)
        assert parity.holds and (parity.pictures, parity.refused) == (3, 1), parity.sentence


def test_as_many_proposals_for_every_picture_are_the_usual_ones() -> None:
    """Where suppression leaves fewer, empty boxes follow."""
    torch.manual_seed(0)
    built = build("faster_rcnn:small_resnet", num_classes=3, in_channels=3, hidden=8, sizes=(8, 16, 32)).eval()
    torch.nn.init.normal_(built.rpn.head.cls_logits.weight, std=0.3)
    torch.nn.init.normal_(built.rpn.head.bbox_pred.weight, std=0.1)
    built.rpn.overlap = 0.3
    pictures = torch.stack([torch.randn(3, 64, 64), 3 * torch.randn(3, 64, 64)])
    with torch.no_grad():
        maps = built.backbone(pictures)
        expected, _ = built.rpn(maps, (64, 64))
        found = built.rpn.as_many(maps, (64, 64))
    assert len({len(own) for own in expected}) == 2 and found.shape[0] == 2
    for usual, own in zip(expected, found, strict=True):
        assert torch.equal(own[: len(usual)], usual)
        assert not own[len(usual) :].any()


@pytest.mark.parametrize("nms", [0.5, "soft"])
def test_masks_are_drawn_in_the_graph(nms: float | Literal["soft"], files: list[str]) -> None:
    """Of what suppression leaves; torchvision pastes them for the network, NumPy for the file."""
    torch.manual_seed(0)
    built: Any = build(
        "maskrcnn_resnet50_fpn:resnet18", num_classes=3, in_channels=3, hidden=8, sizes=(8, 16, 32, 64, 128)
    ).eval()
    for layer in (built.rpn.head.cls_logits, built.rpn.head.bbox_pred, built.roi_heads.box_predictor.cls_score):
        torch.nn.init.normal_(layer.weight, std=0.3)  # answers far apart
    torch.nn.init.normal_(built.roi_heads.box_predictor.bbox_pred.weight, std=0.1)
    torch.nn.init.normal_(built.roi_heads.mask_predictor.mask_fcn_logits.weight, std=0.5)  # and masks with holes
    model = Detect(built, ("ant", "bee", "cat"), Preparation(64, 64, 3, fit="pad"), choose("cpu", "float32"))
    model.threshold, model.nms = 0.3, nms
    cargo = Detection().cargo(model)
    graph = to_onnx(cargo.network, model.preparation, cargo.outputs)
    shipped = Model(Artefact(Manifest("detect", "tiny", model.preparation, cargo.outputs, cargo.answers), graph))
    expected = list(Detection().answers(model, PathPictures(), files, files, PredictSettings.of()))
    for one in expected:
        if one.error is None:
            assert len(one.labels) > 2 and 0.05 < (one.objects > 0).mean() < 0.95
    for batch in (1, 3):
        found = list(shipped_answers(shipped, PathPictures(), files, files, batch=batch))
        parity = compare(expected, found)
        assert parity.holds and (parity.pictures, parity.refused) == (3, 1), parity.sentence
    model.threshold = 2.0  # nothing is left: the graph still answers
    cargo = Detection().cargo(model)
    graph = to_onnx(cargo.network, model.preparation, cargo.outputs)
    shipped = Model(Artefact(Manifest("detect", "tiny", model.preparation, cargo.outputs, cargo.answers), graph))
    for one in shipped_answers(shipped, PathPictures(), files[:2], files[:2]):
        assert one.labels == () and not one.objects.any()


def test_masks_are_pasted_as_torchvision_pastes_them() -> None:
    """Boxes inside, across each edge, narrower than a pixel, and outside altogether."""
    rng = np.random.default_rng(3)
    corners = rng.uniform(-30, 80, (60, 2))
    boxes = np.concatenate([corners, corners + rng.uniform(0.2, 60, (60, 2))], 1).astype(np.float32)
    masks = rng.random((60, 28, 28), dtype=np.float32)
    outside = ((boxes[:, :2] > 63) | (boxes[:, 2:] < 0)).any(1)  # where torchvision's raises
    assert 3 < outside.sum() < 30
    assert not pasted(np.ones((28, 28)), np.array([70.0, 70, 90, 90]), 64).any()
    masks, boxes = masks[~outside], boxes[~outside]
    expected = paste_masks_in_image(torch.from_numpy(masks)[:, None], torch.from_numpy(boxes), (64, 64))[:, 0]
    tied = 0
    for mask, box, truth in zip(masks, boxes, expected.numpy(), strict=True):
        differ = pasted(mask, box, 64) != (truth > 0.5)
        assert (np.abs(truth[differ] - 0.5) < 1e-5).all()
        tied += int(differ.sum())
    assert tied < 5 and (expected > 0.5).any()


def test_outlines_count_where_two_ways_are_compared() -> None:
    """Equal boxes with another outline are another answer."""
    seen = np.zeros((40, 50), np.int32)
    seen[5:25, 5:25] = 1
    one = Prediction("a", ("ant",), (0.9,), boxes=np.array([[5, 5, 25, 25.0]]), objects=seen)
    assert compare([one], [one]).holds
    other = np.where(np.arange(50) < 24, seen, 0).astype(np.int32)
    for wrong in (other, None):
        assert compare([one], [replace(one, objects=wrong)]).different == ("a",)
    assert compare([replace(one, objects=None)], [one]).different == ("a",)
