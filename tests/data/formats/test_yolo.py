"""YOLO's texts and descriptions as people have them."""

from pathlib import Path

import pytest
from PIL import Image

from anmok.core.errors import DataError
from anmok.data.load import load_data

GOOD = "0 0.5 0.5 0.5 0.25"


def write(root: Path, text: str | bytes, yaml: str | None = "names: [cat, dog]\n", name: str = "a") -> Path:
    for folder in ("images", "labels"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    Image.new("L", (60, 40)).save(root / "images" / f"{name}.png")
    (root / "labels" / f"{name}.txt").write_bytes(text if isinstance(text, bytes) else text.encode())
    if yaml is not None:
        (root / "data.yaml").write_text(yaml)
    return root


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("0 0.5 0.5 0.5", "4 numbers"),
        ("0 0.5 0.5 0.5 0.25 0.9", "6 numbers"),
        ("cat 0.5 0.5 0.5 0.25", "not all numbers"),
        ("2 0.5 0.5 0.5 0.25", "class 2 where there are 2"),
        ("-1 0.5 0.5 0.5 0.25", "whole number from 0"),
        ("0.5 0.5 0.5 0.5 0.25", "whole number from 0"),
        ("0 30 20 30 10", "no share"),
        ("0 nan 0.5 0.5 0.25", "no number"),
        ("0 inf 0.5 0.5 0.25", "no number"),
        ("0 0.5 0.5 0 0.25", "a box of width 0"),
        ("0 0.5 0.5 -0.5 0.25", "width -0.5"),
        ("0 0.9 0.5 0.5 0.25", "outside its picture"),
        ("0 0.5,0.5,0.5,0.25", "not all numbers"),
        ("0", "1 numbers"),
    ],
)
def test_a_bad_line_costs_that_line(line: str, words: str, tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, f"{GOOD}\n{line}\n1 0.25 0.25 0.1 0.1\n"))
    assert dataset.classes == ("cat", "dog") and dataset.entries[0].target.labels.tolist() == [0, 1]
    (aside,) = dataset.set_aside
    assert (aside.path, aside.line) == ("labels/a.txt", 2) and words in aside.reason and aside.fix
    assert dataset.accounts()["rows"] == {"seen": 3, "used": 2, "quarantined": 1, "skipped": 0}


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_of_every_system(end: str, tmp_path: Path) -> None:
    text = "\ufeff" + end.join([GOOD, "", f"  {GOOD}  ", "1.0\t0.25 0.25  1e-1 0.1", " "]) + end
    dataset = load_data(write(tmp_path, text.encode()))
    assert dataset.entries[0].target.boxes.tolist() == [[15, 15, 45, 25], [12, 8, 18, 12]]
    assert dataset.accounts()["rows"] == {"seen": 5, "used": 2, "quarantined": 0, "skipped": 3}


def test_outlines_and_their_boxes(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, f"1 0.5 0.25 0.75 0.75 0.25 0.75\n{GOOD}\n"))
    target = dataset.entries[0].target
    assert target.boxes.tolist() == [[15, 10, 45, 30], [15, 15, 45, 25]]
    assert target.regions[0].rings[0].tolist() == [[30, 10], [45, 30], [15, 30]] and target.regions[1] is None
    segments = load_data(tmp_path, task="segment")
    assert segments.classes == ("background", "cat", "dog") and segments.task == "segment"


def test_poses_are_read_for_their_boxes(tmp_path: Path) -> None:
    text = GOOD + " 0.5 0.5 2 0.6 0.6 1\n"
    dataset = load_data(write(tmp_path, text, "names: [cat]\nkpt_shape: [2, 3]\n"))
    assert dataset.entries[0].target.boxes.tolist() == [[15, 15, 45, 25]] and not dataset.set_aside


