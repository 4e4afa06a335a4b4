import time

import numpy as np
import pytest

from anmok.core.errors import DataError
from anmok.data.load import load_data


def pictures(n=6, shape=(7, 7)):
    return np.random.default_rng(3).integers(0, 256, (n, *shape), dtype=np.uint8)


def write(path, array, labels=None, *, header="label", names="pixel{}", label_at=0, delimiter=",", fmt=str):
    """One picture a row, written with str.join only."""
    flat = array.reshape(len(array), -1)
    lines = [] if header is None else [[names.format(i) for i in range(flat.shape[1])]]
    lines += [[fmt(value) for value in row] for row in flat]
    if labels is not None:
        cells = labels if header is None else [header, *labels]
        for line, cell in zip(lines, cells, strict=True):
            line.insert(label_at if label_at >= 0 else len(line), str(cell))
    path.write_text("\n".join(delimiter.join(line) for line in lines) + "\n", encoding="utf-8")
    return path


def pixels(dataset):
    return np.stack([dataset.pictures.read(entry.locator) for entry in dataset.entries])


LABELS = ["b", "a", "b", "c", "a", "c"]


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"names": "pixel_{}"},
        {"names": "{}"},
        {"names": "px {}", "header": "what"},
        {"label_at": -1},
        {"delimiter": ";"},
        {"delimiter": "\t"},
        {"header": None},
        {"fmt": lambda value: f"{value}.0"},
    ],
)
def test_forms(form, tmp_path):
    labels = [3, 1, 3, 12, 1, 12] if form.get("header", "") is None else LABELS
    array = pictures()
    dataset = load_data(write(tmp_path / "data.csv", array, labels, **form))
    assert (pixels(dataset)[..., 0] == array).all()
    assert [dataset.classes[entry.target] for entry in dataset.entries] == list(map(str, labels))
    assert dataset.classes == (("1", "3", "12") if labels[0] == 3 else ("a", "b", "c"))
    assert dataset.accounts() == {
        "rows": {"seen": 6, "used": 6, "quarantined": 0, "skipped": 0},
        "files": {"seen": 1, "used": 1, "quarantined": 0, "skipped": 0},
    }
    first = 1 if form.get("header", "") is None else 2
    assert [entry.id for entry in dataset.entries] == [f"data.csv:{first + i}" for i in range(6)]


def test_names_that_tell_rows_and_columns(tmp_path):
    array = pictures(shape=(6, 10))
    path = write(tmp_path / "data.csv", array, LABELS)
    names = ["label"] + [f"{r}x{c}" for r in range(1, 7) for c in range(1, 11)]
    path.write_text("\n".join([",".join(names), *path.read_text().split("\n")[1:]]))
    assert (pixels(load_data(path))[..., 0] == array).all()


def test_colour_is_stored_pixel_by_pixel(tmp_path):
    array = pictures(shape=(8, 8, 3))
    assert (pixels(load_data(write(tmp_path / "data.csv", array, LABELS, label_at=-1))) == array).all()


def test_a_shape_that_is_asked_for(tmp_path):
    array = pictures(shape=(5, 9))
    path = write(tmp_path / "data.csv", array, LABELS)
    with pytest.raises(DataError, match="not recognised"):
        load_data(path)
    assert (pixels(load_data(path, shape=(5, 9, 1)))[..., 0] == array).all()


def test_fractions_of_one_are_scaled(tmp_path):
    array = pictures()
    path = write(tmp_path / "data.csv", array, LABELS, fmt=lambda value: f"{int(value) / 255:.6f}")
    assert (pixels(load_data(path))[..., 0] == array).all()


def test_zeros_and_ones_are_black_and_white(tmp_path):
    dataset = load_data(write(tmp_path / "data.csv", pictures() % 2, LABELS))
    assert set(np.unique(pixels(dataset))) == {0, 255} and any("0 or 1" in warning for warning in dataset.warnings)


def test_kaggle_folder(tmp_path):
    """train.csv with labels, test.csv without, and a sample of answers."""
    array = pictures()
    write(tmp_path / "train.csv", array, LABELS)
    write(tmp_path / "test.csv", array[:2])
    (tmp_path / "sample_submission.csv").write_text("ImageId,Label\n1,0\n2,0\n")
    dataset = load_data(tmp_path)
    assert len(dataset) == 6 and any("test.csv has no labels" in warning for warning in dataset.warnings)
    assert dataset.accounts()["files"] == {"seen": 3, "used": 1, "quarantined": 0, "skipped": 2}
    assert [entry.target for entry in load_data(tmp_path / "test.csv").entries] == [None, None]


