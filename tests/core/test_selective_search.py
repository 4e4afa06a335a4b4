"""Proposals that cover what is there, the same each time."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from anmok.core.errors import AnmokError, UsageError
from anmok.core.selective_search import Search, selective_search, without_border
from anmok.metrics._detections import overlaps

BOXES = np.array([[10, 12, 40, 52], [60, 30, 110, 70]])


def picture() -> np.ndarray:
    rng = np.random.default_rng(0)
    drawn = rng.normal(90, 6, (90, 130, 3))
    for (left, top, right, bottom), colour in zip(BOXES, ((220, 40, 40), (40, 60, 230)), strict=True):
        drawn[top:bottom, left:right] = colour + rng.normal(0, 6, (bottom - top, right - left, 3))
    return drawn.clip(0, 255).astype(np.uint8)


def test_objects_are_covered_and_boxes_lie_inside() -> None:
    found = selective_search(picture(), width=200)
    assert overlaps(BOXES, found).max(1).min() > 0.8
    assert found.dtype == np.float32 and len(np.unique(found, axis=0)) == len(found) > 5
    assert (found >= 0).all() and (found[:, [0, 2]] <= 130).all() and (found[:, [1, 3]] <= 90).all()
    assert (found[:, 2:] - found[:, :2]).min() >= 20 * 130 / 200 - 1e-3


def test_twice_the_same_though_opencv_draws_lots() -> None:
    first, second = (selective_search(picture(), width=None, smallest=5) for _ in range(2))
    assert np.array_equal(first, second)
    few = selective_search(picture(), width=None, smallest=5, most=4)
    assert np.array_equal(few, first[:4])
    assert not np.array_equal(selective_search(picture(), width=None, smallest=5, seed=1), first)


def test_grey_pictures_have_proposals_too() -> None:
    grey = picture().mean(2, keepdims=True).astype(np.uint8)
    assert len(selective_search(grey, width=None, smallest=5)) > 2


def test_what_is_no_picture_is_named() -> None:
    with pytest.raises(UsageError, match="float32"):
        selective_search(np.zeros((5, 5, 3), np.float32))


def test_missing_opencv_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(AnmokError, match="opencv-contrib-python-headless"):
        selective_search(picture())


def test_letterboxing_is_left_out() -> None:
    boxed = np.pad(picture(), ((9, 9), (0, 0), (0, 0)), constant_values=128)
    top, left, inside = without_border(boxed)
    assert (top, left) == (9, 0) and np.array_equal(inside, picture())
    plain, moved = (Search.for_squares(130)(pixels) for pixels in (picture(), boxed))
    assert len(plain) > 5 and np.array_equal(plain + np.array([0, 9, 0, 9], np.float32), moved)
    assert len(Search.for_squares(64)(np.full((64, 64, 3), 128, np.uint8))) == 0
