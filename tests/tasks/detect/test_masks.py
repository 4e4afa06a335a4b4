"""Mask R-CNN through the verbs: it learns from outlines, answers with them, and says where they are missing."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch

import anmok
from anmok import networks
from anmok.core.errors import UsageError
from anmok.core.preparation import Preparation
from anmok.data.convert import write_data
from anmok.data.prepare import prepare
from anmok.data.samples.scenes import scenes
from anmok.ship.answers.detect import owners
from anmok.tasks.detect.drawing import tinted
from anmok.tasks.detect.forms import REGIONS, WIDTH, form_of
from anmok.tasks.detect.learning import learnable
from anmok.tasks.detect.measuring import measure

MASKED = "maskrcnn_resnet50_fpn"
ALWAYS = {"task": "detect", "net": MASKED, "epochs": 1, "batch": 4, "val": 0.25}


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.set_num_threads(1)
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))


def test_learns_from_outlines_and_answers_with_them(tmp_path: Path) -> None:
    dataset = scenes(12, 2, 64)
    assert all(entry.target.regions is not None for entry in dataset.entries)
    write_data(dataset, tmp_path / "data", "coco")
    run = anmok.train(tmp_path / "data", project=tmp_path / "runs", **ALWAYS)
    with (run.path / "results.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert 0 < float(row["train_masks"]) < 5
    assert run.card["recipe"]["arguments"]["encoder"] == "small_resnet"
    assert 0 <= run.metrics["val"]["mask_map50"]["value"] <= 1
    chosen, run.model.threshold = run.model.threshold, 0.0
    for answer in run.predict(sorted((tmp_path / "data").rglob("*.png"))[:2]):
        assert answer.objects.shape == (64, 64) and answer.objects.dtype == np.int32
        assert 0 <= answer.objects.min() <= answer.objects.max() <= len(answer.boxes)
        for number in set(np.unique(answer.objects).tolist()) - {0}:
            rows, columns = np.nonzero(answer.objects == number)
            left, top, right, bottom = answer.boxes[number - 1]
            assert left - 1 <= columns.min() and columns.max() <= right + 1
            assert top - 1 <= rows.min() and rows.max() <= bottom + 1
    run.model.threshold = chosen
    shipped = anmok.export(run)  # raises where the file's boxes or outlines are not the run's
    assert all(found.holds for found in shipped.parity.values())


def test_boxes_alone_are_refused(tmp_path: Path) -> None:
    write_data(scenes(8, 0, 64), tmp_path / "data", "yolo")
    with pytest.raises(UsageError, match=r"boxes only.*fasterrcnn_resnet50_fpn"):
        anmok.train(tmp_path / "data", project=tmp_path / "runs", **ALWAYS)


def test_the_surer_object_owns_a_shared_pixel_and_padding_goes() -> None:
    masks = np.zeros((2, 8, 8), bool)
    masks[0, 2:4, 0:4] = True  # the surer one
    masks[1, 2:6, 2:8] = True
    masks[1, 0:2] = True  # above the picture, which was 8 wide and 4 high before it was padded to 8 × 8
    found = owners(masks, Preparation(8, 8, fit="pad"), (4, 8))
    assert found.tolist() == [[1] * 4 + [2] * 4, [1] * 4 + [2] * 4, [0, 0, *[2] * 6], [0, 0, *[2] * 6]]
    assert owners(masks[:0], Preparation(8, 8, fit="pad"), (4, 8)).sum() == 0


def test_specks_and_crowds_take_their_masks_with_them() -> None:
    boxes = torch.tensor([[0.0, 0, 4, 4], [0, 0, 0.5, 4], [1, 1, 5, 5]])
    target = {"boxes": boxes, "labels": torch.tensor([0, 1, 2]), "crowd": torch.tensor([False, False, True]),
              "masks": torch.eye(3, dtype=torch.bool)[:, None]}  # fmt: skip
    kept = learnable(target)
    assert kept["labels"].tolist() == [0] and kept["masks"].tolist() == [[[True, False, False]]]


class Knowing:
    """Answers with the true boxes, and with masks that `drawn` makes of the true ones, on squares of 32 pixels."""

    def __init__(self, prepared, drawn) -> None:
        self.classes, self.preparation = prepared.dataset.classes, prepared.preparation
        self.network = torch.nn.Identity()
        self.network.draws_masks = True
        self._targets, self._drawn = iter([entry.target for entry in prepared.dataset.entries]), drawn

    def found(self, pictures, least):
        for target in (next(self._targets) for _ in pictures):
            way = self.preparation.geometry((64, 64), seen=True)
            masks = np.stack([region.draw((32, 32), way.matrix()) for region in target.regions])
            boxes, drawn = torch.from_numpy(way.boxes(target.boxes)), torch.from_numpy(self._drawn(masks))
            scores = torch.linspace(0.9, 0.5, len(masks))
            yield {"boxes": boxes, "labels": torch.from_numpy(target.labels), "scores": scores, "masks": drawn}


@pytest.mark.parametrize(("drawn", "right"), [(np.copy, 1.0), (np.zeros_like, 0.0)], ids=["true", "empty"])
def test_masks_are_judged_beside_boxes(drawn, right: float) -> None:
    prepared = prepare(scenes(4, 0, 64), Preparation(32, 32, fit="pad"), workers=0)
    figures = measure(Knowing(prepared, drawn), prepared, None, 2).figures
    assert figures["map50"].value == pytest.approx(1.0)
    assert figures["mask_map50"].value == pytest.approx(right)


def test_objects_are_drawn_each_in_a_colour_of_its_own() -> None:
    objects = np.array([[0, 1], [2, 255]], np.int32)
    shown = tinted(np.full((2, 2, 1), 100, np.uint8), objects)
    assert shown[0, 0].tolist() == [100, 100, 100]
    assert shown[0, 1].tolist() == [(100 + part) // 2 for part in (0xE6, 0x9F, 0x00)]  # Okabe and Ito's orange
    assert len({tuple(colour) for colour in shown.reshape(-1, 3).tolist()}) == 3, "the 255th begins anew"
    assert shown[1, 1].tolist() == shown[0, 1].tolist()


def test_without_a_named_encoder_the_pyramid_is_small_and_with_one_it_is_the_papers() -> None:
    sides = np.array([20.0, 32, 48])
    small = networks.build(MASKED, num_classes=3, **form_of(MASKED, lambda: sides).arguments)
    assert small.rpn.after == (2 * REGIONS[0], REGIONS[0]) and small.roi_heads.count == REGIONS[1]
    assert small.roi_heads.mask_predictor.conv5_mask.in_channels == WIDTH
    named = form_of(f"{MASKED}:resnet18", lambda: sides).arguments
    published = networks.build(f"{MASKED}:resnet18", num_classes=3, **named)
    assert published.rpn.after == (2000, 1000) and published.roi_heads.count == 512
    assert published.roi_heads.mask_predictor.conv5_mask.in_channels == 256