def test_a_picture_without_text_shows_nothing_and_a_text_without_picture_is_set_aside(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    write(tmp_path, "", name="empty")
    Image.new("L", (9, 9)).save(tmp_path / "images" / "bare.png")
    (tmp_path / "labels" / "gone.txt").write_text(f"{GOOD}\n{GOOD}\n")
    (tmp_path / "notes.txt").write_text("hello\n")
    dataset = load_data(tmp_path)
    assert {entry.id: len(entry.target) for entry in dataset.entries} == {
        "images/a.png": 1, "images/bare.png": 0, "images/empty.png": 0,
    }  # fmt: skip
    assert [(q.path, q.line) for q in dataset.set_aside] == [("labels/gone.txt", None)]
    assert "1 pictures have no text" in dataset.warnings[0]
    accounts = dataset.accounts()
    assert accounts["rows"] == {"seen": 3, "used": 1, "quarantined": 0, "skipped": 2}
    assert accounts["files"] == {"seen": 8, "used": 6, "quarantined": 1, "skipped": 1}


@pytest.mark.parametrize(
    ("yaml", "words"),
    [
        ("nc: 3\nnames: [a, b]\n", r"nc is not the number of names.*nc: 3, and 2 names"),
        ("names: [a, a]\n", "two classes have one name"),
        ("names: {x: a}\n", "names by numbers from 0"),
        ("names: [a, b\n", r"YAML cannot be read"),
        ("names: !!python/object:os.system [a]\n", r"YAML cannot be read"),
        ("a: &a [x, x]\nnames: [*a, *a]\n", r"aliases"),
    ],
)
def test_a_description_that_contradicts_itself_is_refused(yaml: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"data\.yaml.*{words}"):
        load_data(write(tmp_path, GOOD, yaml))


@pytest.mark.parametrize("yaml", ["names:\n  0: cat\n  1: dog\n", "names: [cat, dog]\nnc: 2\n"])
def test_names_by_number_or_in_a_list(yaml: str, tmp_path: Path) -> None:
    assert load_data(write(tmp_path, GOOD, yaml)).classes == ("cat", "dog")


def test_names_beside_or_none_at_all(tmp_path: Path) -> None:
    write(tmp_path, "2 0.5 0.5 0.5 0.25\n", yaml=None)
    assert load_data(tmp_path).classes == ("0", "1", "2")
    (tmp_path / "classes.txt").write_text("cat\ndog\ntraffic light\n")
    assert load_data(tmp_path).classes == ("cat", "dog", "traffic light")


@pytest.mark.parametrize(
    "paths",
    [
        {"train": "images/train", "val": "images/val"},
        {"path": "/somewhere/else", "train": "../images/train", "val": "../images/val"},
        {"train": ["images/train"], "val": "val.txt"},
        {},
    ],
)
def test_parts_as_described_or_by_folder(paths: dict[str, str], tmp_path: Path) -> None:
    for part in ("train", "val", "test"):
        for folder in ("images", "labels"):
            (tmp_path / folder / part).mkdir(parents=True)
        Image.new("L", (60, 40)).save(tmp_path / "images" / part / "a.png")
        (tmp_path / "labels" / part / "a.txt").write_text(GOOD)
    (tmp_path / "val.txt").write_text("./images/val/a.png\n")
    lines = [f"{key}: {value}" for key, value in paths.items()]
    (tmp_path / "data.yaml").write_text("\n".join([*lines, "names: [cat]\n"]))
    expected = {"train": 1, "val": 1, "test": 1}
    assert load_data(tmp_path).splits == expected and not load_data(tmp_path).set_aside
    if "path" not in paths:
        assert load_data(tmp_path / "data.yaml").splits == expected


def test_a_description_that_uses_training_pictures_twice(tmp_path: Path) -> None:
    write(tmp_path, GOOD, "train: images\nval: images\nnames: [cat]\n")
    dataset = load_data(tmp_path)
    assert dataset.splits == {"train": 1} and "the same pictures for train and val" in dataset.warnings[0]


def test_roboflow_and_darknet_layouts(tmp_path: Path) -> None:
    for part in ("train", "valid"):
        write(tmp_path / "r" / part, GOOD, yaml=None)
    (tmp_path / "r" / "data.yaml").write_text("train: ../train/images\nval: ../valid/images\nnc: 1\nnames: ['cat']\n")
    assert load_data(tmp_path / "r").splits == {"train": 1, "val": 1}
    (tmp_path / "d" / "obj_train_data").mkdir(parents=True)
    Image.new("L", (60, 40)).save(tmp_path / "d" / "obj_train_data" / "a.png")
    (tmp_path / "d" / "obj_train_data" / "a.txt").write_text(GOOD)
    (tmp_path / "d" / "obj.names").write_text("cat\n")
    dataset = load_data(tmp_path / "d")
    assert dataset.format == "yolo" and dataset.classes == ("cat",) and dataset.splits == {"train": 1}


def test_a_text_without_picture_is_told_though_its_first_line_is_faulty(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    (tmp_path / "labels" / "lost.txt").write_text(f"cat 0.5 0.5 0.5 0.25\n{GOOD}\n")
    (tmp_path / "labels" / "notes.txt").write_text("drawn by two people\nin 2024\n")
    dataset = load_data(tmp_path)
    assert [item.path for item in dataset.set_aside] == ["labels/lost.txt"]
    assert dataset.accounts()["files"]["seen"] == 5
