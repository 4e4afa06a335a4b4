"""Where stored pictures come from, part by part."""

import numpy as np
import pytest

from anmok.data.pixel_sources import ArrayPixels, in_parts


@pytest.mark.parametrize(("at_once", "parts"), [(1, [1] * 7), (48 * 3, [1, 3, 3]), (10**9, [1, 6])])
def test_parts_follow_each_other_and_are_as_large_as_was_asked(at_once: int, parts: list[int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 4, 4, 3), dtype=np.uint8)
    rows = np.array([3, 19, 0, 7, 7, 12, 5])
    found = list(in_parts(ArrayPixels(pixels, np.arange(20)).gather, rows, at_once))
    assert [len(part) for _, part in found] == parts
    assert np.concatenate([np.arange(7)[here] for here, _ in found]).tolist() == list(range(7))
    assert np.array_equal(np.concatenate([part for _, part in found]), pixels[rows])


def test_of_no_rows_there_are_no_parts() -> None:
    assert not list(in_parts(ArrayPixels(np.zeros((1, 2, 2, 1), np.uint8), np.arange(1)).gather, np.arange(0)))
