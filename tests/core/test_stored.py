"""Stored values come back untouched, whatever the file."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from anmok.core.errors import PictureError
from anmok.core.stored import read_stored

RNG = np.random.default_rng(1)


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "gif"])
def test_palette_indices_are_kept(suffix: str, tmp_path: Path) -> None:
    index = RNG.integers(0, 200, (9, 7), dtype=np.uint8)
    colours = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
    image = Image.frombytes("P", (7, 9), index.tobytes())
    image.putpalette(colours.ravel().tolist())
    image.save(tmp_path / f"a.{suffix}", **({"optimize": False} if suffix == "gif" else {}))
    found = read_stored(tmp_path / f"a.{suffix}")
    assert found.palette is not None and np.array_equal(found.colours, colours[index])
    if suffix != "gif":  # whose writer may renumber the palette
        assert np.array_equal(found.values, index)


def test_16_bits_greys_and_single_bits(tmp_path: Path) -> None:
    deep = RNG.integers(0, 65536, (5, 6)).astype(np.uint16)
    Image.fromarray(deep).save(tmp_path / "deep.png")
    assert np.array_equal(read_stored(tmp_path / "deep.png").values, deep)
    Image.fromarray(deep > 9999).save(tmp_path / "bit.png")
    assert np.array_equal(read_stored(tmp_path / "bit.png").values, (deep > 9999) * np.uint8(255))
    assert read_stored((tmp_path / "bit.png").read_bytes()).values.shape == (5, 6)


def test_the_files_own_orientation_is_applied(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    values = RNG.integers(0, 9, (4, 6), dtype=np.uint8)
    for name in ("a.png", "a.tif"):
        Image.fromarray(values).save(tmp_path / name, exif=exif)
        assert np.array_equal(read_stored(tmp_path / name).values, np.rot90(values, -1))


def test_loss_is_known(tmp_path: Path) -> None:
    image = Image.fromarray(RNG.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    image.save(tmp_path / "a.jpg")
    image.save(tmp_path / "a.png")
    image.save(tmp_path / "lossy.webp", quality=50)
    image.save(tmp_path / "exact.webp", lossless=True)
    assert {path.name: read_stored(path).lossy for path in tmp_path.iterdir()} == {
        "a.jpg": True, "a.png": False, "lossy.webp": True, "exact.webp": False,
    }  # fmt: skip


def test_fractions_and_torn_files_are_refused(tmp_path: Path) -> None:
    Image.fromarray(np.full((3, 3), 0.5, np.float32)).save(tmp_path / "f.tif")
    with pytest.raises(PictureError, match="no class numbers"):
        read_stored(tmp_path / "f.tif")
    (tmp_path / "torn.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(PictureError):
        read_stored(tmp_path / "torn.png")
