"""The page of `anmok check` on data with boxes: the odd ones are drawn where they lie, the others beside them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import anmok
from anmok.data.load import load_data
from anmok.tasks.detect.drawing import TRUE, WRONG
from anmok.verbs.check_boxes import concerned, histograms, samples, with_boxes

BOXES = {
    "plain": [(10, 10, 40, 30, 1), (50, 50, 20, 40, 2)],
    "twice": [(10, 10, 40, 30, 1), (10, 10, 40, 31, 1), (60, 60, 30, 30, 2)],
    "doubted": [(10, 10, 40, 30, 1), (10, 10, 40, 30, 2)],
    "tiny": [(10, 10, 40, 30, 2), (70, 70, 2, 9, 1)],
    "outside": [(10, 10, 40, 30, 1), (200, 10, 20, 20, 1)],
    "none": [],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    images, annotations = [], []
    for number, (name, boxes) in enumerate(BOXES.items(), start=1):
        pixels = np.random.default_rng(number).integers(90, 120, (100, 100, 3), dtype=np.uint8)
        (tmp_path / "data").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(tmp_path / f"data/{name}.png")
        images.append({"id": number, "file_name": f"{name}.png", "width": 100, "height": 100})
        annotations += [{"id": 100 * number + k, "image_id": number, "category_id": label, "bbox": [x, y, w, h],
                         "area": w * h, "iscrowd": 0} for k, (x, y, w, h, label) in enumerate(boxes)]  # fmt: skip
    categories = [{"id": 1, "name": "ant"}, {"id": 2, "name": "bee"}]
    told = {"images": images, "annotations": annotations, "categories": categories}
    (tmp_path / "data/annotations.json").write_text(json.dumps(told))
    return tmp_path / "data"


def test_the_page_draws_what_it_says(folder: Path, tmp_path: Path) -> None:
    found = anmok.check(folder, html=tmp_path / "page.html")
    kinds = {problem["kind"]: [Path(name).stem for group in problem["pictures"] for name in group]
             for problem in found.problems}  # fmt: skip
    assert kinds["boxes told twice"] == ["twice"] and kinds["boxes of two classes"] == ["doubted"]
    assert kinds["tiny boxes"] == ["tiny"] and kinds["pictures without boxes"] == ["none"]
    assert [Path(item["path"]).name for item in found.quarantined] and found.accounts["rows"]["quarantined"] == 1
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert 'id="objects"' in page and "√area of boxes" in page and "boxes in a picture" in page
    assert page.count("data:image") >= 4 + 3


def has_colour(picture: np.ndarray, colour: tuple[int, int, int]) -> bool:
    return bool((picture == colour).all(2).any())


def test_boxes_concerned_are_marked_and_the_others_are_not(folder: Path) -> None:
    dataset = load_data(folder)
    place = {Path(entry.id).stem: k for k, entry in enumerate(dataset.entries)}
    told = {
        "twice": ("boxes told twice", {0, 1}), "doubted": ("boxes of two classes", {0, 1}), "tiny": ("tiny boxes", {1}),
        "plain": ("boxes told twice", set()),
    }  # fmt: skip
    for name, (kind, expected) in told.items():
        marked = concerned(kind, dataset.entries[place[name]].target)
        assert marked == expected
        picture = with_boxes(dataset, place[name], marked)
        assert picture is not None and has_colour(picture, WRONG) == bool(marked)
        assert has_colour(picture, TRUE) == (name != "doubted")
    assert concerned("boxes of two classes", dataset.entries[place["twice"]].target) == set()


def test_samples_show_one_class_and_histograms_count_everything(folder: Path) -> None:
    dataset = load_data(folder)
    shown = samples(dataset)
    assert set(shown) == {"ant", "bee"} and all(1 <= len(pictures) <= 4 for pictures in shown.values())
    statistics = anmok.check(folder).statistics
    sides, aspects, counts = histograms(statistics)
    boxes = sum(map(len, BOXES.values())) - 1
    assert sum(count for _, count in sides.bins) == sum(count for _, count in aspects.bins) == boxes
    assert dict(counts.bins) == {"0": 1, "1": 1, "2": 3, "3": 1}
    assert histograms({}) == []
