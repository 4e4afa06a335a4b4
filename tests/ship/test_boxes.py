"""Shipped detectors: suppression and letterbox in NumPy, beside torchvision and hand arithmetic; the gate of boxes."""

import numpy as np
import pytest
import torch
from torchvision.ops import batched_nms, nms

from anmok.core.preparation import Preparation
from anmok.core.types import Prediction
from anmok.networks import build
from anmok.ship.answers import Asked
from anmok.ship.answers.detect import BoxAnswers, suppressed
from anmok.ship.artefact import Artefact, Manifest
from anmok.ship.choice import engines_in_float32
from anmok.ship.gate import compare
from anmok.ship.graph import to_onnx
from anmok.tasks.detect.shipping import OUTPUTS, Best

SURE = 0.02
SQUARE = Preparation(64, 64, 3, fit="pad")


@pytest.mark.parametrize("count", [0, 1, 300])
def test_suppression_is_torchvisions(count: int) -> None:
    rng = np.random.default_rng(count)
    corner = rng.uniform(0, 60, (count, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(1, 40, (count, 2))], 1).astype(np.float32)
    scores, labels = rng.random(count).astype(np.float32), rng.integers(0, 3, count)
    expected = batched_nms(*map(torch.from_numpy, (boxes, scores, labels)), 0.5)
    assert suppressed(boxes, scores, labels, 0.5).tolist() == expected.tolist()


@pytest.mark.parametrize("share", range(1, 10))
def test_overlaps_of_just_the_threshold_are_judged_as_torchvision_does(share: int) -> None:
    """On whole pixels an overlap may be 3/10, of which float32 and float64 disagree whether it is more than 0.3."""
    boxes = np.array([[0, 0, 10, 10], [0, 0, share, 10]], np.float32)
    scores, most = np.array([0.9, 0.8], np.float32), share / 10
    expected = nms(torch.from_numpy(boxes), torch.from_numpy(scores), most)
    assert suppressed(boxes, scores, np.zeros(2, int), most).tolist() == expected.tolist()


def answers(**chosen: object) -> BoxAnswers:
    told = {"classes": ("ant", "bee"), "threshold": 0.5, "nms": 0.6, "limit": 100, "preparation": SQUARE.to_json()}
    return BoxAnswers(told | chosen)


def test_boxes_come_back_in_the_originals_pixels() -> None:
    """A picture 200 wide and 100 high fills rows 16 to 48 of the square of 64, at 0.32 of its size."""
    boxes = np.array([[[0, 16, 32, 32], [0, 0, 64, 15], [0, 16, 31, 32], [48, 40, 80, 64], [1, 1, 1, 9]]], np.float32)
    outputs = {"boxes": boxes, "scores": np.array([[0.9, 0.8, 0.7, 0.6, 0.55]], np.float32),
               "labels": np.array([[0, 0, 0, 1, 1]], np.float32)}  # fmt: skip
    (found,) = answers()(outputs, [Asked("a.jpg", (100, 200))])
    assert found.labels == ("ant", "bee") and found.scores == pytest.approx((0.9, 0.6))
    assert np.allclose(found.boxes, [[0, 0, 100, 50], [150, 75, 200, 100]])  # one suppressed, one in the padding
    assert len(next(answers(limit=1)(outputs, [Asked("a.jpg", (100, 200))])).labels) == 1
    assert next(answers(threshold=0.95)(outputs, [Asked("a.jpg", (100, 200))])).labels == ()


def test_settings_that_cannot_be_are_refused() -> None:
    for bad in ({"classes": ()}, {"nms": 1.5}, {"limit": 0}):
        with pytest.raises(ValueError, match="a detector has classes"):
            answers(**bad)


def test_engines_give_torchs_candidates() -> None:
    torch.manual_seed(0)
    network = build("anchor_free", num_classes=3, in_channels=3, width=16).eval()
    torch.nn.init.normal_(network.classes.last.weight, std=0.5)  # scores far apart: no two ways of rounding decide
    graph = to_onnx(Best(network), SQUARE, OUTPUTS)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    with torch.no_grad():
        x = (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - torch.tensor(SQUARE.mean).view(3, 1, 1)) / (
            torch.tensor(SQUARE.std).view(3, 1, 1))  # fmt: skip
        outputs = network(x)
        expected = network.detect(outputs, score=SURE, nms=0.6)
    told = {"classes": ("a", "b", "c"), "threshold": SURE, "nms": 0.6, "limit": 100, "preparation": SQUARE.to_json()}
    artefact = Artefact(Manifest("detect", "tiny", SQUARE, OUTPUTS, told), graph)
    contenders = engines_in_float32(artefact, pixels)
    assert contenders
    for contender in contenders:
        found = contender.ask()
        for one, other in zip(expected, found, strict=True):
            assert 0 < len(one["boxes"]) == len(other.labels)
            names = tuple("abc"[label] for label in one["labels"].tolist())
            reference = Prediction(other.id, names, tuple(one["scores"].tolist()), boxes=one["boxes"].clamp(0, 64))
            assert compare([reference], [other]).holds


def told(*boxes: tuple[float, float, float, float], scores: tuple[float, ...], labels: str) -> Prediction:
    return Prediction("a.jpg", tuple(labels), scores, boxes=np.array(boxes, np.float32).reshape(-1, 4))


ONE = told((0, 0, 40, 20), (50, 50, 60, 60), scores=(0.9, 0.6), labels="ab")


def test_equal_boxes_hold_in_any_order_and_none_is_an_answer() -> None:
    other = told((50, 50, 60, 60), (0, 0, 40, 20), scores=(0.6, 0.9), labels="ba")
    none = told(scores=(), labels="")
    found = compare([ONE, none], [other, none])
    assert found.holds and found.largest == 0


def test_moved_boxes_and_other_scores_are_measured() -> None:
    moved = told((0, 0, 40.02, 20), (50, 50, 60, 60), scores=(0.9, 0.6), labels="ab")
    assert compare([ONE], [moved]).largest == pytest.approx(0.02 / 40, rel=1e-3) and not compare([ONE], [moved]).holds
    surer = told((0, 0, 40, 20), (50, 50, 60, 60), scores=(0.9, 0.605), labels="ab")
    assert compare([ONE], [surer]).largest == pytest.approx(0.005)


@pytest.mark.parametrize(
    "other",
    [
        told((0, 0, 40, 20), scores=(0.9,), labels="a"),
        told((0, 0, 40, 20), (50, 50, 60, 60), scores=(0.9, 0.6), labels="ac"),
        told((0, 0, 40, 20), (50, 52, 60, 62), scores=(0.9, 0.6), labels="ab"),
        told((0, 0, 40, 20), (50, 50, 60, 60), (0, 0, 9, 9), scores=(0.9, 0.6, 0.5), labels="aba"),
        Prediction("a.jpg", ("a",), (0.9,)),
    ],
)
def test_a_box_more_or_less_or_of_another_class_is_another_answer(other: Prediction) -> None:
    for pair in ((ONE, other), (other, ONE)) if other.boxes is not None else ((ONE, other),):
        found = compare(pair[:1], pair[1:])
        assert found.different == ("a.jpg",) and not found.holds
