import pytest

from anmok.core.errors import DataError
from anmok.data.load import load_data


def test_one_picture(tmp_path):
    (tmp_path / "한 장.JPG").write_bytes(b"x")
    dataset = load_data(tmp_path / "한 장.JPG")
    assert [entry.locator for entry in dataset.entries] == ["한 장.JPG"]
    assert dataset.accounts() == {"files": {"seen": 1, "used": 1, "quarantined": 0, "skipped": 0}}


def test_any_tree_when_asked_for(tmp_path):
    for name in ("cat/1.jpg", "dog/2.png", "readme.txt", "x.avif"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    dataset = load_data(tmp_path, format="flat_folder")
    assert [entry.id for entry in dataset.entries] == ["cat/1.jpg", "dog/2.png"]
    assert dataset.account() == {"seen": 4, "used": 2, "quarantined": 1, "skipped": 1}


def test_without_pictures_it_says_what_is_there(tmp_path):
    (tmp_path / "readme.txt").write_bytes(b"x")
    with pytest.raises(DataError, match="holds no picture"):
        load_data(tmp_path, format="flat_folder")
