import os
import pickle

import numpy as np
import pytest
from PIL import Image

from anmok.core.errors import PictureError
from anmok.data.stores import ArrayPictures, FilePictures, PathPictures

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "data"
    (folder / "고양이").mkdir(parents=True)
    Image.fromarray(PIXELS).save(folder / "고양이" / "하나.png")
    Image.fromarray(PIXELS).save(tmp_path / "secret.png")
    return folder


def test_files_are_read_by_their_path_below_the_root(root):
    pictures = pickle.loads(pickle.dumps(FilePictures(root)))
    assert (pictures.read("고양이/하나.png") == PIXELS).all()
    assert (pictures.read("고양이/../고양이/./하나.png") == PIXELS).all()


@pytest.mark.parametrize(
    "locator", ["../secret.png", "고양이/../../secret.png", "/etc/hostname", "//etc/hostname", ".."]
)
def test_paths_that_leave_the_root_are_refused(root, locator):
    for call in (FilePictures(root).read, FilePictures(root).identity):
        with pytest.raises(PictureError, match="leaves the data folder"):
            call(locator)


@pytest.mark.parametrize("locator", ["", ".", "a\0b.png"])
def test_what_is_no_path(root, locator):
    with pytest.raises(PictureError, match="no path"):
        FilePictures(root).read(locator)


def test_identity_changes_with_size_and_time(root):
    path, pictures = root / "고양이" / "하나.png", FilePictures(root)
    before = pictures.identity("고양이/하나.png")
    assert pictures.identity("고양이/하나.png") == before
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns + 1))
    later = pictures.identity("고양이/하나.png")
    path.write_bytes(path.read_bytes() + b"\0")
    os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns))
    assert len({before, later, pictures.identity("고양이/하나.png")}) == 3
    path.unlink()
    with pytest.raises(PictureError):
        pictures.identity("고양이/하나.png")


@pytest.mark.skipif(os.name == "nt", reason="Windows file names are Unicode")
def test_names_that_are_not_utf8(root):
    name = os.fsdecode(b"caf\xe9\n.png")
    (root / "고양이" / "하나.png").rename(root / name)
    pictures = pickle.loads(pickle.dumps(FilePictures(root)))
    assert (pictures.read(name) == PIXELS).all()


def test_files_anywhere_are_decoded_as_those_below_a_root(root):
    large = np.repeat(np.repeat(PIXELS, 50, axis=0), 50, axis=1)
    Image.fromarray(large).save(root / "large.jpg")
    there, anywhere = FilePictures(root), PathPictures()
    for at_least in (None, 30):
        found = anywhere.decode(str(root / "large.jpg"), at_least)
        assert (found.pixels == there.decode("large.jpg", at_least).pixels).all()
    assert found.pixels.shape == (75, 113, 3) and anywhere.read(str(root / "large.jpg")).shape == large.shape
    assert anywhere.identity(str(root / "large.jpg")) == there.identity("large.jpg")
    with pytest.raises(PictureError):
        anywhere.identity(str(root / "gone.jpg"))


def test_rows_of_an_array():
    array = np.stack([PIXELS, 255 - PIXELS])
    pictures = pickle.loads(pickle.dumps(ArrayPictures(array, "digest")))
    assert (pictures.read(1) == 255 - PIXELS).all()
    assert pictures.decode(1, at_least=3).original_size == (6, 9)
    assert pictures.identity(0) != pictures.identity(1)
    assert pictures.identity(0) != ArrayPictures(array, b"other").identity(0)
    for row in (2, -1, "0"):
        with pytest.raises(PictureError, match="no such row"):
            pictures.read(row)


@pytest.mark.parametrize("array", [np.zeros((2, 3, 3)), np.zeros((2, 3, 3, 1)), np.zeros((2, 3, 3, 4), np.uint8)])
def test_arrays_of_other_kinds_are_refused(array):
    with pytest.raises(ValueError, match="uint8"):
        ArrayPictures(array, "digest")
