"""Tiles cover every pixel; blended answers equal one computed over the whole picture at once."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmok.core.errors import UsageError
from anmok.core.tiling import blend, plan_tiles, read_tile

lengths = st.integers(1, 60)


@settings(max_examples=150, deadline=None)
@given(lengths, lengths, st.integers(1, 20), st.floats(0, 0.99))
def test_tiles_cover_the_picture_and_share_what_was_asked(height, width, side, share):
    overlap = int(side * share)
    tiles, covered = plan_tiles((height, width), side, overlap), np.zeros((height, width), int)
    once = np.zeros_like(covered)
    for tile in tiles:
        assert tile.top + side <= max(height, side) and tile.left + side <= max(width, side)
        covered[tile.top : tile.top + side, tile.left : tile.left + side] += 1
        once[tile.top + tile.seen_above : tile.top + side, tile.left + tile.seen_left : tile.left + side] += 1
        assert tile.seen_above >= (overlap if tile.top else 0) and tile.seen_left >= (overlap if tile.left else 0)
    assert (covered > 0).all()
    if 2 * overlap < side:
        assert (once == 1).all()
    step = side - overlap
    fewest = [1 if length <= side else -(-(length - overlap) // step) for length in (height, width)]
    assert len(tiles) == fewest[0] * fewest[1]


@settings(max_examples=100, deadline=None)
@given(lengths, lengths, st.integers(1, 20), st.floats(0, 0.99), st.integers(0, 2**32 - 1))
def test_blending_what_agrees_changes_nothing(height, width, side, share, seed):
    picture = np.random.default_rng(seed).random((height, width, 2), np.float32)
    tiles, whole = plan_tiles((height, width), side, int(side * share)), np.full((height, width, 2), np.nan)
    for block in blend(tiles, (height, width), (read_tile(picture, tile).transpose(2, 0, 1) for tile in tiles)):
        assert np.isnan(whole[block.rows, block.columns]).all()
        whole[block.rows, block.columns] = block.values.transpose(1, 2, 0)
    assert np.allclose(whole, picture, atol=1e-5)


@settings(max_examples=60, deadline=None)
@given(lengths, lengths, st.integers(2, 20), st.floats(0, 0.99), st.integers(0, 2**32 - 1))
def test_answers_that_differ_are_averaged_by_distance_from_the_tiles_edge(height, width, side, share, seed):
    """Against the plain way: sum of weighted answers over sum of weights, over the whole picture at once."""
    tiles, random = plan_tiles((height, width), side, int(side * share)), np.random.default_rng(seed)
    answers = random.random((len(tiles), 1, side, side), np.float32)
    tops, lefts = sorted({tile.top for tile in tiles}), sorted({tile.left for tile in tiles})

    def ramp(starts, start):
        k, weights = starts.index(start), []
        for place in range(side):
            shares = [1.0]
            if k and (shared := starts[k - 1] + side - start):
                shares.append((place + 0.5) / shared)
            if k + 1 < len(starts) and (shared := start + side - starts[k + 1]):
                shares.append((side - place - 0.5) / shared)
            weights.append(min(shares))
        return np.array(weights)

    extent = (max(height, side), max(width, side))
    total, weight = np.zeros(extent), np.zeros(extent)
    for tile, answer in zip(tiles, answers, strict=True):
        own = np.outer(ramp(tops, tile.top), ramp(lefts, tile.left))
        total[tile.top : tile.top + side, tile.left : tile.left + side] += own * answer[0]
        weight[tile.top : tile.top + side, tile.left : tile.left + side] += own
    found = np.zeros((height, width))
    for block in blend(tiles, (height, width), iter(answers)):
        found[block.rows, block.columns] = block.values[0]
    expected = (total / weight)[:height, :width]
    assert np.allclose(found, expected, atol=1e-4)


def test_seams_fade():
    """Two tiles that answer 0 and 1: in the overlap, a straight line from one to the other."""
    tiles = plan_tiles((4, 12), 8, 4)
    answers = [np.full((1, 8, 8), float(k)) for k in range(2)]
    row = np.concatenate([block.values[0] for block in blend(tiles, (4, 12), answers)], axis=1)[0]
    assert np.allclose(row, [0, 0, 0, 0, 1 / 8, 3 / 8, 5 / 8, 7 / 8, 1, 1, 1, 1])


def test_small_pictures_are_mirrored_up_to_a_tile():
    picture = np.arange(6).reshape(2, 3)
    (tile,) = plan_tiles((2, 3), 4)
    assert read_tile(picture, tile).tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5], [0, 1, 2, 2]]


@pytest.mark.parametrize("overlap", [-1, 8, 9])
def test_overlaps_that_never_get_on_are_refused(overlap):
    with pytest.raises(UsageError, match="overlap"):
        plan_tiles((100, 100), 8, overlap)
