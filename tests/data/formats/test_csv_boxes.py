"""Tables of boxes under the names and orders that people give their columns."""

from pathlib import Path

import pytest
from PIL import Image

from anmok.data.load import load_data

BOX = [[10, 5, 30, 25]]


def write(root: Path, *lines: str, name: str = "boxes.csv") -> Path:
    (root / "images").mkdir(parents=True, exist_ok=True)
    for picture in ("a", "b"):
        Image.new("L", (60, 40)).save(root / "images" / f"{picture}.png")
    (root / name).write_text("\n".join(lines) + "\n")
    return root


@pytest.mark.parametrize(
    ("header", "row"),
    [
        ("path,x1,y1,x2,y2,label", "images/a.png,10,5,30,25,cat"),
        ("filename,width,height,class,xmin,ymin,xmax,ymax", "a.png,60,40,cat,10,5,30,25"),
        ("image,x,y,w,h,category", "a.png,10,5,20,20,cat"),
        ("image_id,x,y,width,height,name", "a,10,5,20,20,cat"),
        ("image_name;bbox_x;bbox_y;bbox_width;bbox_height;label_name", "a.png;10;5;20;20;cat"),
        ("ImageID,LabelName,XMin,XMax,YMin,YMax", "a,cat,0.16666667,0.5,0.125,0.625"),
        ("file\tx_center\ty_center\twidth\theight\tclass", "a.png\t0.33333334\t0.375\t0.33333334\t0.5\tcat"),
        ("image,bbox,label", 'a.png,"[10, 5, 20, 20]",cat'),
        ("File Name,Left,Top,Right,Bottom,Class", "a.png,10,5,30,25,cat"),
    ],
)
def test_columns_by_their_names(header: str, row: str, tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, header, row))
    assert (dataset.format, dataset.classes) == ("csv_boxes", ("cat",)) and len(dataset) == 1
    assert dataset.entries[0].target.boxes.round(4).tolist() == BOX and not dataset.set_aside
    assert dataset.accounts()["files"] == {"seen": 3, "used": 2, "quarantined": 0, "skipped": 1}


def test_without_a_header_as_retinanets_first_trainers_had_it(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, "images/a.png,10,5,30,25,cat", "images/b.png,,,,,", "images/a.png,1,1,9,9,dog"))
    assert {entry.id: len(entry.target) for entry in dataset.entries} == {"images/a.png": 2, "images/b.png": 0}
    assert dataset.classes == ("cat", "dog")
    assert dataset.accounts()["rows"] == {"seen": 3, "used": 2, "quarantined": 0, "skipped": 1}


def test_boxes_without_classes_are_of_one(tmp_path: Path) -> None:
    dataset = load_data(write(tmp_path, "image_id,width,height,bbox", 'a,60,40,"[10, 5, 20, 20]"'))
    assert dataset.classes == ("object",) and "every box is of one" in dataset.warnings[0]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("gone.png,1,1,9,9,cat", "no file 'gone.png'"), ("a.png,1,1,x,9,cat", "not four numbers"),
        ("a.png,1,1,9,9,", "is blank"), ("a.png,1,1,9", "4 cells"), ("a.png,9,9,1,1,cat", "corners are swapped"),
        ("a.png,1,1,900,9,cat", "outside its picture"), ("a.png,1,1,nan,9,cat", "no number"),
        ("../../etc/hostname,1,1,9,9,cat", "leaves the data folder"), ("a.png,1,1,1,9,cat", "no extent"),
    ],
)  # fmt: skip
def test_a_bad_row_costs_that_row(row: str, words: str, tmp_path: Path) -> None:
    rows = ["a.png,10,5,30,25,cat", row, "b.png,1,2,3,4,dog"]
    dataset = load_data(write(tmp_path, "path,x1,y1,x2,y2,label", *rows))
    (aside,) = dataset.set_aside
    assert (aside.path, aside.line) == ("boxes.csv", 3) and words in aside.reason and aside.fix
    assert [len(entry.target) for entry in dataset.entries] == [1, 1]
    assert dataset.accounts()["rows"] == {"seen": 3, "used": 2, "quarantined": 1, "skipped": 0}


def test_parts_by_table_or_column(tmp_path: Path) -> None:
    write(tmp_path / "one", "path,x1,y1,x2,y2,label", "a.png,10,5,30,25,cat", name="train_labels.csv")
    write(tmp_path / "one", "path,x1,y1,x2,y2,label", "b.png,10,5,30,25,cat", name="test_labels.csv")
    assert load_data(tmp_path / "one").splits == {"train": 1, "test": 1}
    rows = ["a.png,10,5,30,25,cat,train", "b.png,10,5,30,25,cat,val", "b.png,1,2,3,4,cat,train"]
    dataset = load_data(write(tmp_path / "two", "path,x1,y1,x2,y2,label,split", *rows))
    assert dataset.splits == {"train": 1} and "train and val" in dataset.quarantined[0].reason
    assert dataset.accounts()["rows"] == {"seen": 3, "used": 1, "quarantined": 0, "skipped": 2}


def test_a_table_of_classes_stays_one(tmp_path: Path) -> None:
    write(tmp_path, "path,label,age", "a.png,cat,3", "b.png,dog,4")
    assert load_data(tmp_path).format == "csv"
