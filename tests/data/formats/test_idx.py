import gzip
import struct

import numpy as np
import pytest

from anmok.core.errors import DataError
from anmok.data.load import load_data

DEBIAN = "/usr/share/datasets/fashion-mnist"


def idx(array):
    kind = {"uint8": 8, "int8": 9, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D}[array.dtype.name]
    header = struct.pack(f">HBB{array.ndim}I", 0, kind, array.ndim, *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def pictures(n=4, *, side=3, channels=()):
    return np.arange(n * side * side * int(np.prod(channels, dtype=int)), dtype=np.uint8).reshape(
        n, side, side, *channels
    )


def write(root, prefix="train", n=4, labels=None):
    (root / f"{prefix}-images-idx3-ubyte").write_bytes(idx(pictures(n)))
    labels = np.arange(n, dtype=np.uint8) if labels is None else labels
    (root / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(labels))


def test_rows_are_counted_from_one_and_classes_named_by_their_numbers(tmp_path):
    write(tmp_path, labels=np.array([7, 3, 7, 10], np.uint8))
    dataset = load_data(tmp_path)
    assert dataset.classes == ("3", "7", "10")
    assert [(e.id, e.locator, e.target) for e in dataset.entries][:2] == [
        ("train-images-idx3-ubyte:1", 0, 1),
        ("train-images-idx3-ubyte:2", 1, 0),
    ]
    assert (dataset.pictures.read(2)[..., 0] == pictures()[2]).all()
    assert dataset.splits == {"train": 4}


def test_one_file_brings_the_labels_beside_it(tmp_path):
    write(tmp_path, "train")
    write(tmp_path, "t10k", n=2)
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        dataset = load_data(tmp_path / name)
        assert len(dataset) == 2 and dataset.splits == {"": 2} and dataset.entries[1].target == 1


def test_pictures_without_labels_are_for_prediction(tmp_path):
    (tmp_path / "images.idx").write_bytes(idx(pictures()))
    assert [e.target for e in load_data(tmp_path).entries] == [None] * 4


def test_colour_and_wide_labels(tmp_path):
    (tmp_path / "a-images.idx").write_bytes(idx(pictures(channels=(3,))))
    (tmp_path / "a-labels.idx").write_bytes(gzip.compress(idx(np.array([0, 300, 0, 300], np.int32))))
    dataset = load_data(tmp_path)
    assert dataset.classes == ("0", "300") and dataset.pictures.read(0).shape == (3, 3, 3)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda f: f.write_bytes(b"\0\0\x08\x09" + f.read_bytes()[4:]), "magic number"),
        (lambda f: f.write_bytes(b"PK" + f.read_bytes()[2:]), "magic number"),
        (lambda f: f.write_bytes(f.read_bytes()[:-1]), r"35 bytes.*36 bytes"),
        (lambda f: f.write_bytes(f.read_bytes() + b"x"), r"more than 36 bytes.*36 bytes"),
        (lambda f: f.write_bytes(f.read_bytes()[:10]), r"10 bytes.*16 bytes"),
        (lambda f: f.write_bytes(b""), "empty file"),
        (lambda f: f.write_bytes(gzip.compress(f.read_bytes())[:-12]), r"gzip stream is torn.*36 bytes"),
        (lambda f: f.write_bytes(gzip.compress(f.read_bytes()[:-5])), r"31 bytes.*36 bytes"),
        (lambda f: f.write_bytes(gzip.compress(b"\0\0\x08\x03" + b"\x7f" * 12)), "too short|too large"),
        (lambda f: f.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12), "promises|too large"),
        (lambda f: f.write_bytes(idx(pictures().astype(np.int16))), "no pictures"),
        (lambda f: f.write_bytes(idx(pictures(0))), "at least one picture"),
        (lambda f: f.write_bytes(idx(pictures(3))), "4 labels for 3 pictures"),
    ],
)
def test_damaged_pictures_are_refused_with_expected_and_actual(damage, words, tmp_path):
    write(tmp_path)
    damage(tmp_path / "train-images-idx3-ubyte")
    with pytest.raises(DataError, match=words) as caught:
        load_data(tmp_path, format="idx")
    assert "idx" in str(caught.value.path) or "labels" in str(caught.value.path)


def test_labels_that_are_none_are_refused(tmp_path):
    for labels in (pictures(), np.zeros(4, np.float32)):
        write(tmp_path, labels=labels)
        with pytest.raises(DataError):
            load_data(tmp_path)


def test_two_families_in_one_folder_are_refused_but_each_is_read_by_name(tmp_path):
    write(tmp_path, "emnist-letters-train")
    write(tmp_path, "emnist-digits-train", n=2)
    with pytest.raises(DataError, match="do not make one data set"):
        load_data(tmp_path)
    assert len(load_data(tmp_path / "emnist-digits-train-images-idx3-ubyte")) == 2


def test_files_beside_their_gz_are_read_once(tmp_path):
    """As torchvision leaves them."""
    write(tmp_path)
    for path in list(tmp_path.iterdir()):
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
    dataset = load_data(tmp_path)
    assert len(dataset) == 4 and dataset.accounts()["files"]["skipped"] == 2
    for path in tmp_path.iterdir():
        assert len(load_data(path)) == 4, path.name


def test_missing_labels_of_one_part_are_refused(tmp_path):
    write(tmp_path, "train")
    write(tmp_path, "t10k")
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match="t10k-images"):
        load_data(tmp_path)


def test_parts_of_different_sizes_are_refused(tmp_path):
    write(tmp_path, "train")
    write(tmp_path, "t10k")
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(pictures(4, side=2)))
    with pytest.raises(DataError, match="differ in shape"):
        load_data(tmp_path)


def test_files_beside_are_accounted_for(tmp_path):
    write(tmp_path)
    (tmp_path / "README.md").write_text("x")
    (tmp_path / ".hidden").write_text("x")
    assert load_data(tmp_path).accounts()["files"] == {"seen": 4, "used": 2, "quarantined": 0, "skipped": 2}


def test_the_published_fashion_mnist():
    from pathlib import Path

    if not Path(DEBIAN).is_dir():
        pytest.skip("Debian's dataset-fashion-mnist is not installed")
    dataset = load_data("fashion-mnist")
    assert dataset.splits == {"train": 60_000, "test": 10_000}
    assert dataset.classes[9] == "Ankle boot" and "SHA-256" in dataset.why
    content = gzip.decompress(Path(DEBIAN, "t10k-images-idx3-ubyte.gz").read_bytes())
    first = next(entry for entry in dataset.entries if entry.split == "test")
    assert dataset.pictures.read(first.locator).tobytes() == content[16 : 16 + 784]
