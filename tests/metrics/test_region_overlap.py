"""Per-region overlap: worked by hand, and against every threshold tried in turn."""

from __future__ import annotations

import numpy as np
import pytest
from skimage.measure import label, regionprops

from anmok.core.errors import UsageError
from anmok.metrics.region_overlap import region_overlap


def by_thresholds(masks: np.ndarray, scores: np.ndarray, limit: float) -> float:
    """The definition: for every threshold the mean overlap of all regions, against the false positive rate."""
    regions = [
        (i, region.coords) for i, mask in enumerate(masks) for region in regionprops(label(mask, connectivity=2))
    ]
    false, found = [0.0], [0.0]
    for threshold in sorted(set(scores.ravel()), reverse=True):
        above = scores >= threshold
        false.append(above[~masks].mean())
        found.append(np.mean([above[i][tuple(coords.T)].mean() for i, coords in regions]))
    steps = np.linspace(0, limit, 200_001)
    return float(np.interp(steps, false, found).mean())


def test_by_hand() -> None:
    """Regions of 1 and 2 pixels, 5 normal ones. Falling scores: small region, normal, half the large, normal, rest …

    The mean overlap is ½ up to a false positive rate of 0.2, ¾ up to 0.4, then 1: a staircase.
    """
    masks = np.array([[[1, 0, 0, 0], [0, 0, 1, 1]]], bool)
    scores = np.array([[[9, 8, 6, 4], [3, 2, 7, 5]]], float)
    assert region_overlap(masks, scores, limit=0.4) == pytest.approx((0.2 * 0.5 + 0.2 * 0.75) / 0.4)
    assert region_overlap(masks, scores, limit=1.0) == pytest.approx(0.2 * 0.5 + 0.2 * 0.75 + 0.6 * 1)


@pytest.mark.parametrize("limit", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("levels", [6, 1000])
def test_against_every_threshold(limit: float, levels: int) -> None:
    """Also where many scores are equal."""
    rng = np.random.default_rng(0)
    masks = np.zeros((4, 16, 16), bool)
    masks[0, 2:5, 3:9] = masks[0, 10, 10] = masks[1, 4:14, 4:14] = masks[2, 1, 1] = masks[2, 2, 2] = True
    scores = np.floor((rng.random(masks.shape) + 0.5 * masks) * levels)
    assert region_overlap(masks, scores, limit) == pytest.approx(by_thresholds(masks, scores, limit), abs=1e-4)


def test_known_ends() -> None:
    masks = np.zeros((1, 20, 20), bool)
    masks[0, 3:6, 3:6] = masks[0, 10:18, 10:18] = True
    assert region_overlap(masks, masks.astype(float)) == pytest.approx(1)
    assert region_overlap(masks, -masks.astype(float)) == 0
    assert region_overlap(masks, np.zeros(masks.shape)) == pytest.approx(0.15)  # half the limit: it knows nothing
    only_large = masks.astype(float)
    only_large[0, 3:6, 3:6] = -1
    assert region_overlap(masks, only_large) == pytest.approx(0.5)


def test_regions_end_at_the_picture() -> None:
    """Two pictures' defects at the same place are two regions."""
    masks = np.zeros((2, 4, 4), bool)
    masks[:, 1, 1] = masks[1, 1, 2] = True
    scores = np.zeros((2, 4, 4))
    scores[0, 1, 1] = 1
    assert region_overlap(masks, scores, 1e-9) == pytest.approx(0.5)


def test_what_has_no_answer() -> None:
    empty = np.zeros((1, 4, 4), bool)
    assert np.isnan(region_overlap(empty, np.zeros((1, 4, 4))))
    assert np.isnan(region_overlap(~empty, np.zeros((1, 4, 4))))
    for masks, scores, limit, says in (
        (empty, np.zeros((1, 4, 5)), 0.3, "one score a pixel"),
        (empty, np.full((1, 4, 4), np.nan), 0.3, "not finite"),
        (empty, np.zeros((1, 4, 4)), 0.0, "share"),
    ):
        with pytest.raises(UsageError, match=says):
            region_overlap(masks, scores, limit)
