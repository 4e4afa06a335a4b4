import json

import pytest

from anmok.core.errors import DataError
from anmok.data.check import check_data, compare_classes
from anmok.data.load import load_data


@pytest.fixture
def folder(tmp_path):
    for name in (
        "train/cat/1.jpg",
        "train/cat/2.jpg",
        "train/dog/1.jpg",
        "test/cat/3.jpg",
        "train/notes.txt",
        "x.heic",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_everything_that_was_found_is_told_in_plain_values(folder):
    check = check_data(load_data(folder), folder)
    told = json.loads(json.dumps(check.to_json()))
    assert told["format"] == "class_folders" and told["classes"] == ["cat", "dog"] and told["trainable"]
    assert told["counts"] == {"cat": {"train": 2, "test": 1}, "dog": {"train": 1}}
    assert told["splits"] == {"train": 3, "test": 1}
    assert told["accounts"] == {"files": {"seen": 6, "used": 4, "quarantined": 1, "skipped": 1}}
    assert [item["path"] for item in told["quarantined"]] == ["x.heic"] and told["quarantined"][0]["fix"]
    assert told["skipped"] == {"not a picture (.txt)": 1}
    assert any("one picture only" in warning and "dog" in warning for warning in told["warnings"])
    assert told["suggestion"] == f"anmok train {folder}" and check.has_findings


def test_clean_data_has_no_findings():
    check = check_data(load_data("samples"), "samples")
    assert not check.has_findings and check.suggestion == "anmok train samples"
    assert check.sizes == ({"height": 28, "width": 28, "channels": 1, "pictures": 7000},)
    assert all(parts == {"train": 600, "test": 100} for parts in check.counts.values())


def test_uneven_classes_are_told(tmp_path):
    for name in [f"cat/{i}.jpg" for i in range(40)] + ["dog/1.jpg", "dog/2.jpg"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert any("40 pictures of 'cat', 2 of 'dog'" in warning for warning in check_data(load_data(tmp_path)).warnings)


def test_unlabelled_pictures_are_to_reconstruct_or_for_prediction(tmp_path):
    (tmp_path / "my pictures").mkdir()
    (tmp_path / "my pictures" / "1.jpg").write_bytes(b"x")
    check = check_data(load_data(tmp_path / "my pictures"))
    assert check.trainable and check.task == "reconstruct" and check.counts == {"": {"": 1}}
    assert check.suggestion == f"anmok train '{tmp_path}/my pictures'"
    check = check_data(load_data(tmp_path / "my pictures", task="classify"))
    assert not check.trainable and check.suggestion == f"anmok predict RUN '{tmp_path}/my pictures'"


def test_files_beside_rows_are_told_too(tmp_path):
    for name in ("1.png", "2.png", "3.png", "y.psd"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "labels.csv").write_text("file,label\n1.png,a\n2.png,b\n9.png,b\n")
    check = check_data(load_data(tmp_path))
    assert [(item["path"], item["line"]) for item in check.quarantined] == [("labels.csv", 4), ("y.psd", None)]
    assert check.accounts["rows"]["seen"] == 3 and check.accounts["files"]["seen"] == 5
    assert check.skipped == {"no row names it": 1}


def test_other_classes_are_refused_with_both_lists():
    compare_classes(("a", "b"), ("a", "b"))
    with pytest.raises(DataError, match=r"another order.*\[b, a\].*\[a, b\]"):
        compare_classes(("a", "b"), ("b", "a"))
    with pytest.raises(DataError, match=r"differ from the run.*\[a\].*\[a, b\]"):
        compare_classes(("a", "b"), ("a",))
