"""Answers of several classes as files and on the screen."""

import csv
import json

import pyarrow.parquet as pq

from anmok.core.types import Prediction
from anmok.report.tables import rows, terminal_rows, write_predictions

ANSWERS = [
    Prediction("broken.jpg", error="is empty"),
    Prediction("가.jpg", ("dog", "cat", "bird"), (0.9, 0.7, 0.2), found=("dog", "cat")),
    Prediction("nothing.jpg", ("cat", "dog", "bird"), (0.3, 0.2, 0.1), found=()),
]


def test_csv_names_all_that_was_found_and_every_score(tmp_path):
    assert write_predictions(tmp_path / "a.csv", iter(ANSWERS), several=True) == 3
    with (tmp_path / "a.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.reader(file))
    assert found[0] == ["id", "labels", "score_bird", "score_cat", "score_dog", "error"]
    assert found[1] == ["broken.jpg", "", "", "", "", "is empty"]
    assert found[2] == ["가.jpg", "dog|cat", "0.2", "0.7", "0.9", ""]
    assert found[3][:2] == ["nothing.jpg", "[]"]


def test_json_lines_and_parquet_hold_lists(tmp_path):
    write_predictions(tmp_path / "a.jsonl", ANSWERS, several=True)
    lines = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines[1] == {"id": "가.jpg", "labels": ["dog", "cat"], "scores": {"dog": 0.9, "cat": 0.7, "bird": 0.2},
                        "error": None}  # fmt: skip
    assert lines[0]["labels"] is None and lines[2]["labels"] == [] and lines == list(rows(ANSWERS, several=True))
    write_predictions(tmp_path / "a.parquet", ANSWERS, several=True)
    table = pq.read_table(tmp_path / "a.parquet").to_pylist()
    assert table[1]["labels"] == ["dog", "cat"] and table[2]["labels"] == [] and table[0]["labels"] is None
    assert table[1]["score_cat"] == 0.7


def test_the_screen(tmp_path):
    assert list(terminal_rows(ANSWERS)) == [
        ["broken.jpg", "is empty"],
        ["가.jpg", "dog 90.0 %, cat 70.0 %"],
        ["nothing.jpg", "none of the classes (cat 30.0 %)"],
    ]


def test_nothing_but_errors(tmp_path):
    assert write_predictions(tmp_path / "a.csv", ANSWERS[:1], several=True) == 1
    assert (tmp_path / "a.csv").read_text() == "id,labels,error\nbroken.jpg,,is empty\n"