def test_a_table_for_each_split_with_known_class_names(tmp_path):
    array = pictures()
    write(tmp_path / "fashion-mnist_train.csv", array[:4], [9, 0, 2, 2])
    write(tmp_path / "fashion-mnist_test.csv", array[4:], [0, 9])
    dataset = load_data(tmp_path)
    assert dataset.splits == {"train": 4, "test": 2} and len(dataset.classes) == 10
    assert {dataset.classes[entry.target] for entry in dataset.entries} == {"T-shirt/top", "Pullover", "Ankle boot"}


def test_bad_rows_are_set_aside_by_line(tmp_path):
    path = write(tmp_path / "data.csv", pictures(12), [LABELS[i % 6] for i in range(12)])
    lines = path.read_text().split("\n")
    lines[2] = lines[2].rpartition(",")[0] + ",256"
    lines[3] = lines[3].rpartition(",")[0] + ",-1"
    lines[4] = lines[4].rpartition(",")[0] + ",x"
    lines[5] = lines[5].rpartition(",")[0] + ","
    lines[6] = lines[6].rpartition(",")[0]
    lines[7] += ",7"
    lines[8] = "," + lines[8].partition(",")[2]
    lines[9] = ""
    lines[10] = lines[10].rpartition(",")[0] + ",NaN"
    path.write_text("\n".join(lines))
    dataset = load_data(path)
    assert {item.line for item in dataset.quarantined} == {3, 4, 5, 6, 7, 8, 9, 11}
    assert [item.line for item in dataset.skipped] == [10]
    assert dataset.account() == {"seen": 12, "used": 3, "quarantined": 8, "skipped": 1}
    reasons = {item.line: item.reason for item in dataset.quarantined}
    assert "'256'" in reasons[3] and "49 cells" in reasons[7] and "51 cells" in reasons[8] and "label" in reasons[9]
    assert [entry.id for entry in dataset.entries] == ["data.csv:2", "data.csv:12", "data.csv:13"]


def test_bad_fractions_are_set_aside(tmp_path):
    path = write(tmp_path / "data.csv", pictures(), LABELS, fmt=lambda value: f"{int(value) / 255:.6f}")
    lines = path.read_text().split("\n")
    lines[1] = lines[1].rpartition(",")[0] + ",nan"
    lines[2] = lines[2].rpartition(",")[0] + ",1.5"
    path.write_text("\n".join(lines))
    assert {item.line for item in load_data(path).quarantined} == {2, 3}


def test_blocks_meet_at_line_ends(tmp_path, monkeypatch):
    from anmok.data.formats import _pixel_rows

    array = pictures(50)
    path = write(tmp_path / "data.csv", array, [LABELS[i % 6] for i in range(50)])
    for size in (37, 200, 1000):
        monkeypatch.setattr(_pixel_rows, "_BLOCK", size)
        dataset = load_data(path)
        assert (pixels(dataset)[..., 0] == array).all()
        assert [entry.id for entry in dataset.entries] == [f"data.csv:{line}" for line in range(2, 52)]


def test_a_table_that_turns_bad_is_refused(tmp_path):
    path = write(tmp_path / "data.csv", pictures(60), [LABELS[i % 6] for i in range(60)])
    with path.open("a") as file:
        file.write("a,b\n" * 1200)
    with pytest.raises(DataError, match="most rows are no pictures"):
        load_data(path)


def test_the_order_of_rows_belongs_to_the_identity_of_pictures(tmp_path):
    array = pictures()
    one = load_data(write(tmp_path / "a.csv", array, LABELS))
    other = load_data(write(tmp_path / "b.csv", array[::-1], LABELS))
    assert one.pictures.identity(0) != other.pictures.identity(0)


def test_few_numbers_are_no_picture(tmp_path):
    path = write(tmp_path / "letters.csv", pictures(shape=(4, 4)), LABELS, names="feature{}")
    with pytest.raises(DataError, match="not recognised"):
        load_data(path)


@pytest.mark.slow
def test_ten_thousand_rows_take_seconds(tmp_path):
    array = pictures(10_000, (28, 28))
    path = write(tmp_path / "data.csv", array, [i % 10 for i in range(10_000)])
    started = time.perf_counter()
    assert len(load_data(path)) == 10_000
    assert time.perf_counter() - started < 30  # some 0.6 s; the guard is against reading cell by cell
