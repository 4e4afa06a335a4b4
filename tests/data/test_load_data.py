import os
import subprocess
import sys

import pytest

from anmok.core.errors import DataError, UsageError
from anmok.data import known
from anmok.data.load import load_data


def test_a_missing_path_names_its_neighbour_and_what_is_allowed(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(DataError, match=r"nothing is there.*class folders.*pictures"):
        load_data(tmp_path / "picturse")
    with pytest.raises(DataError, match="'fashion-mnist'"):
        load_data("fashion-mnits")


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"Got: an empty folder"):
        load_data(tmp_path)


def test_what_is_not_recognised_is_described(tmp_path):
    for name in ("a.txt", "b.json"):
        (tmp_path / name).write_text("x")
    with pytest.raises(DataError, match=r"0 pictures, 2 other files.*a\.txt.*Allowed: a folder of class folders"):
        load_data(tmp_path)


def test_a_pipe_is_refused_without_reading_it(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="neither a file nor a folder"):
        load_data(tmp_path / "pipe")


@pytest.mark.parametrize("path", ["a\0b", "x" * 5000])
def test_impossible_paths_are_refused(path):
    with pytest.raises(DataError):
        load_data(path)


def test_an_unknown_format_names_the_known_ones(tmp_path):
    with pytest.raises(UsageError, match="class_folders, coco, csv"):
        load_data(tmp_path, format="class_folder")


def test_fashion_mnist_missing_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(known, "_DEBIAN_FOLDER", tmp_path / "nothing")
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path))
    with pytest.raises(DataError, match=r"apt install dataset-fashion-mnist.*fashion-mnist-small"):
        load_data("fashion-mnist")


def test_fashion_mnist_from_the_cache(tmp_path, monkeypatch):
    from anmok.data import samples

    monkeypatch.setattr(known, "_DEBIAN_FOLDER", tmp_path / "nothing")
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path))
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "fashion-mnist").symlink_to(samples.path("fashion_mnist"))
    assert len(load_data("Fashion-MNIST")) == 7000


def test_a_folder_of_a_known_name_goes_before_the_known_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "1.png").write_bytes(b"x")
    assert load_data("samples").format == "flat_folder"


def test_loading_imports_no_torch():
    code = "import sys; from anmok.data.load import load_data; load_data('samples'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], timeout=60, check=False).returncode == 0
