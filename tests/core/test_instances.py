import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import label

from anmok.core.errors import UsageError
from anmok.core.instances import depth_inside, numbered, split_touching, touching, two_nearest

maps = hnp.arrays(np.int64, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0, 0, 1, 3, 70]))


def disks(*circles, size=64):
    """An instance map of circles (row, column, radius); each pixel to the circle it is deepest in."""
    rows, columns = np.mgrid[:size, :size]
    depth = np.stack([r - np.hypot(rows - y, columns - x) for y, x, r in circles])
    return np.where(depth.max(0) > 0, depth.argmax(0) + 1, 0)


def brute_distance(mask, number, place):
    there = np.argwhere(mask == number)
    return np.sqrt(((there - place) ** 2).sum(1)).min()


@given(maps)
@settings(deadline=None, max_examples=60)
def test_two_nearest_by_brute_force(mask):
    first, second = two_nearest(mask)
    numbers = [number for number in np.unique(mask) if number]
    for place in np.ndindex(mask.shape):
        distances = [*sorted(brute_distance(mask, number, place) for number in numbers), np.inf, np.inf]
        assert first[place] == pytest.approx(distances[0])
        assert second[place] == pytest.approx(distances[1])


@given(maps, st.floats(1, 4))
@settings(deadline=None, max_examples=60)
def test_reach_only_forgets_what_is_farther(mask, reach):
    for near, whole in zip(two_nearest(mask, reach), two_nearest(mask), strict=True):
        np.testing.assert_array_equal(near, np.where(whole <= reach, whole, np.inf))


@given(maps)
@settings(deadline=None, max_examples=60)
def test_depth_by_brute_force(mask):
    depth = depth_inside(mask)
    for place in np.ndindex(mask.shape):
        outside = np.argwhere(mask != mask[place])
        if not mask[place]:
            assert depth[place] == 0
        elif len(outside):
            assert depth[place] == pytest.approx(np.sqrt(((outside - place) ** 2).sum(1)).min())
        else:
            assert depth[place] == max(mask.shape)


def test_seams_run_between_objects_and_nowhere_else():
    mask = disks((20, 20, 9), (20, 37, 9), (50, 50, 8))
    seam = touching(mask, width=2)
    rows, columns = np.nonzero(seam)
    assert seam.any() and (abs(columns - 28.5) <= 3).all() and (abs(rows - 20) <= 9).all()
    assert not touching(disks((20, 20, 9), (50, 50, 8))).any()


def test_touching_disks_come_apart_by_shape():
    mask = disks((20, 18, 10), (20, 35, 10), (36, 26, 9), (50, 50, 6))
    assert numbered(mask > 0).max() == 2  # three of the four hang together
    found = split_touching(mask > 0)
    assert found.max() == 4
    assert (np.unique(found[found > 0]) == [1, 2, 3, 4]).all()
    for number in range(1, 5):
        own = mask == number
        best = np.bincount(found[own]).argmax()
        union = own | (found == best)
        assert (own & (found == best)).sum() / union.sum() > 0.9


def test_touching_disks_come_apart_by_a_class_for_seams():
    mask = disks((20, 18, 10), (20, 34, 10), (34, 26, 9), (50, 50, 6))
    found = split_touching(mask > 0, (mask > 0) & ~touching(mask, width=2))
    assert found.max() == 4
    assert ((found > 0) == (mask > 0)).all()
    wrong = sum((mask[found == number] != np.bincount(mask[found == number]).argmax()).sum() for number in range(1, 5))
    assert wrong / (mask > 0).sum() < 0.01


def test_one_object_stays_one():
    for mask in (disks((32, 32, 20)) > 0, np.ones((16, 16), bool), np.eye(12, dtype=bool)):
        assert split_touching(mask).max() == 1
    assert split_touching(np.zeros((8, 8), bool)).max() == 0


def test_a_bigger_depth_splits_less():
    mask = disks((20, 20, 10), (20, 33, 10)) > 0
    assert split_touching(mask, depth=1).max() == 2
    assert split_touching(mask, depth=6).max() == 1


def test_noise_is_dropped_and_numbers_stay_dense():
    mask = np.zeros((20, 20), bool)
    mask[1, 1] = mask[5:12, 5:12] = mask[15:19, 2:6] = True
    found = split_touching(mask, smallest=4)
    assert sorted(np.unique(found)) == [0, 1, 2] and found[1, 1] == 0


def test_a_seam_without_inside_is_an_object():
    foreground, inside = np.zeros((6, 9), bool), np.zeros((6, 9), bool)
    foreground[1:5, 1:4] = foreground[1:5, 6:8] = True
    inside[2:4, 2] = True
    found = split_touching(foreground, inside)
    assert found.max() == 2 and ((found > 0) == foreground).all()


@given(maps)
@settings(deadline=None, max_examples=60)
def test_splitting_loses_no_pixel_and_joins_nothing(mask):
    found = split_touching(mask > 0)
    assert ((found > 0) == (mask > 0)).all()
    pieces, _ = label(mask > 0, structure=np.ones((3, 3)))
    for number in range(1, found.max() + 1):
        assert len(np.unique(pieces[found == number])) == 1


@pytest.mark.parametrize("wrong", [np.zeros((2, 2, 2), int), np.zeros((2, 2)), np.array([[-1, 0]])])
def test_what_is_no_instance_map_is_refused(wrong):
    with pytest.raises(UsageError, match="whole numbers"):
        two_nearest(wrong)


def test_two_sizes_are_refused():
    with pytest.raises(UsageError, match="two sizes"):
        split_touching(np.ones((3, 3)), np.ones((3, 4)))
