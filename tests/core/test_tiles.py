"""Tiles: every pixel once, weights that add up to one, memory that does not grow with the picture."""

import itertools
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmok.core.errors import UsageError
from anmok.core.tiles import starts, tiled


def joined(pixels: np.ndarray, side: int, overlap: int, answer, classes: int) -> np.ndarray:
    out = np.full((classes, *pixels.shape[:2]), np.nan, np.float32)
    for top, left, values in tiled(pixels, side, overlap, answer):
        place = out[:, top : top + values.shape[1], left : left + values.shape[2]]
        assert np.isnan(place).all(), "a pixel came twice"
        place[:] = values
    return out


def own_pixels(tiles: np.ndarray) -> np.ndarray:
    """A network that says of each pixel what it is: tiles must not change that."""
    return tiles.transpose(0, 3, 1, 2).astype(np.float32)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(8, 40), st.floats(0, 0.5))
def test_pointwise_answers_come_back_whole(height: int, width: int, side: int, share: float) -> None:
    pixels = np.random.default_rng(height * width).integers(0, 256, (height, width, 2), dtype=np.uint8)
    found = joined(pixels, side, int(side * share), own_pixels, 2)
    assert np.allclose(found, pixels.transpose(2, 0, 1), atol=1e-3)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 500), st.integers(4, 64), st.floats(0, 0.5))
def test_tiles_reach_both_ends_and_overlap_enough(length: int, side: int, share: float) -> None:
    overlap = int(side * share)
    found = starts(length, side, overlap)
    assert found[0] == 0 and found[-1] == max(0, length - side)
    assert all(0 < b - a <= side - overlap for a, b in itertools.pairwise(found))


def test_where_tiles_disagree_the_answer_changes_gradually() -> None:
    """Each tile answers its own number; across the overlap of 8 the mean leads from one to the next."""
    counter = iter(range(100))

    def numbered(tiles: np.ndarray) -> np.ndarray:
        return np.stack([np.full((1, *tile.shape[:2]), float(next(counter))) for tile in tiles])

    row = joined(np.zeros((16, 24, 1), np.uint8), 16, 8, numbered, 1)[0, 0]
    expected = np.concatenate([np.zeros(8), (np.arange(8) + 0.5) / 8, np.ones(8)])
    assert np.allclose(row, expected)


def test_memory_holds_a_strip_not_the_picture() -> None:
    pixels = np.zeros((3000, 400, 1), np.uint8)
    classes = 8
    whole = classes * pixels.size * 4

    def answer(tiles: np.ndarray) -> np.ndarray:
        return np.zeros((len(tiles), classes, *tiles.shape[1:3]), np.float32)

    tracemalloc.start()
    for _ in tiled(pixels, 64, 16, answer):
        pass
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < whole / 10


def test_too_much_overlap_is_refused() -> None:
    with pytest.raises(UsageError, match="half"):
        list(tiled(np.zeros((9, 9, 1), np.uint8), 4, 3, own_pixels))
