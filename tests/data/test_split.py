from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmok.core.errors import DataError, UsageError
from anmok.core.targets import Labels
from anmok.core.types import Dataset, Entry
from anmok.data.split import assign_splits, load_split, part_sizes, save_split


def dataset(counts, split=None, groups=None):
    """`counts[i]` pictures of class i; `groups(i, j)` names the group of the j-th of them."""
    entries = [
        Entry(f"{i}/{j}.jpg", f"{i}/{j}.jpg", i, split, groups and groups(i, j))
        for i, count in enumerate(counts)
        for j in range(count)
    ]
    names = tuple(f"class {i}" for i in range(len(counts)))
    return Dataset(Path("data"), "test", "classify", names, entries, pictures=None, seen=len(entries))


def sides(data):
    return {entry.id: entry.split for entry in data.entries}


def by_class(data):
    return Counter((entry.split, entry.target) for entry in data.entries)


def test_no_more_is_kept_for_validation_than_tells():
    small, large = (assign_splits(dataset([count] * 2), val=None, test=0).splits for count in (1000, 20_000))
    assert small == {"train": 1800, "val": 200}
    assert large == {"train": 37_000, "val": 3000}


def test_shares_are_those_asked_for_in_every_class():
    found = by_class(assign_splits(dataset([100, 40]), val=0.2, test=0.1))
    assert found == {
        ("train", 0): 70,
        ("val", 0): 20,
        ("test", 0): 10,
        ("train", 1): 28,
        ("val", 1): 8,
        ("test", 1): 4,
    }


def test_the_same_seed_gives_the_same_sides_whatever_the_order():
    data = dataset([50, 50])
    backwards = replace(data, entries=data.entries[::-1])
    assert sides(assign_splits(data, seed=1)) == sides(assign_splits(backwards, seed=1))
    assert sides(assign_splits(data, seed=1)) != sides(assign_splits(data, seed=2))


def test_more_pictures_move_few_of_the_others():
    few, more = (sides(assign_splits(dataset([count] * 2))) for count in (1000, 1050))
    moved = sum(more[name] != side for name, side in few.items())
    assert moved < 0.05 * len(few)  # a fresh shuffle would move nearly half


@given(st.lists(st.integers(3, 30), min_size=2, max_size=6), st.integers(0, 5))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_every_class_of_three_is_everywhere(counts, seed):
    found = by_class(assign_splits(dataset(counts), seed=seed))
    assert all(found[(split, i)] for split in ("train", "val", "test") for i in range(len(counts)))


@given(st.integers(1, 500), st.floats(0, 0.49), st.floats(0, 0.49))
def test_part_sizes_add_up_and_leave_something_to_train_on(count, val, test):
    sizes = part_sizes(count, {"val": val, "test": test})
    assert sum(sizes.values()) < count and min(sizes.values()) >= 0
    if count >= 3:
        assert all(bool(sizes[part]) == bool(share) for part, share in (("val", val), ("test", test)))
        assert all(abs(sizes[p] - count * s) <= 1 for p, s in (("val", val), ("test", test)) if count * s >= 1)


def test_given_splits_are_kept():
    parts = [
        replace(entry, split="test" if i % 4 == 0 else "train") for i, entry in enumerate(dataset([40, 40]).entries)
    ]
    data = replace(dataset([40, 40]), entries=parts)
    found = assign_splits(data, val=0.2)
    assert {e.id for e in found.entries if e.split == "test"} == {e.id for e in parts if e.split == "test"}
    assert found.splits == {"train": 48, "val": 12, "test": 20}
    assert assign_splits(found, seed=9).splits == found.splits, "a whole split is not touched again"


def test_a_missing_test_part_is_cut_unless_val_was_given():
    data = dataset([20, 20])
    given_val = replace(
        data, entries=[replace(e, split="val" if i % 4 == 0 else "train") for i, e in enumerate(data.entries)]
    )
    assert assign_splits(given_val).splits == {"train": 30, "val": 10}
    assert assign_splits(given_val, test=0.2).splits == {"train": 24, "val": 10, "test": 6}
    assert assign_splits(dataset([20, 20], "train"), test=0.1).splits == {"train": 30, "val": 6, "test": 4}
    assert assign_splits(data, val=0, test=0).splits == {"train": 40}


def test_a_class_with_one_picture_is_refused_with_advice():
    with pytest.raises(DataError, match=r"one picture only.*'class 1'.*at least two.*merge"):
        assign_splits(dataset([10, 1]))
    assert assign_splits(dataset([10, 1]), val=0, test=0).splits == {"train": 11}


def test_a_class_with_two_pictures_is_warned_of():
    found = assign_splits(dataset([10, 2]))
    assert by_class(found)[("train", 1)] == 1 and any("class 1" in warning for warning in found.warnings)


def test_what_cannot_be_split_is_refused():
    with pytest.raises(DataError, match="two classes"):
        assign_splits(dataset([10]))
    with pytest.raises(DataError, match="labels"):
        data = dataset([10, 10])
        assign_splits(replace(data, entries=[replace(e, target=None) for e in data.entries]))
    with pytest.raises(DataError, match="nothing to train on"):
        assign_splits(dataset([10, 10], "test"))
    for shares in ({"val": 0.6, "test": 0.4}, {"val": -0.1}, {"val": float("nan")}):
        with pytest.raises(UsageError):
            assign_splits(dataset([10, 10]), **shares)


