"""Outlines against scikit-image, and boundary F1 against its definition, pixel by pixel."""

import numpy as np
import pytest
from skimage.segmentation import find_boundaries

from anmok.metrics import boundary, pixels
from anmok.metrics.precision_recall import recall


def drawn(seed, size=(14, 11), classes=3):
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, classes, (4, 4))
    return np.kron(coarse, np.ones((4, 3), int))[: size[0], : size[1]]


def by_hand(target, answer, classes, tolerance, ignore=255):
    """Csurka's definition with loops: no distance transform, no shared code."""

    def line(ids, number):
        found = set()
        for y, x in np.ndindex(ids.shape):
            if ids[y, x] != number or ids[y, x] == ignore:
                continue
            for v, u in ((y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)):
                inside = 0 <= v < ids.shape[0] and 0 <= u < ids.shape[1]
                if inside and ids[v, u] not in (number, ignore):
                    found.add((y, x))
        return found

    answer = np.where(target == ignore, ignore, answer)
    counts = np.zeros((classes, 4))
    for number in range(classes):
        own, true = line(answer, number), line(target, number)
        met = [sum(any(np.hypot(y - v, x - u) <= tolerance for v, u in there) for y, x in here)
               for here, there in ((own, true), (true, own))]  # fmt: skip
        counts[number] = met[0], len(own), met[1], len(true)
    return counts


def test_outlines_are_scikit_images():
    """Inner boundaries there: pixels of a label that touch another. Theirs leave out label 0, which ours has too."""
    for seed in range(5):
        ids = drawn(seed)
        np.testing.assert_array_equal(boundary.outlines(ids), find_boundaries(ids + 1, connectivity=1, mode="inner"))


@pytest.mark.parametrize("tolerance", [0, 1, 1.5, 3])
def test_counts_by_hand(tolerance):
    for seed in range(4):
        target, answer = drawn(seed), drawn(seed + 50)
        target[:3, :5] = 255
        expected = by_hand(target, answer, 3, tolerance)
        np.testing.assert_array_equal(boundary.count_boundary(target, answer, 3, tolerance), expected)


def test_a_shifted_outline_is_met_within_the_tolerance_and_not_below():
    target = np.zeros((20, 20), int)
    target[5:15, 5:15] = 1
    shifted = np.roll(target, 2, axis=1)
    for tolerance, perfect in ((1, False), (2, True)):
        f1 = boundary.boundary_f1(boundary.count_boundary(target, shifted, 2, tolerance))
        assert (f1 == 1).all() == perfect
    assert (boundary.boundary_f1(boundary.count_boundary(target, target, 2, 0)) == 1).all()


def test_a_missed_or_invented_class_has_zero_and_an_absent_one_no_value():
    target = np.zeros((9, 9), int)
    target[3:6, 3:6] = 1
    f1 = boundary.boundary_f1(boundary.count_boundary(target, np.zeros_like(target), 3))
    assert f1[:2].tolist() == [0, 0] and np.isnan(f1[2])
    f1 = boundary.boundary_f1(boundary.count_boundary(np.zeros_like(target), target, 3))
    assert f1[:2].tolist() == [0, 0]


def test_near_and_inside_add_up_to_all():
    target, answer = drawn(1), drawn(2)
    target[:2, :2] = 255
    near, inside = boundary.count_by_place(target, answer, 3, band=2)
    confusion = pixels.count_pixels(target, answer, 3)
    np.testing.assert_array_equal(near.present + inside.present, confusion.sum(1))
    np.testing.assert_array_equal(near.hits + inside.hits, np.diag(confusion))
    np.testing.assert_array_equal(near.answered + inside.answered, confusion.sum(0))


def test_errors_at_the_outline_are_told_from_errors_inside():
    target = np.zeros((30, 30), int)
    target[5:25, 5:25] = 1
    thin, hollow = target.copy(), target.copy()
    thin[5:25, 5] = 0  # the outline is one pixel off on one side
    hollow[13:17, 13:17] = 0  # a hole in the middle
    near, inside = boundary.count_by_place(target, thin, 2, band=3)
    assert recall(inside)[1] == 1 and recall(near)[1] < 1
    near, inside = boundary.count_by_place(target, hollow, 2, band=3)
    assert recall(near)[1] == 1 and recall(inside)[1] == pytest.approx(1 - 16 / 14**2)


def test_a_picture_of_one_class_has_no_outline():
    flat = np.ones((6, 6), int)
    assert not boundary.outlines(flat).any()
    near, inside = boundary.count_by_place(flat, flat, 2)
    assert near.present.sum() == 0 and inside.hits[1] == 36


def test_maps_of_bytes_count_as_wider_ones_do() -> None:
    generator = np.random.default_rng(3)
    truth, answer = generator.integers(0, 3, (2, 20, 20))
    truth[:4] = 255
    wide = boundary.count_boundary(truth, answer, 3, tolerance=1)
    assert (boundary.count_boundary(truth.astype(np.uint8), answer.astype(np.uint8), 3, tolerance=1) == wide).all()
