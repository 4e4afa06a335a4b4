"""COCO files as people have them: ids, names, frames, faults, sizes."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from faster_coco_eval.core import mask as coco_masks
from PIL import Image

from anmok.core.errors import DataError
from anmok.core.regions import RunLengths
from anmok.data.formats import _json_stream
from anmok.data.formats._json_stream import elements
from anmok.data.load import load_data


def write(root: Path, annotations: list[Any], images: list[Any] | None = None, **more: Any) -> Path:
    """One picture `images/a.png` of 60 × 40, category 3 "cat" and 0 "dog", and these annotations."""
    (root / "images").mkdir(parents=True, exist_ok=True)
    if not (root / "images" / "a.png").exists():
        Image.new("L", (60, 40)).save(root / "images" / "a.png")
    images = [{"id": 7, "file_name": "a.png", "width": 60, "height": 40}] if images is None else images
    categories = [{"id": 3, "name": "cat"}, {"id": 0, "name": "dog"}]
    told = {"images": images, "annotations": annotations, "categories": categories, **more}
    (root / "boxes.json").write_text(json.dumps(told))
    return root


def row(**fields: Any) -> dict[str, Any]:
    return {"image_id": 7, "category_id": 3, "bbox": [1, 2, 10, 20], **fields}


BAD: dict[str, tuple[Any, str]] = {
    "no object": (5, "object of fields"),
    "no picture": (row(image_id=None), "names no picture"),
    "a dangling picture": (row(image_id=8), "not in images"),
    "a dangling category": (row(category_id=1), "not in categories"),
    "three numbers": (row(bbox=[1, 2, 3]), "not four numbers"),
    "words": (row(bbox=["1", "2", "3", "4"]), "not four numbers"),
    "not a number": (row(bbox=[1, 2, float("nan"), 4]), "no number"),
    "infinite": (row(bbox=[1, 2, float("inf"), 4]), "no number"),
    "turned inside out": (row(bbox=[10, 10, -5, 5]), "negative width"),
    "a line": (row(bbox=[10, 10, 5, 0]), "no extent"),
    "outside": (row(bbox=[50, 10, 20, 5]), "outside its picture of 60 × 40"),
    "two points": (row(segmentation=[[1, 2, 3, 4]]), "2 points"),
    "half a point": (row(segmentation=[[1, 2, 3, 4, 5, 6, 7]]), "without its y"),
    "an outline of words": (row(segmentation=[["a"] * 6]), "not lists of numbers"),
    "short runs": (row(segmentation={"size": [40, 60], "counts": [5, 5]}), "do not fit"),
    "runs of another size": (row(segmentation={"size": [60, 40], "counts": [2400]}), "run lengths of 40 × 60"),
    "runs that are no text": (row(segmentation={"size": [40, 60], "counts": "é"}), "do not fit"),
    "nothing": (row(bbox=None), "neither a box"),
    "a number of hundreds of digits": (row(bbox=[1, 2, 10**300, 4]), "not four numbers"),
}


@pytest.mark.parametrize("fault", BAD)
def test_a_bad_box_costs_that_box(fault: str, tmp_path: Path) -> None:
    bad, words = BAD[fault]
    dataset = load_data(write(tmp_path, [row(id=1), bad, row(id=3, category_id=0)]))
    assert dataset.classes == ("dog", "cat") and dataset.entries[0].target.labels.tolist() == [1, 0]
    (aside,) = dataset.set_aside
    assert (aside.path, aside.line) == ("boxes.json", 2) and words in aside.reason and aside.fix
    assert dataset.accounts()["rows"] == {"seen": 3, "used": 2, "quarantined": 1, "skipped": 0}


def test_ids_are_compared_as_people_mean_them(tmp_path: Path) -> None:
    images = [{"id": "7", "file_name": "a.png"}]
    rows = [row(id="x"), row(id=2.0, image_id=7.0, bbox=[0, 0, 3, 3]), row(id="2", bbox=[4, 4, 4, 4])]
    dataset = load_data(write(tmp_path, rows, images))
    assert len(dataset.entries[0].target) == 2 and "another annotation of the id 2" in dataset.set_aside[0].reason


def test_rows_told_twice_are_read_once(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, [row(id=1), row(id=2), row(id=3, category_id=0)]))
    assert len(dataset.entries[0].target) == 2 and dataset.accounts()["rows"]["skipped"] == 1
    assert dataset.warnings == ("1 box told twice, read once",)


@pytest.mark.parametrize(("excess", "kept"), [(0.5, True), (1.0, True), (1.01, False), (30, False)])
def test_up_to_a_pixel_outside_is_clipped(excess: float, kept: bool, tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, [row(bbox=[50, 20, 10 + excess, 5]), row(bbox=[-excess, 3, 20, 5])]))
    boxes = dataset.entries[0].target.boxes.tolist()
    assert boxes == ([[50, 20, 60, 25], [0, 3, pytest.approx(20 - excess), 8]] if kept else [])
    assert (len(dataset.set_aside), len(dataset.warnings)) == ((0, 1) if kept else (2, 0))


@pytest.mark.parametrize(
    "name", ["images/a.png", "images\\a.png", "C:\\data\\images\\a.png", "/home/someone/a.png", "A.PNG", "./a.png"]
)
def test_pictures_are_found_however_they_are_written(name: str, tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, [row()], [{"id": 7, "file_name": name}]))
    assert dataset.entries[0].locator == "images/a.png"


def test_letters_composed_in_another_way_are_the_same(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    Image.new("L", (60, 40)).save(tmp_path / "images" / "새é.png")
    dataset = load_data(write(tmp_path, [row()], [{"id": 7, "file_name": "\u1109\u1162e\u0301.png"}]))
    assert dataset.entries[0].id == "images/새é.png"


@pytest.mark.parametrize("stated", [(60, 40), (40, 60), None])
def test_boxes_made_before_exif_turned_the_picture_are_turned(stated: tuple[int, int] | None, tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6  # stored 60 × 40, shown 40 × 60: what is left below comes to the upper left
    pixels = np.zeros((40, 60), np.uint8)
    pixels[30:40, 0:20] = 255
    Image.fromarray(pixels).save(tmp_path / "images" / "a.png", exif=exif)
    size = {} if stated is None else {"width": stated[0], "height": stated[1]}
    box = [0, 30, 20, 10] if stated == (60, 40) else [0, 0, 10, 20]  # stored and upright
    dataset = load_data(write(tmp_path, [row(bbox=box)], [{"id": 7, "file_name": "a.png", **size}]))
    left, top, right, bottom = dataset.entries[0].target.boxes[0].astype(int)
    shown = dataset.pictures.read("images/a.png")[..., 0]
    assert shown[top:bottom, left:right].min() == 255 and shown.sum() == 255 * 200
    assert len(dataset.warnings) == (stated == (60, 40))


def test_another_size_than_stated_is_told(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, [row()], [{"id": 7, "file_name": "a.png", "width": 120, "height": 80}]))
    assert "labelled at 120 × 80, is 60 × 40" in dataset.warnings[0] and len(dataset.entries[0].target) == 1


def test_faulty_pictures_are_set_aside_with_their_rows(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    images = [{"id": 7, "file_name": "a.png"}, {"id": 8, "file_name": "torn.png"}, {"id": 9, "file_name": "gone.png"},
              {"id": 7, "file_name": "a.png"}, {"id": 10, "file_name": "a.png"}, {"file_name": "x"}, 3]  # fmt: skip
    dataset = load_data(write(tmp_path, [row(), *(row(image_id=i) for i in (8, 9, 10))], images))
    assert dataset.account() == {"seen": 7, "used": 1, "quarantined": 6, "skipped": 0}
    assert dataset.accounts()["rows"] == {"seen": 4, "used": 1, "quarantined": 0, "skipped": 3}
    told = " ".join(item.reason for item in dataset.quarantined)
    assert "no file 'gone.png'" in told and "its id 7 is that of row 1" in told and "needs an id" in told


def test_only_a_part_of_the_pictures_is_there(tmp_path: Path) -> None:
    write(tmp_path, [row()])
    gone = json.dumps({"images": [{"id": 1, "file_name": "no.jpg"}], "annotations": [], "categories": []})
    (tmp_path / "other.json").write_text(gone)
    dataset = load_data(tmp_path)
    assert len(dataset) == 1 and "other.json was left out" in dataset.warnings[0]
    (tmp_path / "boxes.json").unlink()
    with pytest.raises(DataError, match=r"none of the pictures.*no file 'no.jpg'.*--pictures"):
        load_data(tmp_path)


def test_a_file_of_annotations_finds_pictures_beside_its_folder(tmp_path: Path) -> None:
    write(tmp_path / "all", [row()])
    (tmp_path / "all" / "annotations").mkdir()
    (tmp_path / "all" / "boxes.json").rename(tmp_path / "all" / "annotations" / "val.json")
    assert load_data(tmp_path / "all" / "annotations" / "val.json").splits == {"val": 1}
    (tmp_path / "all" / "annotations" / "val.json").rename(tmp_path / "val.json")
    assert len(load_data(tmp_path / "val.json", pictures=tmp_path / "all" / "images")) == 1


def test_captions_and_keypoints_are_passed_over(tmp_path: Path) -> None:
    write(tmp_path, [row()])
    content = (tmp_path / "boxes.json").read_text()
    (tmp_path / "boxes.json").unlink()
    for name in ("instances_train2017", "captions_train2017", "person_keypoints_train2017"):
        (tmp_path / f"{name}.json").write_text(content)
    dataset = load_data(tmp_path)
    assert dataset.splits == {"train": 1} and dataset.accounts()["files"]["skipped"] == 2


def test_run_lengths_are_those_of_coco(tmp_path: Path) -> None:
    rng, rows, masks = np.random.default_rng(3), [], []
    for number in range(12):
        mask = rng.random((40, 60)) < rng.random() if number else np.ones((40, 60), bool)
        packed = coco_masks.encode(np.asfortranarray(mask.astype(np.uint8)))
        text = packed["counts"].decode() if isinstance(packed["counts"], bytes) else packed["counts"]
        counts: Any = text if number % 2 else RunLengths.of(mask).counts.tolist()
        assert RunLengths.of(mask).to_text() == text
        rows.append(row(bbox=None, segmentation={"size": [40, 60], "counts": counts}, iscrowd=number % 2))
        masks.append(mask)
    target = load_data(write(tmp_path, rows)).entries[0].target
    assert target.crowd.tolist() == [bool(number % 2) for number in range(12)]
    for mask, region, box in zip(masks, target.regions, target.boxes, strict=True):
        ys, xs = np.nonzero(mask)
        assert np.array_equal(region.draw((40, 60)), mask)
        assert box.tolist() == [xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]


def test_outlines_cover_what_coco_covers(tmp_path: Path) -> None:
    """Not bit for bit: COCO's own drawing is off by up to half a pixel along edges, by its fifths."""
    rng = np.random.default_rng(4)
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    ring = np.stack([30 + 20 * np.cos(angles), 20 + 15 * np.sin(angles)], 1) + rng.normal(0, 1, (12, 2))
    dataset = load_data(write(tmp_path, [row(bbox=None, segmentation=[ring.ravel().tolist()])]))
    mine = dataset.entries[0].target.regions[0].draw((40, 60))
    theirs = coco_masks.decode(coco_masks.frPyObjects([ring.ravel().tolist()], 40, 60)[0]).astype(bool)
    assert (mine & theirs).sum() / (mine | theirs).sum() > 0.97


