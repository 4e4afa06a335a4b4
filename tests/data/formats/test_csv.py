import csv
import unicodedata

import pytest

from anmok.core.errors import DataError, UsageError
from anmok.data.load import load_data

LABELS = ["cat", "dog", "cat", "dog", "bird", "bird"]


@pytest.fixture
def root(tmp_path):
    """Six files that stand for pictures, in `images`."""
    (tmp_path / "images").mkdir()
    for i in range(6):
        (tmp_path / "images" / f"{i}.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    return tmp_path


def write(root, header, rows, name="labels.csv", delimiter=",", encoding="utf-8"):
    with (root / name).open("w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=delimiter)
        writer.writerows([header, *rows] if header else rows)
    return root / name


def rows(prefix="images/", suffix=".png"):
    return [[f"{prefix}{i}{suffix}", label] for i, label in enumerate(LABELS)]


def told(dataset):
    return {entry.id: dataset.classes[entry.target] for entry in dataset.entries}


def quarantined(dataset):
    return {item.line: item.reason for item in dataset.quarantined}


TRUTH = {f"images/{i}.png": label for i, label in enumerate(LABELS)}


@pytest.mark.parametrize(
    ("header", "prefix", "suffix"),
    [
        (["file", "label"], "images/", ".png"),
        (["x", "what it shows"], "images/", ".png"),
        (["파일", "라벨"], "./images/", ".png"),
        (["id", "breed"], "", ""),
        (["image", "y"], "", ".png"),
        (["path", "class"], "images\\", ".png"),
        (["path", "class"], "IMAGES/", ".PNG"),
        (None, "images/", ".png"),
    ],
)
def test_columns_and_paths_in_any_usual_form(header, prefix, suffix, root):
    path = write(root, header, rows(prefix, suffix))
    for place in (root, path):
        dataset = load_data(place)
        assert told(dataset) == TRUTH and dataset.format == "csv"
        assert dataset.accounts()["rows"] == {"seen": 6, "used": 6, "quarantined": 0, "skipped": 0}


def test_absolute_paths_inside_are_read_and_outside_set_aside(root):
    write(root, ["p", "label"], [*rows(f"{root}/images/"), ["/etc/hostname.png", "cat"], ["C:\\x.png", "cat"]])
    dataset = load_data(root)
    assert told(dataset) == TRUTH
    assert all("leaves the data folder" in reason for reason in quarantined(dataset).values())
    assert set(quarantined(dataset)) == {8, 9}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiters_and_marks(delimiter, encoding, root):
    write(root, ["file", "label"], rows(), delimiter=delimiter, encoding=encoding)
    assert told(load_data(root)) == TRUTH


@pytest.mark.parametrize(
    ("encoding", "word"),
    [
        ("latin-1", "Käse"),
        ("cp1252", "Ärger"),
        ("cp1252", "caf\u00e9 d\u2019\u00e9t\u00e9"),
        ("cp949", "고양이"),
        ("euc_kr", "강아지"),
    ],
)
def test_labels_of_old_encodings(encoding, word, root):
    write(root, ["file", "label"], [*rows()[:5], ["images/5.png", word]], encoding=encoding)
    dataset = load_data(root)
    assert told(dataset)["images/5.png"] == word and "read as" in dataset.why


def test_the_hint_that_excel_writes_first(root):
    (root / "labels.csv").write_text("sep=;\n" + "\n".join(";".join(row) for row in [["file", "label"], *rows()]))
    assert told(load_data(root)) == TRUTH


def test_file_names_with_delimiters_quotes_and_line_breaks(root):
    odd = ["a,b.png", 'say "hi".png', "two\nlines.png", " space.png", "한글.png"]
    for name in odd:
        (root / "images" / name).write_bytes(b"x")
    write(root, ["file", "label"], [*rows(), *([f"images/{name}", "odd"] for name in odd), ["images/no.png", "odd"]])
    dataset = load_data(root)
    assert sum(label == "odd" for label in told(dataset).values()) == len(odd)
    assert set(quarantined(dataset)) == {14}, "the line where the row begins, counted with the break inside a cell"


def test_composed_and_apart_letters_meet(root):
    apart = unicodedata.normalize("NFD", "고양이")
    (root / "images" / f"{apart}.png").write_bytes(b"x")
    write(root, ["file", "label"], [*rows(), ["images/고양이.png", "cat"]])
    assert len(load_data(root)) == 7


def test_bad_rows_are_set_aside_with_their_line_and_reason(root):
    path = write(
        root,
        ["file", "label"],
        [
            *rows(),  # lines 2 to 7
            ["images/99.png", "cat"],  # 8: not there
            ["../secret.png", "cat"],  # 9: outside
            ["images/3.png", "cat"],  # 10: against line 5
            ["images/2.png", "cat"],  # 11: repeats line 4
            ["", "cat"],  # 12: no path
            ["images/4.png", "  "],  # 13: no label
            ["images/5.png", "bird", "extra"],  # 14: too wide
            ["images/5.png"],  # 15: too narrow
        ],
    )
    path.write_text(path.read_text() + '\n"images/5.png,bird\n')
    dataset = load_data(root)
    reasons = quarantined(dataset)
    assert set(reasons) == {5, 8, 9, 10, 12, 13, 14, 15, 17}
    for line, words in {5: "two labels", 8: "no file", 9: "leaves", 10: "two labels", 12: "path is blank"}.items():
        assert words in reasons[line]
    for line, words in {13: "label", 14: "3 cells", 15: "1 cells", 17: "cannot be read"}.items():
        assert words in reasons[line]
    assert {item.line for item in dataset.skipped} == {11, 16}
    assert all(item.path == "labels.csv" and item.fix for item in dataset.quarantined)
    assert dataset.account() == {"seen": 16, "used": 5, "quarantined": 9, "skipped": 2}
    assert dataset.accounts()["files"] == {"seen": 7, "used": 7, "quarantined": 0, "skipped": 0}


def test_files_that_no_row_names_are_counted(root):
    write(root, ["file", "label"], rows()[:4])
    (root / "readme.txt").write_text("x")
    files = load_data(root).files
    assert files.account() == {"seen": 8, "used": 5, "quarantined": 0, "skipped": 3}
    assert {item.reason for item in files.skipped} == {"no row names it", "not a picture (.txt)"}


def test_links_out_of_the_folder_are_not_followed(root, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "secret.png"
    outside.write_bytes(b"x")
    (root / "images" / "6.png").symlink_to(outside)
    write(root, ["file", "label"], [*rows(), ["images/6.png", "cat"]])
    dataset = load_data(root)
    assert set(quarantined(dataset)) == {8} and len(dataset.files.quarantined) == 1
    assert len(load_data(root, follow_links=True)) == 7


def test_splits_and_groups_from_columns(root):
    parts = ["train", "Training", "TRAIN", "valid", "test", ""]
    write(
        root,
        ["file", "label", "set", "patient_id"],
        [[*row, part, f"p{i // 2}"] for i, (row, part) in enumerate(zip(rows(), parts, strict=True))],
    )
    dataset = load_data(root)
    assert [entry.split for entry in dataset.entries] == ["train", "train", "train", "val", "test", None]
    assert [entry.group for entry in dataset.entries] == ["p0", "p0", "p1", "p1", "p2", "p2"]


def test_an_unknown_split_is_set_aside(root):
    data = [[*row, "train"] for row in rows()]
    data[2][2] = "somewhere"
    write(root, ["file", "label", "split"], data)
    assert "unknown split 'somewhere'" in quarantined(load_data(root))[4]


def test_a_table_for_each_split(root):
    write(root, ["file", "label"], rows()[:4], "train_labels.csv")
    write(root, ["file", "label"], rows()[4:], "val_labels.csv")
    dataset = load_data(root)
    assert dataset.splits == {"train": 4, "val": 2} and told(dataset) == TRUTH


def test_the_same_picture_on_both_sides_is_set_aside(root):
    write(root, ["file", "label"], rows(), "train.csv")
    write(root, ["file", "label"], rows()[:1], "test.csv")
    dataset = load_data(root)
    assert len(dataset) == 5 and all("two sides" in item.reason for item in dataset.quarantined)
    assert {(item.path, item.line) for item in dataset.quarantined} == {("train.csv", 2), ("test.csv", 2)}


def test_files_of_one_name_are_told_apart_by_the_split_or_set_aside(tmp_path):
    for part in ("train", "test"):
        (tmp_path / part).mkdir()
        for i in range(2):
            (tmp_path / part / f"{i}.jpg").write_bytes(b"x")
        write(tmp_path, ["id", "label"], [[0, "a"], [1, "b"]], f"{part}.csv")
    assert set(told(load_data(tmp_path))) == {"train/0.jpg", "train/1.jpg", "test/0.jpg", "test/1.jpg"}
    with pytest.raises(DataError, match="no row"):
        load_data(tmp_path / "train.csv")


def test_a_sample_of_answers_is_no_table_of_labels(root):
    write(root, ["id", "label"], rows("", "")[:4], "train.csv")
    write(root, ["id", "label"], [["4", "cat"], ["5", "cat"]], "sample_submission.csv")
    write(root, ["id"], [["4"], ["5"]], "test.csv")
    dataset = load_data(root)
    assert len(dataset) == 4 and any("test.csv has no labels" in warning for warning in dataset.warnings)


def test_unlabelled_tables_are_for_prediction(root):
    path = write(root, ["file"], [row[:1] for row in rows()])
    assert {entry.target for entry in load_data(path).entries} == {None}


def test_options_name_columns(root):
    data = [[row[0], row[1], "abc"[i % 3], i / 7] for i, row in enumerate(rows())]
    path = write(root, ["file", "animal", "mood", "weight"], data)
    with pytest.raises(DataError, match=r"label-column.*'animal', 'mood'"):
        load_data(path)
    assert told(load_data(path, label_column="Animal")) == TRUTH
    assert load_data(path, label_column="mood").classes == ("a", "b", "c")
    assert load_data(path, label_column="column 2").classes == ("bird", "cat", "dog")
    assert load_data(path, label_column="").entries[0].target is None
    with pytest.raises(UsageError, match="'animal'"):
        load_data(path, label_column="animla")


def test_a_number_and_a_name_of_one_class_are_one_column(root):
    numbers = {"cat": 1, "dog": 2, "bird": 0}
    write(root, ["file", "label", "label_name"], [[p, numbers[word], word] for p, word in rows()])
    assert told(load_data(root)) == TRUTH


def test_pictures_elsewhere(root, tmp_path_factory):
    table = write(tmp_path_factory.mktemp("tables"), ["file", "label"], rows())
    with pytest.raises(DataError, match="--pictures"):
        load_data(table)
    dataset = load_data(table, pictures=root)
    assert told(dataset) == TRUTH and dataset.root == root


def test_labels_are_numbers_when_they_can_be(root):
    write(root, ["file", "label"], [[row[0], f"{i}.0"] for i, row in enumerate(rows())])
    assert load_data(root).classes == ("0", "1", "2", "3", "4", "5")


def test_spaces_and_case_in_labels(root):
    data = rows()
    data[0][1], data[1][1] = " cat ", "Dog"
    write(root, ["file", "label"], data)
    dataset = load_data(root)
    assert dataset.classes == ("Dog", "bird", "cat", "dog")
    assert any("' cat ', 'cat'" in w for w in dataset.warnings) and any("'Dog', 'dog'" in w for w in dataset.warnings)


def test_a_table_beside_class_folders(tmp_path):
    for name in ("train/cat/1.jpg", "train/dog/2.jpg", "test/cat/3.jpg", "test/dog/4.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    truth = [["train/cat/1.jpg", "cat"], ["train/dog/2.jpg", "dog"], ["test/cat/3.jpg", "cat"]]
    write(tmp_path, ["file", "label"], truth)
    dataset = load_data(tmp_path)
    assert dataset.format == "class_folders" and dataset.splits == {"train": 2, "test": 2}
    write(tmp_path, ["file", "label"], [["train/cat/1.jpg", "tabby"], *truth[1:]])
    with pytest.raises(DataError, match=r"more than one way.*--format"):
        load_data(tmp_path)
    assert told(load_data(tmp_path, format="csv"))["train/cat/1.jpg"] == "tabby"


def test_a_table_of_measurements_is_not_taken_for_pictures(tmp_path):
    write(tmp_path, ["sepal", "petal", "species"], [[i / 3, i / 7, "ab"[i % 2]] for i in range(30)], "iris.csv")
    for path in (tmp_path, tmp_path / "iris.csv"):
        with pytest.raises(DataError, match="not recognised"):
            load_data(path)


def test_a_zero_byte_is_refused_with_its_line(root):
    path = write(root, ["file", "label"], rows())
    path.write_bytes(path.read_bytes() + b"images/1.png,\0\n")
    with pytest.raises(DataError, match="line 8"):
        load_data(path, format="csv")


def test_one_bad_path_does_not_make_numbers_the_paths(root):
    """Labels 0, 1, 2 are also names of files; a missing file must not make that column the better one."""
    cells = [["images/0.png", "1"], ["images/1.png", "2"], ["../../x.png", "0"], ["images/3.png", "1"]]
    dataset = load_data(write(root, ["picture", "kind"], cells))
    assert told(dataset) == {"images/0.png": "1", "images/1.png": "2", "images/3.png": "1"}
    assert "leaves" in quarantined(dataset)[4]
