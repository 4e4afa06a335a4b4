"""What is written can be read again: class maps to the pixel, COCO run lengths by our own reader and to the pixel."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image
from scipy.ndimage import label

from anmok.core.regions import RunLengths
from anmok.core.types import Prediction
from anmok.data.load import load_data
from anmok.tasks.segment import objects
from anmok.tasks.segment.objects import objects_in, run_lengths
from anmok.tasks.segment.writing import wants_overlays, write
from tests.tasks.segment.pointwise import CLASSES, painting

MASKS = arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@settings(deadline=None, max_examples=60)
@given(MASKS, st.integers(0, 4), st.integers(0, 4), st.integers(0, 3), st.integers(0, 3))
def test_run_lengths_of_a_part_are_those_of_the_whole(own, top: int, left: int, below: int, right: int) -> None:
    own[0, 0] = True
    whole = np.pad(own, ((top, below), (left, right)))
    assert np.array_equal(run_lengths(own, top, left, whole.shape).counts, RunLengths.of(whole).counts)


def test_objects_are_what_hangs_together() -> None:
    _, mask = painting(60, 80, seed=3)
    found = list(objects_in(mask, background=0))
    expected = sum(label(mask == number, np.ones((3, 3)))[1] for number in (1, 2, 3))
    assert len(found) == expected
    drawn = np.zeros(mask.shape, np.uint8)
    for one in found:
        pixels = one.region.bitmap()
        left, top, width, height = one.box
        assert pixels.sum() == one.area == pixels[top : top + height, left : left + width].sum()
        drawn[pixels] += np.uint8(one.number)
    assert np.array_equal(drawn, mask)


def test_in_huge_pictures_a_class_is_one_region(monkeypatch) -> None:
    monkeypatch.setattr(objects, "MOST_PIXELS", 100)
    _, mask = painting(60, 80, seed=3)
    found = list(objects_in(mask, background=0))
    assert [one.number for one in found] == sorted(set(np.unique(mask).tolist()) - {0})
    assert all(np.array_equal(one.region.bitmap(), mask == one.number) for one in found)
    assert json.loads(json.dumps([one.box for one in found])) == [list(one.box) for one in found]


def answers(tmp_path) -> tuple[list[Prediction], list[np.ndarray]]:
    masks, found = [], []
    for number, place in enumerate(("a/one.png", "b/one.png", "two.jpg")):
        pixels, mask = painting(30 + number, 40, seed=number)
        (tmp_path / place).parent.mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / place)
        found.append(Prediction(place, ("background",), (1.0,), mask=mask, classes=CLASSES, picture=pixels))
        masks.append(mask)
    return [found[0], Prediction("torn.png", error="it is torn"), *found[1:]], masks


def test_a_folder_holds_class_maps_overlays_and_objects(tmp_path) -> None:
    given_answers, masks = answers(tmp_path)
    write(tmp_path / "out", iter(given_answers), top=1)
    written = {path.name for path in (tmp_path / "out" / "masks").iterdir()}
    assert written == {"one.png", "b-one.png", "two.png"}
    for name, mask in zip(("one.png", "b-one.png", "two.png"), masks, strict=True):
        with Image.open(tmp_path / "out" / "masks" / name) as opened:
            assert opened.mode == "P" and np.array_equal(np.asarray(opened), mask)
    assert len(list((tmp_path / "out" / "overlays").iterdir())) == 3


def test_coco_is_read_back_to_the_pixel(tmp_path) -> None:
    given_answers, masks = answers(tmp_path)
    write(tmp_path / "answers.json", iter(given_answers), top=1)
    told = json.loads((tmp_path / "answers.json").read_text(encoding="utf-8"))
    assert [category["name"] for category in told["categories"]] == ["red", "green", "blue"]
    assert [image["file_name"] for image in told["images"]] == ["a/one.png", "b/one.png", "two.jpg"]
    dataset = load_data(tmp_path, task="segment")
    assert dataset.format == "coco" and set(dataset.classes) == set(CLASSES)
    number_of = [dataset.classes.index(name) for name in CLASSES]
    for entry in dataset.entries:
        mask = masks[["a/one.png", "b/one.png", "two.jpg"].index(entry.id)]
        drawn = dataset.masks.classes(entry.target, dataset.pictures.frame(entry.locator))
        assert np.array_equal(drawn, np.array(number_of)[mask])


def test_a_table_holds_shares_and_overlays_belong_to_folders(tmp_path) -> None:
    given_answers, _ = answers(tmp_path)
    write(tmp_path / "shares.csv", iter(given_answers), top=1)
    lines = (tmp_path / "shares.csv").read_text().splitlines()
    assert len(lines) == 5 and lines[1].startswith("a/one.png,background,1.0")
    assert wants_overlays(tmp_path / "out") and not wants_overlays(tmp_path / "out.json") and not wants_overlays(None)
