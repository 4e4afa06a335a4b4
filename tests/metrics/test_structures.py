import numpy as np
import pytest
from skimage.measure import label, regionprops

from anmok.metrics.structures import Structures, recall_by_size, structures


def drawn(seed=0, size=40):
    """Class map, answer and instances with squares of two classes."""
    generator = np.random.default_rng(seed)
    target, instances = np.zeros((size, size), int), np.zeros((size, size), int)
    for number, (y, x) in enumerate(((2, 2), (2, 20), (15, 5), (15, 25), (30, 10)), start=1):
        side = 3 + number
        target[y : y + side, x : x + side] = 1 + number % 2
        instances[y : y + side, x : x + side] = number * 10
    answer = np.where(generator.random(target.shape) < 0.3, 0, target)
    return target, answer, instances


@pytest.mark.parametrize("with_instances", [False, True])
def test_objects_are_scikit_images_regions(with_instances):
    target, answer, instances = drawn()
    found = structures(target, answer, instances if with_instances else None)
    regions = regionprops(instances if with_instances else label(target, connectivity=2), target == answer)
    assert sorted(found.areas) == sorted(region.area for region in regions)
    rows = {tuple(np.round(centre, 6)): (share, kind) for centre, share, kind in
            zip(found.centres, found.covered, found.classes, strict=True)}  # fmt: skip
    for region in regions:
        share, kind = rows[tuple(np.round(region.centroid, 6))]
        assert share == pytest.approx(region.image_intensity[region.image].mean())
        assert kind == target[tuple(region.coords[0])]


def test_half_is_found_and_less_is_missed():
    target = np.array([[1, 1, 0, 1, 1, 0, 1, 1]])
    answer = np.array([[1, 1, 0, 1, 0, 0, 0, 0]])
    assert structures(target, answer).found.tolist() == [True, True, False]


def test_what_is_not_judged_is_no_part_of_an_object():
    target, answer = np.array([[1, 1, 255, 255, 0, 255]]), np.array([[1, 0, 1, 1, 0, 1]])
    found = structures(target, answer)
    assert found.areas.tolist() == [2] and found.covered.tolist() == [0.5]
    assert len(structures(np.full((2, 2), 255), np.zeros((2, 2), int)).areas) == 0


def test_an_objects_class_is_that_of_most_of_its_pixels():
    found = structures([[2, 2, 1, 0, 1]], [[2, 2, 2, 0, 1]], [[5, 5, 5, 0, 9]])
    assert found.classes.tolist() == [2, 1] and found.covered.tolist() == [1.0, 1.0]


def test_without_a_background_every_class_has_objects():
    found = structures([[0, 0, 1]], [[0, 0, 0]], background=None)
    assert found.classes.tolist() == [0, 1] and found.covered.tolist() == [1.0, 0.0]


def test_small_ones_are_missed():
    """Nine objects of a class: the three smallest missed. Thirds by size say so."""
    areas = np.array([9, 1, 8, 2, 7, 3, 6, 4, 5])
    everything = Structures(np.ones(9, int), areas, (areas > 3) * 1.0, np.zeros((9, 2)), np.zeros(9, int))
    rows = recall_by_size(everything, ["background", "cell"])
    assert [(row.size, row.least, row.most, row.objects, row.recall.value) for row in rows] == [
        ("small", 1, 3, 3, 0.0),
        ("middle", 4, 6, 3, 1.0),
        ("large", 7, 9, 3, 1.0),
    ]
    assert rows[0].recall.high < 0.75 and rows[2].recall.low > 0.25


def test_few_or_equal_objects_make_fewer_groups():
    def rows(areas):
        count = len(areas)
        found = Structures(np.zeros(count, int), np.array(areas), np.ones(count), np.zeros((count, 2)), np.zeros(count))
        return [(row.size, row.objects) for row in recall_by_size(found, ["cell"])]

    assert rows([4]) == [("small", 1)]
    assert rows([4, 4, 4]) == [("small", 3)]
    assert sum(count for _, count in rows([1, 2, 3, 4, 5, 5, 5])) == 7


def test_joined_pictures_are_numbered():
    parts = [structures([[1, 0, 1]], [[1, 0, 0]]), structures([[0, 0, 2]], [[0, 0, 2]])]
    assert Structures.joined(parts).pictures.tolist() == [0, 0, 1]
    assert Structures.joined(parts).classes.tolist() == [1, 1, 2]
