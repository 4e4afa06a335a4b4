"""Where pixels go: each fit's geometry against the pixels `fit_picture` makes, masks against the same squares."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anmok.core.geometry import Geometry, resample_mask
from anmok.core.preparation import FITS, Preparation, centre_crop, fit_mask, fit_picture

sides = st.integers(20, 90)


@settings(max_examples=60, deadline=None)
@given(sides, sides, st.sampled_from(FITS), st.integers(0, 2**32 - 1))
def test_a_marked_rectangle_is_found_where_geometry_says(height, width, fit, seed):
    random = np.random.default_rng(seed)
    left, top = random.integers(0, width - 8), random.integers(0, height - 8)
    right, bottom = random.integers(left + 8, width + 1), random.integers(top + 8, height + 1)
    picture = np.zeros((height, width, 1), np.uint8)
    picture[top:bottom, left:right] = 255
    preparation = Preparation(48, 64, 1, fit=fit, mean=(0.0,), std=(1,))
    (box,) = preparation.geometry((height, width)).boxes(np.array([[left, top, right, bottom]]))
    for found in (fit_picture(picture, preparation)[..., 0] >= 128, fit_mask(picture[..., 0], preparation, 0) > 0):
        expected = np.clip(box, 0, [*found.shape[::-1], *found.shape[::-1]])
        rows, columns = np.nonzero(found)
        if len(rows):
            around = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
            assert np.abs(expected - around).max() <= 1
        else:
            assert min(expected[2:] - expected[:2]) <= 1


@given(sides, sides, st.sampled_from(FITS))
def test_predictions_find_their_way_back(height, width, fit):
    geometry = Preparation(48, 64, fit=fit).geometry((height, width), seen=True)
    boxes = np.array([[1, 2, 30, 40], [0, 0, width, height]], np.float32)
    assert np.allclose(geometry.inverse().boxes(geometry.boxes(boxes)), boxes, atol=1e-3)
    both = geometry.then(geometry.inverse())
    assert np.allclose([both.scale, both.offset], [[1, 1], [0, 0]], atol=1e-9)


def test_seen_is_the_centre_of_what_is_stored():
    picture = np.arange(64 * 64, dtype=np.uint8).reshape(64, 64, 1)
    preparation = Preparation(48, 64, 1, mean=(0.5,), std=(1,))
    x, y = preparation.geometry((64, 64), seen=True).points(np.array([20.5, 30.5]))
    assert centre_crop(fit_picture(picture, preparation), 48)[int(y), int(x), 0] == picture[30, 20, 0]


def test_masks_are_never_interpolated_and_borders_are_filled():
    mask = np.array([[3, 200], [3, 9]], np.uint8)
    wide = fit_mask(np.repeat(mask, 2, axis=1), Preparation(8, 8, fit="pad"), 255)
    assert set(np.unique(wide)) == {3, 9, 200, 255}
    assert (wide[:2] == 255).all() and (wide[-2:] == 255).all() and (wide[2:6] != 255).all()
    assert (wide[2:4, 4:] == 200).all()


def test_a_mask_seen_from_outside_is_all_fill():
    assert (resample_mask(np.ones((4, 4), np.uint8), Geometry(offset=(10, 0)), (4, 4), 7) == 7).all()


@pytest.mark.parametrize("fit", FITS)
def test_a_window_keeps_the_picture_and_the_others_make_a_square(fit):
    picture = np.zeros((30, 40, 3), np.uint8)
    found = fit_picture(picture, Preparation(16, 20, 1, fit=fit, mean=(0.5,), std=(1,)))
    assert found.shape == ((30, 40, 1) if fit == "window" else (20, 20, 1))