def test_class_maps_are_drawn_from_outlines(tmp_path: Path) -> None:
    from anmok.core.targets import Frame

    ring = [[10, 10, 30, 10, 30, 20, 10, 20]]
    dataset = load_data(
        write(tmp_path, [row(segmentation=ring), row(category_id=0, bbox=[0, 0, 5, 5])]), task="segment"
    )
    assert dataset.classes == ("background", "dog", "cat") and "1 objects have no outline" in dataset.warnings[-1]
    assert dataset.masks is not None
    drawn = dataset.masks.classes(dataset.entries[0].target, Frame((40, 60)))
    assert (drawn[10:20, 10:30] == 2).all() and (drawn[:5, :5] == 1).all() and (drawn > 0).sum() == 225


@pytest.mark.parametrize("cut", [-60, -33, -3, -1])
def test_truncated_json_is_refused_with_the_place(cut: int, tmp_path: Path) -> None:
    path = write(tmp_path, [row()]) / "boxes.json"
    path.write_text(path.read_text()[:cut])
    with pytest.raises(DataError, match=r"boxes\.json: the file ends in the middle.*character \d"):
        load_data(tmp_path)


def test_contradicting_categories_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, [row()]) / "boxes.json"
    path.write_text(path.read_text().replace('"id": 0, "name": "dog"', '"id": 3, "name": "dog"'))
    with pytest.raises(DataError, match="two categories have one id"):
        load_data(tmp_path)


@pytest.mark.parametrize("piece", [1, 7, 64, 1 << 20])
def test_json_is_the_same_in_whatever_pieces_it_is_read(
    piece: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_json_stream, "_PIECE", piece)
    value = {"a": {"b": [1, {"c": 'x"]}\\'}]}, "list": [1.5, -2e3, "새", None, [], {}], "empty": [], "n": 12, "t": True}
    for indent, encoding in ((None, "utf-8"), (2, "utf-8-sig"), (None, "utf-16")):
        (tmp_path / "x.json").write_text(json.dumps(value, indent=indent, ensure_ascii=False), encoding=encoding)
        read: dict[str, Any] = {"empty": []}
        for key, number, found in elements(tmp_path / "x.json"):
            if number:
                read.setdefault(key, []).append(found)
            else:
                read[key] = found
        assert read == value


@pytest.mark.parametrize(
    "text", ['{"a": ' + "[" * 10**5, '{"a": 1' + "0" * 9999, '{"a": [1,', "[]", '{"a" 1}', "{1: 2}", ""]
)
def test_hostile_json_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(DataError, match=r"x\.json"):
        list(elements(tmp_path / "x.json"))
