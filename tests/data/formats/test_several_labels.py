"""Tables whose rows name several classes: read as they are meant, said aloud, and accounted for to the last row."""

import csv
import gzip
import io

import numpy as np
import pytest

from anmok.core.errors import DataError, UsageError
from anmok.core.targets import Labels
from anmok.data.load import load_data

SHOWN = [{"cat"}, {"cat", "dog"}, {"dog"}, set(), {"bird", "dog"}, {"bird", "cat", "dog"}, {"bird"}, {"cat"}]
NAMES = ("bird", "cat", "dog")


@pytest.fixture
def root(tmp_path):
    (tmp_path / "images").mkdir()
    for i in range(len(SHOWN)):
        (tmp_path / "images" / f"{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path


def write(path, header, rows, delimiter=","):
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter).writerows([header, *rows] if header else rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def marked(yes="1", no="0"):
    return [[f"images/{i}.png", *(yes if name in shown else no for name in NAMES)] for i, shown in enumerate(SHOWN)]


def joined(separator, nothing="[]"):
    return [[f"images/{i}.png", separator.join(sorted(shown)) or nothing] for i, shown in enumerate(SHOWN)]


def told(dataset):
    return {entry.id: {dataset.classes[number] for number in entry.target.numbers} for entry in dataset.entries}


def quarantined(dataset):
    return {item.line: item.reason for item in dataset.quarantined}


TRUTH = {f"images/{i}.png": shown for i, shown in enumerate(SHOWN)}


@pytest.mark.parametrize(
    ("yes", "no"), [("1", "0"), ("1.0", "0.0"), ("1", "-1"), ("True", "False"), ("yes", "no"), (" 1", "0 ")]
)
@pytest.mark.parametrize("name", ["labels.csv", "labels.csv.gz"])
def test_a_column_a_class(yes, no, name, root):
    path = write(root / name, ["file", *NAMES], marked(yes, no))
    for place in (root, path):
        dataset = load_data(place)
        assert dataset.task == "multilabel" and dataset.classes == NAMES and told(dataset) == TRUTH
        assert dataset.accounts()["rows"] == {"seen": 8, "used": 8, "quarantined": 0, "skipped": 0}
    assert "exactly one column says yes in 4 of 8 rows" in dataset.why and "3 columns, 'bird' to 'dog'" in dataset.why


def test_exactly_one_yes_in_every_row_means_ordinary_classes_and_is_said(root):
    rows = [[f"images/{i}.png", *(int(name == NAMES[i % 3]) for name in NAMES)] for i in range(8)]
    path = write(root / "labels.csv", ["file", *NAMES], rows)
    dataset = load_data(path)
    assert (
        dataset.task == "classify"
        and [dataset.classes[e.target] for e in dataset.entries] == [*NAMES, *NAMES, *NAMES][:8]
    )
    assert "exactly one column says yes in every row" in dataset.why
    asked = load_data(path, task="multilabel")
    assert asked.task == "multilabel" and told(asked) == {f"images/{i}.png": {NAMES[i % 3]} for i in range(8)}


def test_two_columns_that_are_each_others_opposite_are_two_classes(root):
    rows = [[f"images/{i}.png", i % 2, 1 - i % 2] for i in range(8)]
    dataset = load_data(write(root / "labels.csv", ["file", "cat", "dog"], rows))
    assert dataset.classes == ("cat", "dog") and [e.target for e in dataset.entries] == [1, 0] * 4


def test_marks_asked_for_as_one_class_set_other_rows_aside(root):
    dataset = load_data(write(root / "labels.csv", ["file", *NAMES], marked()), task="classify")
    assert set(quarantined(dataset)) == {3, 5, 6, 7} and "it is of 0 classes" in quarantined(dataset)[5]
    assert dataset.account() == {"seen": 8, "used": 4, "quarantined": 4, "skipped": 0}


def test_bad_marks_cost_their_rows(root):
    rows = marked()
    rows[1][2], rows[4][1] = "7", ""
    rows += [rows[0], ["images/2.png", 1, 1, 1], ["images/99.png", 1, 0, 0], ["images/0.png", 1]]
    dataset = load_data(write(root / "labels.csv", ["file", *NAMES], rows))
    reasons = quarantined(dataset)
    assert set(reasons) == {3, 4, 6, 11, 12, 13}
    for line, words in {
        3: "'cat' holds '7', neither 1 nor 0",
        6: "'bird' is blank",
        11: "two labels",
        13: "2 cells",
    }.items():
        assert words in reasons[line]
    assert [item.line for item in dataset.skipped] == [10]
    assert dataset.account() == {"seen": 12, "used": 5, "quarantined": 6, "skipped": 1}


@pytest.mark.parametrize("separator", ["|", ";", ",", " ", ", ", " | "])
def test_several_names_in_one_cell(separator, root):
    dataset = load_data(write(root / "labels.csv", ["file", "labels"], joined(separator)))
    assert dataset.task == "multilabel" and dataset.classes == NAMES and told(dataset) == TRUTH
    assert "may name several classes" in dataset.why and not dataset.quarantined


def test_lists_as_python_writes_them(root):
    rows = [[f"images/{i}.png", str(sorted(shown))] for i, shown in enumerate(SHOWN)]
    assert told(load_data(write(root / "labels.csv", ["file", "tags"], rows))) == TRUTH


def test_blank_labels_are_not_taken_for_none(root):
    dataset = load_data(write(root / "labels.csv", ["file", "labels"], joined("|", nothing="")))
    assert quarantined(dataset) == {5: "the label is blank"} and len(dataset) == 7


@pytest.mark.parametrize(
    "names",
    [
        ["tench, Tinca tinca", "goldfish, Carassius auratus", "great white shark, white shark", "hen", "ostrich"],
        ["hot dog", "not hot dog"],
        ["T-shirt/top", "Ankle boot", "Sneaker", "Dress"],
        ["black cat", "white cat", "black dog", "white dog"],
        ["Persian cat", "Siamese cat", "cat", "dog"],
    ],
)
def test_names_of_one_class_with_spaces_and_commas(names, root):
    rows = [[f"images/{i}.png", names[i % len(names)]] for i in range(8)]
    dataset = load_data(write(root / "labels.csv", ["file", "label"], rows))
    assert dataset.task == "classify" and set(dataset.classes) == set(names)


def test_a_separator_can_be_denied(root):
    dataset = load_data(write(root / "labels.csv", ["file", "label"], joined("|", nothing="none")), task="classify")
    assert dataset.task == "classify" and "cat|dog" in dataset.classes


def test_rows_that_each_name_one_class_add_up_where_that_is_asked_for(root):
    rows = [[f"images/{i}.png", name] for i, shown in enumerate(SHOWN) for name in sorted(shown)]
    path = write(root / "labels.csv", ["file", "label"], rows)
    dataset = load_data(path, task="multilabel")
    assert told(dataset) == {name: shown for name, shown in TRUTH.items() if shown}
    assert dataset.account() == {"seen": 11, "used": 7, "quarantined": 0, "skipped": 4}
    assert {reason.split(":")[0] for reason in quarantined(load_data(path)).values()} >= {"images/1.png has two labels"}


def test_columns_of_labels_can_be_named(root):
    rows = [[*row, "red", i % 2] for i, row in enumerate(marked())]
    path = write(root / "labels.csv", ["file", *NAMES, "label", "odd"], rows)
    assert load_data(path).task == "classify"
    dataset = load_data(path, label_column="bird, cat,dog")
    assert told(dataset) == TRUTH and dataset.classes == NAMES
    with pytest.raises(UsageError, match="cow"):
        load_data(path, label_column="bird,cow")


def test_marks_beside_pixels_and_in_a_gz(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 36))
    rows = [[*marked()[i][1:], *pixels[i]] for i in range(8)]
    rows[6][1] = "x"
    path = write(tmp_path / "train.csv.gz", [*NAMES, *(f"pixel{i}" for i in range(36))], rows)
    dataset = load_data(tmp_path)
    assert dataset.format == "csv_pixels" and dataset.task == "multilabel" and quarantined(dataset).keys() == {8}
    kept = [i for i in range(8) if i != 6]
    assert [{NAMES[n] for n in e.target.numbers} for e in dataset.entries] == [SHOWN[i] for i in kept]
    assert np.array_equal([dataset.pictures.read(e.locator).ravel() for e in dataset.entries], pixels[kept])
    assert load_data(path).entries == dataset.entries


def test_a_torn_gz_is_refused_by_name(root):
    path = write(root / "labels.csv.gz", ["file", *NAMES], marked() * 40)
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="cannot be read") as caught:
        load_data(root)
    assert str(path) in str(caught.value)


def test_no_labels_are_labels():
    assert not Labels() and Labels((2, 0, 2)).numbers == (0, 2)
