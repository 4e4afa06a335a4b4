import gzip
import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from anmok.core.errors import DataError, UsageError
from anmok.data import samples
from anmok.data.load import load_data
from anmok.data.samples.make import encode, make

PUBLISHED = Path("/usr/share/datasets/fashion-mnist")


def rows(path, part):
    """Pictures and labels of a published or bundled part, as bytes, read without the reader."""
    pictures = gzip.decompress((path / f"{part}-images-idx3-ubyte.gz").read_bytes())[16:]
    labels = gzip.decompress((path / f"{part}-labels-idx1-ubyte.gz").read_bytes())[8:]
    return [(pictures[784 * i : 784 * (i + 1)], label) for i, label in enumerate(labels)]


def test_six_thousand_and_one_thousand_in_equal_classes():
    dataset = load_data("fashion-mnist-small")
    assert dataset.splits == {"train": 6000, "test": 1000}
    counts = Counter((entry.split, entry.target) for entry in dataset.entries)
    assert set(counts.values()) == {600, 100} and len(counts) == 20
    assert dataset.classes[0] == "T-shirt/top" and dataset.classes[9] == "Ankle boot"


def test_licence_and_source_travel_with_the_files():
    folder = samples.path("fashion_mnist")
    assert "Zalando SE" in (folder / "LICENSE").read_text(encoding="utf-8")
    source = (folder / "SOURCE.md").read_text(encoding="utf-8")
    for line in (folder / "SHA256SUMS").read_text().splitlines():
        digest, name = line.split()
        assert digest in source and name in source
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4 * 2**20


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_every_picture_is_a_published_one_in_its_published_order():
    folder = samples.path("fashion_mnist")
    for part in ("train", "t10k"):
        published = iter(rows(PUBLISHED, part))
        assert all(any(row == other for other in published) for row in rows(folder, part))


@pytest.mark.slow
@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="Debian's dataset-fashion-mnist is not installed")
def test_the_script_makes_the_same_content_again(tmp_path):
    make(PUBLISHED, tmp_path)
    for path in tmp_path.glob("*.gz"):
        bundled = samples.path("fashion_mnist") / path.name
        assert gzip.decompress(path.read_bytes()) == gzip.decompress(bundled.read_bytes())


def test_encoding_holds_neither_time_nor_name():
    content = encode(np.arange(6, dtype=np.uint8).reshape(2, 3))
    assert gzip.decompress(content) == b"\0\0\x08\x02\0\0\0\x02\0\0\0\x03" + bytes(range(6))
    assert content[3] == 0 and content[4:8] == bytes(4)


def test_damage_is_noticed(tmp_path, monkeypatch):
    shutil.copytree(samples.path("fashion_mnist"), tmp_path / "fashion_mnist")
    monkeypatch.setattr(samples, "_ROOM", tmp_path)
    assert samples.path("fashion_mnist") == tmp_path / "fashion_mnist"
    labels = tmp_path / "fashion_mnist" / "t10k-labels-idx1-ubyte.gz"
    labels.write_bytes(labels.read_bytes()[:-1])
    with pytest.raises(DataError, match="t10k-labels"):
        samples.path("fashion_mnist")
    labels.unlink()
    with pytest.raises(DataError, match="install anmok again"):
        samples.path("fashion_mnist")


def test_an_unknown_name_is_refused():
    with pytest.raises(UsageError, match="fashion_mnist"):
        samples.path("fashion_mnits")