@given(st.integers(0, 20), st.integers(2, 9))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_groups_stay_on_one_side_and_shares_are_near(seed, size):
    data = dataset([180, 90], groups=lambda i, j: f"{i}-{j // size}" if j % 10 else None)
    found = assign_splits(data, val=0.2, test=0.2, seed=seed)
    groups = {}
    for entry in found.entries:
        if entry.group is not None:
            assert groups.setdefault(entry.group, entry.split) == entry.split
    for (_, target), count in by_class(found).items():
        total = (180, 90)[target]
        assert min(abs(count - 0.2 * total), abs(count - 0.6 * total)) <= size
    assert not found.warnings


def test_a_group_across_given_splits_is_warned_of():
    data = dataset([20, 20], groups=lambda i, j: f"{i}-{j // 4}")
    entries = [replace(e, split="test" if k % 7 == 0 else "train") for k, e in enumerate(data.entries)]
    assert any("more than one side" in w for w in assign_splits(replace(data, entries=entries)).warnings)


def test_few_groups_leave_no_part_empty():
    found = assign_splits(dataset([10, 10], groups=lambda i, j: f"{i}-{j // 5}"), val=0.25, test=0.25)
    assert found.splits == {"train": 10, "val": 5, "test": 5}


def test_a_single_group_stays_whole():
    found = assign_splits(dataset([10, 10], groups=lambda i, j: "one"))
    assert found.splits == {"train": 20}
    assert {"no picture could be put into val", "no picture could be put into test"} <= set(found.warnings)


def test_saved_splits_come_back(tmp_path):
    data = assign_splits(dataset([20, 20]))
    odd = replace(data.entries[0], id='a "b", c;\\n고양이.jpg')
    data = replace(data, entries=[odd, *data.entries[1:]])
    save_split(data, tmp_path / "split.csv")
    assert (tmp_path / "split.csv").read_text(encoding="utf-8").startswith("id,split\n")
    bare = replace(data, entries=[replace(e, split=None) for e in reversed(data.entries)])
    assert sides(load_split(bare, tmp_path / "split.csv")) == sides(data)
    assert [p.name for p in tmp_path.iterdir()] == ["split.csv"]


def test_a_split_of_other_data_is_refused_and_names_the_ids(tmp_path):
    save_split(assign_splits(dataset([20, 20])), tmp_path / "split.csv")
    with pytest.raises(DataError, match=r"1 pictures without a split \(1/20.jpg\).*5 ids.*0/15.jpg"):
        load_split(dataset([15, 21]), tmp_path / "split.csv")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "no split"),
        ("name,split\n", "no split"),
        ("id,split\n0/0.jpg,train\n0/0.jpg,val\n", "line 3"),
        ("id,split\n0/0.jpg,somewhere\n", "line 2"),
        ("id,split\n0/0.jpg\n", "line 2"),
        ('id,split\n"0/0.jpg,train\n', "cannot be read"),
        (b"id,split\n\xff\xfe,train\n", "cannot be read"),
    ],
)
def test_damaged_splits_are_refused(content, words, tmp_path):
    path = tmp_path / "split.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=words):
        load_split(dataset([1, 1]), path)


def test_several_labels_are_kept_in_proportion_the_rarest_too():
    rng = np.random.default_rng(0)
    chances = np.array([0.5, 0.3, 0.1, 0.02])
    shown = rng.random((500, 4)) < chances
    entries = [Entry(f"{i}.png", i, Labels(tuple(np.flatnonzero(row)))) for i, row in enumerate(shown)]
    dataset = Dataset(Path("x"), "csv", "multilabel", tuple("abcd"), entries, None, seen=500, unit="rows")
    split = assign_splits(dataset, val=0.2, test=0.2, seed=3)
    assert all(abs(split.splits[name] - share) <= 4 for name, share in {"train": 300, "val": 100, "test": 100}.items())
    totals = shown.sum(0)
    for name, share in (("train", 0.6), ("val", 0.2), ("test", 0.2)):
        held = np.zeros(4, int)
        for entry in split.split(name):
            held[list(entry.target.numbers)] += 1
        assert (np.abs(held - share * totals) <= np.maximum(1.0, 0.03 * totals)).all(), (name, held, totals)
    assert split.entries == assign_splits(dataset, val=0.2, test=0.2, seed=3).entries
    assert split.entries != assign_splits(dataset, val=0.2, test=0.2, seed=4).entries


def test_groups_of_several_labels_stay_together():
    entries = [Entry(f"{i}.png", i, Labels((i % 3,)), group=str(i // 5)) for i in range(60)]
    dataset = Dataset(Path("x"), "csv", "multilabel", tuple("abc"), entries, None, seen=60, unit="rows")
    sides = {}
    for entry in assign_splits(dataset).entries:
        sides.setdefault(entry.group, set()).add(entry.split)
    assert all(len(one) == 1 for one in sides.values()) and set.union(*sides.values()) == {"train", "val", "test"}
