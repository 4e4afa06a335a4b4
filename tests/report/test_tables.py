import csv
import json
import tracemalloc

import pyarrow.parquet as pq
import pytest

from anmok.core.errors import AnmokError, UsageError
from anmok.core.types import Prediction
from anmok.report.tables import columns, heading, rows, terminal_rows, write_predictions

ANSWERS = [
    Prediction('고양이, "quoted"\nline.jpg', ("cat", "dog", "bird"), (0.7, 0.2, 0.1)),
    Prediction("=1+1.png", ("dog", "cat"), (0.6, 0.4)),
    Prediction("torn.jpg", error="ends in the middle of the picture"),
    Prediction("bad\udcffname.png", ("cat",), (1.0,)),
]
EXPECTED = [
    ('고양이, "quoted"\nline.jpg', "cat", 0.7, "dog", 0.2, None, None),
    ("=1+1.png", "dog", 0.6, "cat", 0.4, None, None),
    ("torn.jpg", None, None, None, None, None, "ends in the middle of the picture"),
    ("bad\\udcffname.png", "cat", 1.0, None, None, None, None),
]


def read(path):
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [{name: value or None for name, value in row.items()} for row in csv.DictReader(file)]
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".ndjson", ".parquet", ".CSV"])
def test_what_was_written_is_read_back(tmp_path, ending):
    path = tmp_path / f"answers{ending}"
    assert write_predictions(path, iter(ANSWERS), top=2) == 4
    path = path.rename(tmp_path / f"answers{ending.lower()}")
    for row, expected in zip(read(path), EXPECTED, strict=True):
        assert list(row) == columns(2)
        for value, wanted in zip(row.values(), expected, strict=True):
            assert (float(value) if isinstance(wanted, float) else value) == wanted


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_no_picture_makes_a_table_all_the_same(tmp_path, ending):
    path = tmp_path / f"answers{ending}"
    assert write_predictions(path, []) == 0
    assert read(path) == []


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_an_interruption_leaves_the_old_table_and_no_debris(tmp_path, ending):
    path = tmp_path / f"answers{ending}"
    write_predictions(path, ANSWERS[:1])
    old = path.read_bytes()

    def interrupted():
        yield from ANSWERS * 2000
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_predictions(path, interrupted())
    assert path.read_bytes() == old
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("ending", [".csv", ".jsonl", ".parquet"])
def test_memory_does_not_grow_with_the_rows(tmp_path, ending):
    def peak(count):
        tracemalloc.start()
        write_predictions(tmp_path / f"a{ending}", (Prediction(f"{i}.jpg", ("cat",), (0.5,)) for i in range(count)))
        found = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return found

    peak(100)
    assert peak(16_000) < 1.5 * peak(6_000) + 500_000


def test_unknown_endings_and_folders_are_named(tmp_path):
    with pytest.raises(UsageError, match=r"\.parquet"):
        write_predictions(tmp_path / "answers.xlsx", ANSWERS)
    with pytest.raises(AnmokError, match="nowhere"):
        write_predictions(tmp_path / "nowhere" / "answers.csv", ANSWERS)
    with pytest.raises(UsageError, match="1 or more"):
        columns(0)


def test_rows_for_the_screen_have_one_width():
    shown = list(terminal_rows(ANSWERS, top=3))
    assert {len(row) for row in shown} == {len(heading(3))} == {4}
    assert shown[0][1:] == ["cat 70.0 %", "dog 20.0 %", "bird 10.0 %"]


def test_labels_without_their_scores_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        list(rows([Prediction("a", ("cat", "dog"), (1.0,))]))
