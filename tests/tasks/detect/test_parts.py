"""What detection adds around its detectors: forms, where their time goes, what papers claim, one box as a score."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from anmok import networks
from anmok.core.errors import UsageError
from anmok.explain.class_activation import class_activation
from anmok.explain.occlusion import occlusion
from anmok.tasks.detect.explaining import BoxScores, box_scores, candidates
from anmok.tasks.detect.forms import form_of
from anmok.tasks.detect.history import remarks
from anmok.tasks.detect.stages import hidden_layers
from anmok.tasks.detect.timing import _modules
from tests.contracts.test_detectors import SMALL, small, targets

SIDES = np.array([10.0, 20, 30, 40, 50, 60, 70, 80, 90, 100])


def test_forms_follow_from_the_objects_sizes() -> None:
    found = form_of("rcnn", lambda: SIDES)  # the median is 55, nine tenths of it 49.5, to multiples of 8
    assert found.arguments == {"encoder": "small_resnet", "crop": 48}
    assert (found.optimizer, found.batch, form_of("fast_rcnn", lambda: SIDES).batch) == ("muon", 8, 4)
    assert form_of("rcnn", lambda: SIDES / 10).arguments["crop"] == 32
    # 15 %, 50 % and 85 % of ten numbers lie at places 1.35, 4.5 and 7.65: 23.5, 55 and 86.5, to multiples of 4
    assert form_of("faster_rcnn", lambda: SIDES).arguments["sizes"] == [24.0, 56.0, 88.0]
    assert form_of("faster_rcnn", lambda: np.zeros(0)).arguments["sizes"] == [16.0, 32.0, 64.0]


def test_what_the_person_names_stays() -> None:
    assert form_of("rcnn:alexnet_2012", lambda: SIDES).arguments == {}
    assert form_of("rcnn:alexnet_2012", lambda: SIDES).optimizer == "adamw"
    assert form_of("rcnn:alexnet_2012", lambda: SIDES).nms == 0.3  # FACTS.md, of the released programs
    assert set(form_of("faster_rcnn:vgg16", lambda: SIDES).arguments) == {"sizes"}

    def never() -> np.ndarray:
        raise AssertionError("nothing needs to be measured")

    assert form_of("anchor_free", never).arguments == {} and form_of("anchor_free", never).pace == 1.0


@pytest.mark.parametrize("name", [name for name in SMALL if name not in ("yolo_v1", "yolo_v1_darknet")])
def test_every_detector_has_features_to_be_timed_and_none_counts_twice(name: str) -> None:
    net = small(name)
    parts = [part for part, _ in _modules(net)]
    assert "features" in parts and ("proposals" in parts) == hasattr(net, "rpn")
    timed = [module for _, module in _modules(net)]
    inner = [other for module in timed for other in module.modules() if other is not module]
    assert not any(module is other for module in timed for other in inner)
    begun = []
    for module in timed:
        module.register_forward_hook(lambda *_: begun.append(1))
    with torch.no_grad():
        net.eval()(torch.zeros(1, 3, 64, 64), targets(1))
    assert len(begun) == len(timed)  # each ran, once


def row(map50: float, proposals: float, features: float, heads: float, training: float) -> dict[str, float]:
    return {"map50": map50, "proposals": proposals, "features": features, "heads": heads, "training": training}


def test_claims_are_judged_by_the_figures_they_are_about() -> None:
    found = remarks({
        "rcnn": row(0.50, 1.0, 0.9, 0.1, 600),
        "sppnet": row(0.52, 1.0, 0.010, 0.015, 300),
        "fast_rcnn": row(0.49, 1.0, 0.010, 0.010, 90),
        "textbook": row(0.9, 0, 0, 0, 0),
    })  # fmt: skip
    assert len(found) == 7  # two of SPPnet's and five of Fast R-CNN's: nobody else is there
    assert found[0] == "sppnet answers faster than R-CNN, proposals aside: holds (25 ms against 1.0 s)."
    assert "sppnet is as accurate as R-CNN: holds (52.0% mAP 50 against 50.0% mAP 50)." in found
    assert "fast_rcnn trains faster than R-CNN: holds (1.5 min against 10.0 min)." in found
    assert "fast_rcnn is more accurate than SPPnet: does not hold here (49.0% mAP 50 against 52.0% mAP 50)." in found


class Patch(nn.Module):
    """Answers two fixed boxes of two classes; the first class as surely as the picture's upper left is bright."""

    num_classes, takes_regions = 2, False

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(3, 1, 1, bias=False))
        nn.init.constant_(self.encoder[0].weight, 1 / 3)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        bright = self.encoder(x)[:, 0, 4:12, 4:12].mean((1, 2))
        scores = torch.stack([torch.stack([bright, bright * 0 + 0.5], 1), torch.stack([bright * 0, bright * 0], 1)], 1)
        boxes = torch.tensor([[4.0, 4, 12, 12], [20, 20, 30, 30]]).expand(len(x), 2, 4)
        return boxes, scores

    def candidates(self, outputs: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        return outputs


def bright(value: float) -> Tensor:
    x = torch.zeros(3, 32, 32)
    x[:, 4:12, 4:12] = value
    return x


def test_a_box_scores_what_is_answered_times_how_much_it_overlaps() -> None:
    half = BoxScores(Patch(), torch.tensor([4.0, 4, 12, 8]), 0, None)  # half of the box that is answered
    found = half(bright(0.8)[None]).softmax(1)
    assert found.shape == (1, 3) and found[0, 0].item() == pytest.approx(0.8 * 0.5, abs=1e-5)
    assert found[0, 2].item() == pytest.approx(0.6, abs=1e-5)
    other = BoxScores(Patch(), torch.tensor([20.0, 20, 30, 30]), 0, None)
    assert other(bright(0.8)[None]).softmax(1)[0, 0] < 1e-5  # the class is in the picture, but not there


def test_a_sure_answer_still_has_a_gradient() -> None:
    x = bright(0.9999).requires_grad_()
    scores = BoxScores(Patch(), torch.tensor([4.0, 4, 12, 12]), 0, None)(x[None])
    scores[0, 0].backward()
    assert x.grad is not None and x.grad[:, 4:12, 4:12].sum() > 1


def test_explanations_point_at_what_the_box_is_answered_for() -> None:
    scorer = BoxScores(Patch(), torch.tensor([4.0, 4, 12, 12]), 0, None)
    for method, options in ((occlusion, {"window": 4}), (class_activation, {})):
        found = method(scorer, bright(0.9), 0, **options)
        assert found.score == pytest.approx(0.9, abs=1e-4)
        hot = np.argwhere(found.heat > 0.5)
        assert len(hot) and hot.min() >= 2 and hot.max() < 14, method.__name__


@pytest.mark.parametrize("name", ["anchor_free", "fast_rcnn", "faster_rcnn", "rcnn", "sppnet", "yolo_v1_small"])
def test_candidates_hold_what_detect_answers(name: str) -> None:
    """The best answer of `detect` is among the candidates, with its score, whatever the detector's form."""
    net: Any = small(name).eval()
    x, own = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1)), targets(1, 2)
    with torch.no_grad():
        outputs = net(x, own) if net.takes_regions else net(x)
        answers, found = net.detect(outputs, score=0.0), candidates(net, outputs)
    assert len(found) == 2
    for answer, (boxes, scores) in zip(answers, found, strict=True):
        label = int(answer["labels"][0])
        place = scores[:, label].argmax()
        assert scores[place, label].item() == pytest.approx(answer["scores"][0].item(), abs=1e-5)
        torch.testing.assert_close(
            boxes[place, label if boxes.shape[1] > 1 else 0], answer["boxes"][0], atol=1e-3, rtol=0
        )


