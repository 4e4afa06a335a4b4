"""Groups by folder, number and expression; copies join them; a given split loses what would leak."""

from pathlib import Path

import numpy as np
import pytest

from anmok.core.types import Dataset, Entry
from anmok.data.grouping import group_entries, joined, without_leaks
from anmok.data.stores import ArrayPictures


def dataset(*names: str, groups: tuple[str | None, ...] = (), splits: tuple[str | None, ...] = ()) -> Dataset:
    blank = (None,) * len(names)
    entries = [
        Entry(name, i, target=0, group=group, split=split)
        for i, (name, group, split) in enumerate(zip(names, groups or blank, splits or blank, strict=True))
    ]
    pictures = ArrayPictures(np.zeros((len(names), 2, 2, 1), np.uint8), "x")
    return Dataset(Path(), "class_folders", "classify", ("a",), entries, pictures)


def groups(found: Dataset) -> list[str | None]:
    return [entry.group for entry in found.entries]


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("folder", ["cat", "cat", "dog/x", None]),
        ("prefix", ["cat/walk", "cat/walk", "dog/x/IMG_7", None]),
        (r"(cat|dog)", ["cat", "cat", "dog", None]),
        (r"walk", ["walk", "walk", None, None]),
    ],
)
def test_groups(by: str, expected: list[str | None]) -> None:
    assert (
        groups(group_entries(dataset("cat/walk_001.png", "cat/walk-2.png", "dog/x/IMG_7 (3).jpg", "1.png"), by))
        == expected
    )


def test_copies_join_groups_and_leave_the_others() -> None:
    found = groups(joined(dataset(*"abcdef", groups=("v", "v", "w", None, None, None)), [(1, 2), (2, 3)]))
    assert len(set(found[:4])) == 1 and found[0] is not None and found[4:] == [None, None]


def test_what_judges_stays() -> None:
    sides = ("train", "test", "train", "val", "train", None)
    found, out = without_leaks(dataset(*"abcdef", groups=("v", "v", "w", "w", None, "v"), splits=sides))
    assert out == ["a", "c"]
    assert [entry.split for entry in found.entries] == [None, "test", None, "val", "train", None]
