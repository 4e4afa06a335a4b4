"""Regions drawn, moved and turned agree with scikit-image, with pixel counts by hand, and with each other."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import grid_points_in_poly
from skimage.transform import AffineTransform, warp

from anmok.core.errors import DataError
from anmok.core.orientation import turn_array
from anmok.core.regions import Polygons, RunLengths

SIZE = (40, 50)


@st.composite
def stars(draw):
    """Rings around (25, 20) without self-crossings, their points off the grid."""
    count = draw(st.integers(3, 9))
    seed = draw(st.integers(0, 2**32 - 1))
    random = np.random.default_rng(seed)
    angles = np.sort(random.uniform(0, 2 * np.pi, count))
    reach = random.uniform(3, 15, count)
    return np.stack([25.03 + reach * np.cos(angles), 20.07 + reach * np.sin(angles)], 1).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(stars())
def test_polygons_hold_the_pixels_whose_centres_they_hold(ring):
    theirs = grid_points_in_poly(SIZE, ring[:, ::-1].astype(np.float64) - 0.5)
    assert np.array_equal(Polygons((ring,)).draw(SIZE, np.eye(2, 3)), theirs)


def test_rectangles_on_whole_pixels_are_exact_and_rings_unite():
    both = Polygons(([2, 1, 5, 1, 5, 4, 2, 4], [4, 3, 6, 3, 6, 5, 4, 5]))
    drawn = both.draw((6, 8))
    expected = np.zeros((6, 8), bool)
    expected[1:4, 2:5] = expected[3:5, 4:6] = True
    assert np.array_equal(drawn, expected)
    assert both.box().tolist() == [2, 1, 6, 5]


def test_what_lies_outside_is_cut_off():
    assert Polygons(([-5, -5, 60, -5, 60, 60, -5, 60],)).draw(SIZE, np.eye(2, 3)).all()
    assert not Polygons(([60, 5, 70, 5, 70, 9],)).draw(SIZE, np.eye(2, 3)).any()


@settings(max_examples=30, deadline=None)
@given(stars(), st.floats(-3, 3), st.floats(0.5, 2), st.floats(-10, 10))
def test_moved_polygons_and_run_lengths_agree_with_scikit_image(ring, angle, scale, shift):
    inner = AffineTransform(translation=(-25, -20)) + AffineTransform(scale=scale, rotation=angle)
    transform = inner + AffineTransform(translation=(25 + shift, 20 - shift))
    move, polygon = transform.params[:2], Polygons((ring,))
    here = polygon.draw(SIZE)
    # scikit-image counts from pixel centres, we from corners: half a pixel before and after.
    centred = AffineTransform(translation=(0.5, 0.5)) + transform + AffineTransform(translation=(-0.5, -0.5))
    theirs = warp(here.astype(float), centred.inverse, order=0) > 0.5
    by_runs = RunLengths.of(here).draw(SIZE, move)
    back = transform.inverse(np.stack(np.meshgrid(np.arange(50) + 0.5, np.arange(40) + 0.5), -1).reshape(-1, 2))
    on_border = (np.abs(back - back.round()) < 1e-6).any(1).reshape(SIZE)  # between two pixels: either is right
    assert not (by_runs != theirs)[~on_border].any()
    border = len(ring) + 2 * (abs(np.diff(here.astype(int), axis=0)).sum() + abs(np.diff(here.astype(int))).sum())
    assert (polygon.draw(SIZE, move) != by_runs).sum() <= border * max(scale, 1)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.floats(0, 1))
def test_run_lengths_keep_the_mask_and_know_its_box(seed, height, width, share):
    mask = np.random.default_rng(seed).random((height, width)) < share
    runs = RunLengths.of(mask)
    assert np.array_equal(runs.bitmap(), mask) and np.array_equal(runs.draw(mask.shape), mask)
    rows, columns = np.nonzero(mask)
    expected = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] if mask.any() else [0, 0, 0, 0]
    assert runs.box().tolist() == expected


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 9), st.integers(1, 9), st.floats(-3, 3))
def test_a_moved_box_is_around_all_corners_of_all_pixels(seed, height, width, angle):
    mask = np.random.default_rng(seed).random((height, width)) < 0.4
    mask[-1, 0] = True
    move = np.array([[np.cos(angle), -np.sin(angle), 3], [np.sin(angle), np.cos(angle), -2]])
    rows, columns = np.nonzero(mask)
    pixels = np.concatenate([np.stack([columns + x, rows + y], 1) for x in (0, 1) for y in (0, 1)])
    moved = pixels @ move[:, :2].T + move[:, 2]
    assert np.allclose(RunLengths.of(mask).box(move), [*moved.min(0), *moved.max(0)])


@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_turn_with_their_picture(orientation):
    polygon = Polygons(([3.2, 4.1, 30.7, 8.3, 12.4, 33.9],))
    here = polygon.draw(SIZE, np.eye(2, 3))
    turned = turn_array(here, orientation)
    assert np.array_equal(polygon.turned(orientation, SIZE).draw(turned.shape, np.eye(2, 3)), turned)
    assert np.array_equal(RunLengths.of(here).turned(orientation, SIZE).bitmap(), turned)


@pytest.mark.parametrize("rings", [(), ([0, 0, 1, 1],), ([0, 0, 1, 1, float("nan"), 2],)])
def test_what_is_no_polygon_is_refused(rings):
    with pytest.raises(DataError, match="no polygon"):
        Polygons(rings)


@pytest.mark.parametrize("counts", [[1, 2], [12, -6, 0], [7]])
def test_run_lengths_of_another_size_are_refused(counts):
    with pytest.raises(DataError, match="do not fit"):
        RunLengths((2, 3), np.array(counts))
