import unicodedata

import pytest

from anmok.core.errors import DataError
from anmok.data.load import load_data


def make(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"\xff\xd8\xff not decoded here")
    return root


def told(dataset):
    return {entry.id: (entry.split, dataset.classes[entry.target]) for entry in dataset.entries}


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [("train", "val", "test"), ("Training", "VALID", "Testing"), ("TRAIN", "validation", "test_set")],
)
def test_splits_by_any_usual_name(train, val, test, tmp_path):
    make(tmp_path, f"{train}/cat/1.jpg", f"{train}/dog/1.jpg", f"{val}/cat/2.jpg", f"{test}/dog/3.jpg")
    assert told(load_data(tmp_path)) == {
        f"{train}/cat/1.jpg": ("train", "cat"),
        f"{train}/dog/1.jpg": ("train", "dog"),
        f"{val}/cat/2.jpg": ("val", "cat"),
        f"{test}/dog/3.jpg": ("test", "dog"),
    }


def test_nested_folders_belong_to_their_class(tmp_path):
    make(tmp_path, "cat/2019/may/1.jpg", "cat/2.jpg", "dog/2020/1.jpg")
    assert sorted(told(load_data(tmp_path)).values()) == [(None, "cat"), (None, "cat"), (None, "dog")]


def test_single_folders_on_the_way_are_stepped_into(tmp_path):
    make(tmp_path, "pets/images/train/cat/1.jpg", "pets/images/train/dog/1.jpg", "pets/images/test/cat/2.jpg")
    dataset = load_data(tmp_path)
    assert dataset.splits == {"train": 2, "test": 1} and dataset.classes == ("cat", "dog")


def test_splits_inside_classes(tmp_path):
    make(tmp_path, "cat/train/1.jpg", "cat/test/2.jpg", "dog/train/1.jpg", "dog/test/2.jpg")
    assert told(load_data(tmp_path))["dog/test/2.jpg"] == ("test", "dog")


def test_a_class_may_be_called_test(tmp_path):
    make(tmp_path, "test/1.jpg", "exam/1.jpg", "quiz/1.jpg")
    dataset = load_data(tmp_path)
    assert dataset.classes == ("exam", "quiz", "test") and dataset.splits == {"": 3}


def test_classes_are_one_however_letters_are_composed(tmp_path):
    composed, apart = (unicodedata.normalize(form, "고양이") for form in ("NFC", "NFD"))
    make(tmp_path, f"train/{composed}/1.jpg", "train/개/1.jpg", f"test/{apart}/2.jpg")
    assert load_data(tmp_path).classes == ("개", composed)


def test_numbered_classes_are_in_the_order_of_numbers(tmp_path):
    make(tmp_path, *(f"{i}/1.jpg" for i in (0, 2, 10, 9)))
    assert load_data(tmp_path).classes == ("0", "2", "9", "10")


def test_empty_and_alike_classes_are_warned_of(tmp_path):
    make(tmp_path, "Cat/1.jpg", "cat /1.jpg", "dog/1.jpg")
    (tmp_path / "bird").mkdir()
    dataset = load_data(tmp_path)
    assert dataset.classes == ("Cat", "cat ", "dog")
    assert any("'bird' holds no picture" in warning for warning in dataset.warnings)
    assert any("'Cat', 'cat '" in warning for warning in dataset.warnings)


def test_classes_missing_from_training_are_warned_of(tmp_path):
    make(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "test/cat/1.jpg", "test/owl/1.jpg")
    (tmp_path / "train" / "owl").mkdir()
    warnings = load_data(tmp_path).warnings
    assert any("'owl' has no training picture" in warning for warning in warnings)
    assert any("'train/owl' holds no picture" in warning for warning in warnings)


def test_everything_is_accounted_for(tmp_path):
    make(tmp_path, "cat/1.jpg", "cat/photo", "dog/1.png", "dog/raw.heic", "dog/notes.txt", "stray.jpg", ".DS_Store")
    make(tmp_path, "cat/page.unknown").joinpath("cat/page.unknown").write_bytes(b"no picture")
    dataset = load_data(tmp_path)
    assert set(told(dataset)) == {"cat/1.jpg", "cat/photo", "dog/1.png"}, "a picture without suffix is one by its bytes"
    assert {item.path for item in dataset.quarantined} == {"dog/raw.heic", "stray.jpg"}
    assert {item.path for item in dataset.skipped} == {"dog/notes.txt", ".DS_Store", "cat/page.unknown"}
    assert dataset.account() == {"seen": 8, "used": 3, "quarantined": 2, "skipped": 3}


def test_an_unlabelled_test_folder_is_skipped_with_a_warning(tmp_path):
    make(tmp_path, "train/cat/1.jpg", "train/dog/1.jpg", "test/1.jpg", "test/2.jpg")
    dataset = load_data(tmp_path)
    assert dataset.splits == {"train": 2} and len(dataset.skipped) == 2 and not dataset.quarantined
    assert any("2 pictures" in warning for warning in dataset.warnings)


def test_a_folder_of_another_task_is_not_taken_for_classes(tmp_path):
    make(tmp_path, "images/1.jpg", "masks/1.png")
    with pytest.raises(DataError, match="no mask can be read"):
        load_data(tmp_path)
    assert load_data(tmp_path, format="class_folders").classes == ("images", "masks")


def test_a_folder_of_pictures_without_classes_is_unlabelled(tmp_path):
    dataset = load_data(make(tmp_path, "only/1.jpg", "only/2.jpg"))
    assert dataset.format == "flat_folder" and dataset.classes == () and dataset.entries[0].target is None


def test_asked_for_without_pictures_it_says_so(tmp_path):
    (tmp_path / "cat").mkdir()
    with pytest.raises(DataError, match="no picture lies in a class folder"):
        load_data(tmp_path, format="class_folders")
