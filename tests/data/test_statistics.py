"""Statistics against arithmetic by hand, and the odd pictures that were put among ordinary ones."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from anmok.core.types import Dataset, Entry
from anmok.data.load import load_data
from anmok.data.pixel_sources import ArrayPixels
from anmok.data.statistics import Statistics, measure_pictures, picture_sizes
from anmok.data.stores import ArrayPictures


def measure(array: np.ndarray) -> Statistics:
    entries = [Entry(f"x:{i}", i) for i in range(len(array))]
    data = Dataset(Path(), "idx", "classify", (), entries, ArrayPictures(array, "x"))
    return measure_pictures(data, ArrayPixels(array, np.arange(len(array))), np.arange(len(array)))


def test_a_checkerboard_by_hand() -> None:
    board = np.indices((4, 4)).sum(0) % 2 * 100 + 50
    found = measure(board.astype(np.uint8)[None, ..., None])
    assert found.brightness[0] == 100 and found.contrast[0] == 50
    # Every neighbour differs by 100, so the Laplacian is +400 or -400 (deviation 400) where the contrast is 50.
    assert found.sharpness[0] == 8
    assert found.sizes == {(4, 4, 1): 1}


def test_odd_pictures_are_found() -> None:
    rng = np.random.default_rng(0)
    usual = rng.integers(30, 220, (20, 32, 32), dtype=np.uint8)
    smooth = Image.fromarray(rng.integers(0, 256, (3, 3), dtype=np.uint8)).resize((32, 32), Image.Resampling.BICUBIC)
    odd = [
        np.full((32, 32), 77, np.uint8),
        rng.integers(0, 15, (32, 32), dtype=np.uint8),
        rng.integers(240, 256, (32, 32), dtype=np.uint8),
        np.asarray(smooth.filter(ImageFilter.GaussianBlur(3))),
    ]
    found = measure(np.concatenate([usual, np.stack(odd)])[..., None])
    assert [list(at) for at in (found.flat, found.dark, found.bright, found.blurred)] == [[20], [21], [22], [23]]


def test_sizes_of_files(tmp_path: Path) -> None:
    for name, mode, size in (("a", "RGB", (7, 5)), ("b", "L", (7, 5)), ("c", "L", (7, 5)), ("d", "RGBA", (4, 4))):
        Image.new(mode, size).save(tmp_path / f"{name}.png")
    assert picture_sizes(load_data(tmp_path)) == ({(5, 7, 1): 2, (5, 7, 3): 1, (4, 4, 3): 1}, 4)
