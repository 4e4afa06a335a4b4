"""Bundled scenes and domains: always the same, and everything told about them is so, counted from their pixels."""

import numpy as np
import pytest

from anmok.core.errors import UsageError
from anmok.core.targets import Frame
from anmok.data.known import BUILT, _scenes
from anmok.data.load import load_data
from anmok.data.samples import FASHION_MNIST
from anmok.data.samples.damaged import damaged
from anmok.data.samples.domains import domains
from anmok.data.samples.garments import garments
from anmok.data.samples.scenes import FEWEST, MOST, STAYS_VISIBLE, as_segmentation, compose, scenes


@pytest.fixture(scope="module")
def some():
    return compose("train", 30, 96, 1)


def test_the_same_seed_makes_the_same_scenes_and_more_of_them_begin_alike(some):
    fewer = compose("train", 3, 96, 1)
    assert all(
        np.array_equal(a.pixels, b.pixels) and np.array_equal(a.shown, b.shown)
        for a, b in zip(fewer, some[:3], strict=True)
    )
    assert not np.array_equal(compose("train", 1, 96, 2)[0].pixels, some[0].pixels)
    assert not np.array_equal(compose("test", 1, 96, 1)[0].pixels, some[0].pixels)


def test_scenes_are_those_that_were_published():
    """Figures measured on scenes stay comparable only as long as the scenes are these."""
    first, second = (scene.objects() for scene in compose("test", 2, 96, 1))
    assert first.labels.tolist() == [6, 1, 0, 0, 9, 4, 9] and second.labels.tolist() == [1, 9, 1, 9, 5]
    expected = [[47, 36, 58, 55], [1, 22, 36, 57], [8, 24, 21, 53], [36, 42, 75, 70], [30, 1, 72, 31]]
    assert np.abs(second.boxes - expected).max() <= 1  # another Pillow may round otherwise


def test_boxes_and_regions_are_what_is_visible(some):
    sizes = []
    for scene in some:
        objects = scene.objects()
        assert FEWEST - 1 <= len(objects) <= MOST and scene.shown.max() == len(objects)
        for k, (box, region) in enumerate(zip(objects.boxes, objects.regions, strict=True)):
            pixels = scene.shown == k + 1
            rows, columns = np.nonzero(pixels)
            assert box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert np.array_equal(region.bitmap(), pixels) and objects.areas[k] == pixels.sum()
        sizes += [len(objects)]
    assert len(set(sizes)) > 4


def test_class_maps_name_every_visible_pixel(some):
    dataset = as_segmentation(scenes(3, 1, 64, 2))
    assert dataset.classes == ("background", *FASHION_MNIST) and dataset.task == "segment"
    for entry, scene in zip(dataset.split("train"), compose("train", 3, 64, 2), strict=True):
        classes = dataset.masks.classes(entry.target, Frame((64, 64)))
        assert np.array_equal(classes, np.concatenate([[0], 1 + scene.labels])[scene.shown])
        assert np.array_equal(dataset.masks.instances(entry.target, Frame((64, 64))), scene.shown)
        assert np.array_equal(dataset.pictures.read(entry.locator), scene.pixels)


def test_garments_overlap_but_stay_visible(some):
    hidden = 0
    for scene in some:
        boxes = scene.objects().boxes
        over = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:]) - np.maximum(boxes[:, None, :2], boxes[None, :, :2])
        hidden += (over > 4).all(2).sum() - len(boxes) > 0
        visible = np.bincount(scene.shown.ravel(), minlength=len(boxes) + 1)[1:]
        assert (visible >= 12).all()
    assert hidden > len(some) / 3 and 0 < STAYS_VISIBLE < 1


def test_garments_are_cut_out_of_their_ground():
    stock = garments("test")
    assert len(stock) == 1000 and np.bincount(stock.labels).tolist() == [100] * 10
    solid = stock.cover >= 128
    assert not solid[stock.plain == 0].mean() > 0.1 and solid[stock.plain > 60].mean() > 0.97
    assert (solid.sum((1, 2)) > 40).all()


def test_domains_hide_a_pairing_in_the_test_part_only():
    dataset = domains(20, 6, 48)
    assert dataset.splits == {"train": 40, "test": 12} and len(dataset.classes) == 2
    names = {(e.split, e.target): {e.id.rsplit("/")[-1] for e in dataset.entries} for e in dataset.entries}
    for domain in (0, 1):
        own = [entry for entry in dataset.split("test") if entry.target == domain]
        assert [entry.id.rsplit("/")[-1] for entry in own] == [f"{k:04}.png" for k in range(6)]
    first, second = ({e.id.split("/")[-1] for e in dataset.split("train") if e.target == d} for d in (0, 1))
    assert not first & second and names
    # Paper is bright and blueprints are blue: the partner's outline is the picture's own.
    for entry, partner in zip(*([e for e in dataset.split("test") if e.target == d] for d in (0, 1)), strict=True):
        paper, blue = (dataset.pictures.read(e.locator).astype(int) for e in (entry, partner))
        assert paper[0, 0].min() > 200 and blue[0, 0, 2] > 100 > blue[0, 0, 0]
        outlined = np.abs(blue - blue[0, 0]).sum(2) > 60
        darker = paper.sum(2) < paper[0, 0].sum() - 200
        assert (darker & ~outlined).sum() <= 0.6 * darker.sum() + 60


def test_damaged_garments_have_clean_partners():
    dataset = damaged("noise")
    assert dataset.splits == {"train": 6000, "test": 1000} and len(dataset.pictures.array) == 14000
    noisy, clean = (dataset.pictures.array[[place(e) for e in dataset.entries[::70]]].astype(float) for place in
                    (lambda e: e.locator, lambda e: e.target.locator))  # fmt: skip
    middle = (clean > 80) & (clean < 175)  # where hardly any noise is cut off at black and white
    assert abs((noisy - clean)[middle].std() - 0.4 * 255) < 25


def test_names_load_and_keep_their_account(monkeypatch):
    monkeypatch.setitem(BUILT, "few-scenes", _scenes(64, 6, 2))
    for name in ("few-scenes", "domains"):
        dataset = load_data(name)
        assert dataset.accounts()["pictures"]["used"] == len(dataset) and dataset.task in BUILT[name].tasks
    segmented = load_data("few-scenes", task="segment")
    assert segmented.classes[0] == "background" and segmented.splits == {"train": 6, "test": 2}
    assert all(entry.target is None for entry in load_data("few-scenes", task="generate").entries)
    assert {"scenes", "scenes-96", "scenes-192", "noisy", "masked"} <= set(BUILT)
    with pytest.raises(UsageError, match="do not serve"):
        load_data("domains", task="detect")