def test_r_cnn_has_no_maps_of_whole_pictures() -> None:
    net = networks.build("rcnn", num_classes=2, encoder="small_resnet", crop=16)
    scorer = BoxScores(net.eval(), torch.tensor([4.0, 4, 12, 12]), 0, torch.tensor([[4.0, 4, 12, 12]]))
    with pytest.raises(UsageError, match="occlusion"):
        class_activation(scorer, torch.zeros(3, 32, 32), 0)


def test_nothing_answered_is_said() -> None:
    model = SimpleNamespace(
        network=Patch(), threshold=0.3, classes=("coat", "bag"), pictures=lambda x: x,
        found=lambda pictures: [{"boxes": torch.zeros(0, 4), "labels": torch.zeros(0, dtype=torch.int64)}],
    )  # fmt: skip
    with pytest.raises(UsageError, match="no box of 'bag'"):
        box_scores(model, bright(0.1), 1, None)  # type: ignore[arg-type]


def test_dense_layers_between_others_are_known_from_those_that_answer() -> None:
    nets = {name: small(name) for name in ("fast_rcnn", "rcnn", "sppnet")}
    inner = {name: [part for part, module in net.named_modules() if module in hidden_layers(net)]
             for name, net in nets.items()}  # fmt: skip
    assert inner["fast_rcnn"] == ["roi_heads.box_head.fc6", "roi_heads.box_head.fc7"]
    assert inner["sppnet"] == ["features.fc6", "features.fc7"] and inner["rcnn"] == []
    assert hidden_layers(torch.nn.Sequential(torch.nn.Linear(2, 2))) == [], "nobody says which one answers"
