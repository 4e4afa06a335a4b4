"""Pairs and unpaired domains, and how the task of a folder is told or asked for."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anmok.core.errors import DataError, PictureError, UsageError
from anmok.core.targets import Partner
from anmok.data.load import load_data


def make(root: Path, *paths: str, size: tuple[int, int] = (16, 16)) -> Path:
    """Pictures of noise, (height, width)."""
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(len(path) + sum(map(ord, path)))
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(root / path)
    return root


def test_halves_of_one_picture(tmp_path: Path) -> None:
    make(tmp_path, *(f"{part}/{i}.png" for part in ("train", "test") for i in range(3)), size=(16, 32))
    dataset = load_data(tmp_path)
    assert (dataset.format, dataset.task, dataset.splits) == ("pairs", "translate", {"train": 3, "test": 3})
    entry = dataset.entries[0]
    whole = np.asarray(Image.open(tmp_path / entry.id))
    assert np.array_equal(dataset.pictures.read(entry.locator), whole[:, :16])
    assert np.array_equal(dataset.pictures.read(entry.target.locator), whole[:, 16:])
    assert dataset.pictures.identity(entry.locator) != dataset.pictures.identity(entry.target.locator)
    with pytest.raises(PictureError, match="no half"):
        dataset.pictures.read(entry.id)


def test_odd_and_torn_halves_are_set_aside(tmp_path: Path) -> None:
    make(tmp_path, "train/1.png", "train/2.png", size=(16, 32))
    make(tmp_path, "train/odd.png", size=(16, 33))
    (tmp_path / "train" / "torn.png").write_bytes(b"\x89PNG")
    dataset = load_data(tmp_path, task="translate", format="pairs")
    assert len(dataset) == 2 and {item.path for item in dataset.quarantined} == {"train/odd.png", "train/torn.png"}
    assert dataset.account() == {"seen": 4, "used": 2, "quarantined": 2, "skipped": 0}


@pytest.mark.parametrize(
    ("first", "second"),
    [("A/train/1.jpg", "B/train/1.png"), ("train/A/1.png", "train/B/1.png"), ("A/1.png", "B/1.png"),
     ("train/noisy/1.png", "train/clean/1.png"), ("set/input/1_a.png", "set/target/1_b.png")],
)  # fmt: skip
def test_two_folders_of_the_same_names(first: str, second: str, tmp_path: Path) -> None:
    more = [path.replace("1", str(i)) for i in (2, 3) for path in (first, second)]
    dataset = load_data(make(tmp_path, first, second, *more))
    assert (dataset.format, dataset.task) == ("pairs", "translate")
    assert {entry.locator: entry.target for entry in dataset.entries}[first] == Partner(second)
    assert dataset.accounts()["files"] == {"seen": 6, "used": 6, "quarantined": 0, "skipped": 0}


def test_names_without_a_partner_are_set_aside_and_listed(tmp_path: Path) -> None:
    make(tmp_path, "A/1.png", "B/1.png", "A/2.png", "B/2.png", "A/3.png", "B/4.png", "other/x.png")
    dataset = load_data(tmp_path)
    assert [item.path for item in dataset.quarantined] == ["A/3.png", "B/4.png"] and len(dataset) == 2
    assert all("no partner" in item.reason and item.fix for item in dataset.quarantined)
    assert dataset.accounts()["files"]["skipped"] == 1


def test_train_a_train_b(tmp_path: Path) -> None:
    make(tmp_path, "trainA/1.png", "trainA/2.png", "trainB/1.png", "testA/9.png", "testB/8.png")
    dataset = load_data(tmp_path)
    assert (dataset.format, dataset.task, dataset.classes) == ("unpaired", "translate", ("A", "B"))
    assert dataset.splits == {"train": 3, "test": 2}
    assert {entry.locator: entry.target for entry in dataset.entries} == {
        "trainA/1.png": 0, "trainA/2.png": 0, "trainB/1.png": 1, "testA/9.png": 0, "testB/8.png": 1,
    }  # fmt: skip


def test_a_and_b_of_other_names_are_domains_and_three_letters_are_classes(tmp_path: Path) -> None:
    two = load_data(make(tmp_path / "two", "A/1.png", "A/2.png", "B/x.png", "B/y.png"))
    assert (two.format, two.task) == ("unpaired", "translate") and "--format class_folders" in two.why
    assert load_data(tmp_path / "two", format="class_folders").task == "classify"
    three = load_data(make(tmp_path / "three", *(f"{name}/{i}.png" for name in "ABC" for i in range(3))))
    assert (three.format, three.classes) == ("class_folders", ("A", "B", "C"))


def test_the_task_decides_what_any_two_folders_are(tmp_path: Path) -> None:
    make(tmp_path, "summer/1.png", "summer/2.png", "winter/8.png", "winter/9.png")
    assert load_data(tmp_path).task == "classify"
    assert load_data(tmp_path, task="translate").format == "unpaired"
    (tmp_path / "winter" / "8.png").rename(tmp_path / "winter" / "1.png")
    (tmp_path / "winter" / "9.png").rename(tmp_path / "winter" / "2.png")
    assert load_data(tmp_path, task="translate").format == "pairs"
    generated = load_data(tmp_path, task="generate")
    assert (generated.task, generated.classes) == ("generate", ("summer", "winter"))


def test_a_flat_folder_is_to_reconstruct_unless_another_task_is_named(tmp_path: Path) -> None:
    make(tmp_path, "1.png", "2.png")
    assert load_data(tmp_path).task == "reconstruct"
    assert [load_data(tmp_path, task=task).task for task in ("generate", "classify")] == ["generate", "classify"]
    with pytest.raises(DataError, match="not recognised"):
        load_data(tmp_path, task="detect")
    with pytest.raises(UsageError, match="does not serve this task"):
        load_data(tmp_path, task="detect", format="flat_folder")
    with pytest.raises(UsageError, match="no task of this name"):
        load_data(tmp_path, task="detct")


def test_parts_of_a_split_without_labels(tmp_path: Path) -> None:
    dataset = load_data(make(tmp_path, "train/1.png", "train/2.png", "test/1.png"))
    assert (dataset.format, dataset.task, dataset.splits) == ("flat_folder", "reconstruct", {"train": 2, "test": 1})
