import json
from dataclasses import replace

import numpy as np
import pytest

from anmok.core.errors import DataError
from anmok.core.targets import Objects, Partner
from anmok.core.types import Dataset, Entry
from anmok.data.fingerprint import Fingerprint, difference, fingerprint
from anmok.data.load import load_data
from anmok.data.stores import ArrayPictures


@pytest.fixture
def folder(tmp_path):
    for name in ("cat/1.jpg", "cat/2.jpg", "dog/1.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(name.encode())
    return tmp_path


def test_unchanged_data_has_one_fingerprint(folder):
    first, second = fingerprint(load_data(folder)), fingerprint(load_data(folder))
    assert first == second and not difference(first, second) and str(difference(first, second)) == "nothing changed"


def test_added_removed_and_changed_are_listed(folder):
    before = fingerprint(load_data(folder))
    (folder / "cat/1.jpg").unlink()
    (folder / "cat/3.jpg").write_bytes(b"new")
    (folder / "dog/1.jpg").write_bytes(b"another content")
    found = difference(before, fingerprint(load_data(folder)))
    assert (found.added, found.removed, found.changed) == (("cat/3.jpg",), ("cat/1.jpg",), ("dog/1.jpg",))
    assert found and "cat/3.jpg" in str(found) and found.classes is None


def test_a_moved_label_is_a_change(folder):
    data = load_data(folder)
    moved = replace(data, entries=[replace(data.entries[0], target=1), *data.entries[1:]])
    assert difference(fingerprint(data), fingerprint(moved)).changed == ("cat/1.jpg",)
    sided = replace(data, entries=[replace(data.entries[0], split="val"), *data.entries[1:]])
    assert difference(fingerprint(data), fingerprint(sided)).changed == ("cat/1.jpg",)


def test_one_class_more_does_not_change_the_others(folder):
    before = fingerprint(load_data(folder))
    (folder / "bird").mkdir()
    (folder / "bird/1.jpg").write_bytes(b"x")
    found = difference(before, fingerprint(load_data(folder)))
    assert found.added == ("bird/1.jpg",) and not found.changed
    assert found.classes == (("cat", "dog"), ("bird", "cat", "dog"))


def test_rows_of_an_array_are_told_apart(tmp_path):
    array = np.zeros((3, 2, 2, 1), np.uint8)
    entries = [Entry(f"t:{i}", i, 0) for i in range(3)]
    other = array.copy()
    other[1] += 1
    one, two = (
        fingerprint(Dataset(tmp_path, "t", "classify", ("a",), entries, ArrayPictures(a, a.tobytes()), seen=3))
        for a in (array, other)
    )
    assert difference(one, two).changed == ("t:1",)


def test_json_there_and_back(folder):
    found = fingerprint(load_data(folder))
    values = json.loads(json.dumps(found.to_json()))
    assert Fingerprint.from_json(values) == found
    values["items"]["cat/1.jpg"] = "0"
    with pytest.raises(DataError, match="damaged"):
        Fingerprint.from_json(values)
    with pytest.raises(DataError, match="no fingerprint"):
        Fingerprint.from_json({"digest": "x"})


def test_a_picture_that_is_gone_is_a_change(folder):
    data = load_data(folder)
    before = fingerprint(data)
    (folder / "cat/1.jpg").unlink()
    assert difference(before, fingerprint(data)).changed == ("cat/1.jpg",)


def test_another_mask_box_or_partner_is_a_change(folder):
    class Masks:
        told = b"1"

        def identity(self, target):
            return self.told if target == "cat/1.jpg.mask" else b"other"

    plain = load_data(folder)
    entries = [replace(entry, target=f"{entry.id}.mask") for entry in plain.entries]
    masked = replace(plain, entries=entries, masks=Masks())
    before = fingerprint(masked)
    Masks.told = b"2"
    assert difference(before, fingerprint(masked)).changed == ("cat/1.jpg",)
    boxed = [replace(plain.entries[0], target=Objects([[0, 0, 1, side]], [0])) for side in (1, 2)]
    first, second = (fingerprint(replace(plain, entries=[entry])) for entry in boxed)
    assert difference(first, second).changed == ("cat/1.jpg",)
    paired = replace(plain, entries=[replace(plain.entries[0], target=Partner("dog/1.jpg"))])
    before = fingerprint(paired)
    (folder / "dog/1.jpg").write_bytes(b"another partner")
    assert difference(before, fingerprint(paired)).changed == ("cat/1.jpg",)
