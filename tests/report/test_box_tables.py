"""Answered boxes in files that other programs read, and in the terminal."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from anmok.core.errors import UsageError
from anmok.core.types import Prediction
from anmok.report.box_tables import terminal_rows, write_boxes

ANSWERS = [
    Prediction("가.jpg", ("cat", "dog"), (0.91239, 0.5), boxes=np.array([[1.234, 2, 30, 40.5], [0, 0, 7, 9]])),
    Prediction("empty.jpg", (), (), boxes=np.zeros((0, 4))),
    Prediction("broken.jpg", error="is empty, a picture has bytes"),
]


def test_csv_has_a_row_a_box_and_one_for_what_cannot_be_read(tmp_path: Path) -> None:
    assert write_boxes(tmp_path / "a.csv", ANSWERS) == 3
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["picture"] for row in rows] == ["가.jpg", "가.jpg", "broken.jpg"]
    first = {name: float(rows[0][name]) for name in ("score", "left", "top", "right", "bottom")}
    assert first == {"score": 0.9124, "left": 1.23, "top": 2.0, "right": 30.0, "bottom": 40.5}
    assert rows[2]["class"] == "" and rows[2]["error"] == "is empty, a picture has bytes"


def test_json_lines_hold_every_picture_with_its_boxes(tmp_path: Path) -> None:
    assert write_boxes(tmp_path / "a.jsonl", ANSWERS) == 3
    rows = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [len(row["boxes"]) for row in rows] == [2, 0, 0] and rows[2]["error"]
    assert rows[0]["boxes"][1] == {"class": "dog", "score": 0.5, "box": [0.0, 0.0, 7.0, 9.0]}


def test_cocos_results_have_left_top_width_height(tmp_path: Path) -> None:
    assert write_boxes(tmp_path / "a.json", ANSWERS) == 2
    told = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert told[0] == {"image": "가.jpg", "category": "cat", "score": 0.9124, "bbox": [1.23, 2.0, 28.77, 38.5]}
    write_boxes(tmp_path / "none.json", ANSWERS[1:])
    assert json.loads((tmp_path / "none.json").read_text()) == []


def test_parquet_is_typed(tmp_path: Path) -> None:
    assert write_boxes(tmp_path / "a.parquet", ANSWERS) == 3
    table = pq.read_table(tmp_path / "a.parquet")
    assert table.column("right").to_pylist() == [30.0, 7.0, None]
    assert str(table.schema.field("score").type) == "double"


def test_an_unknown_ending_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="names no format of boxes"):
        write_boxes(tmp_path / "a.txt", ANSWERS)
    assert not list(tmp_path.iterdir())


def test_the_terminal_counts_by_class_and_lists_the_surest_where_asked() -> None:
    rows = list(terminal_rows(ANSWERS, top=2))
    assert rows == [
        ["가.jpg", "2", "1 cat, 1 dog"],
        ["", "", "cat 91.2 %  at 1, 2 to 30, 40"],
        ["", "", "dog 50.0 %  at 0, 0 to 7, 9"],
        ["empty.jpg", "0", "nothing"],
        ["broken.jpg", "", "is empty, a picture has bytes"],
    ]
    many = Prediction("a", tuple("abcdefghijk"), (0.5,) * 11, boxes=np.zeros((11, 4)))
    assert next(terminal_rows([many]))[2].endswith("1 h and 3 classes more")
