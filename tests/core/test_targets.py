"""Objects keep what belongs together, turn with their picture, and draw the class maps one would draw by hand."""

import pickle

import numpy as np
import pytest

from anmok.core.errors import DataError, PictureError
from anmok.core.regions import Polygons, RunLengths
from anmok.core.targets import IGNORE, Frame, ObjectMasks, Objects


def two(**more) -> Objects:
    small = Polygons(([3, 1, 5, 1, 5, 2, 3, 2],))
    return Objects([[0, 0, 6, 3], [3, 1, 5, 2]], [4, 0], (None, small), **more)


def test_types_and_copies():
    boxes = np.array([[1, 2, 3, 4]])
    objects = Objects(boxes, [7])
    boxes[:] = 0
    assert objects.boxes.dtype == np.float32 and objects.boxes.tolist() == [[1, 2, 3, 4]]
    assert objects.labels.dtype == np.int64 and len(objects) == 1 and len(Objects.none()) == 0
    assert Objects.none().boxes.shape == (0, 4)


def test_lengths_must_agree():
    with pytest.raises(DataError, match="'labels': 2"):
        Objects([[0, 0, 1, 1]], [1, 2])
    with pytest.raises(DataError):
        two(crowd=[True])


def test_equal_by_content_and_pickled_unchanged():
    assert two() == two() == pickle.loads(pickle.dumps(two()))
    assert two() != two(crowd=[False, True]) and two() != two().select(np.array([1, 0]))
    assert repr(two()) == repr(two()) != repr(two(areas=[18, 2]))


def test_selecting_takes_everything_along():
    one = two(crowd=[False, True], difficult=[True, False], areas=[18, 2]).select(np.array([False, True]))
    assert one.labels.tolist() == [0] and one.crowd.tolist() == [True] and one.difficult.tolist() == [False]
    assert one.areas.tolist() == [2] and isinstance(one.regions[0], Polygons)


def test_turned_objects_lie_on_turned_pixels():
    drawn = np.zeros((3, 6), bool)
    drawn[1, 3:5] = True
    turned = Objects([[3, 1, 5, 2]], [0], (RunLengths.of(drawn),)).turned(6, (3, 6))
    assert turned.boxes.tolist() == [[1, 3, 2, 5]]  # clockwise: row 1 of 3 becomes column 1
    assert turned.regions[0].box().tolist() == [1, 3, 2, 5]


def test_class_maps_draw_small_over_large_and_ignore_crowds():
    frame = Frame((3, 6))
    drawn = ObjectMasks().classes(two(), frame)
    expected = np.full((3, 6), 5)
    expected[1, 3:5] = 1
    assert drawn.dtype == np.uint8 and drawn.tolist() == expected.tolist()
    instances = ObjectMasks().instances(two(), frame)
    assert instances.dtype == np.uint16 and instances[0, 0] == 1 and instances[1, 3] == 2
    crowded = two(crowd=[False, True])
    assert (ObjectMasks(first=0).classes(crowded, frame)[1, 3:5] == IGNORE).all()
    assert (ObjectMasks().instances(crowded, frame) == 1).all()


def test_a_mask_is_turned_only_if_it_fits_the_stored_pixels():
    frame = Frame((6, 3), orientation=6)
    stored = np.arange(18).reshape(3, 6)
    assert np.array_equal(frame.upright_mask(stored), np.rot90(stored, -1))
    upright = np.arange(18).reshape(6, 3)
    assert frame.upright_mask(upright) is upright
    with pytest.raises(PictureError, match=r"another size.*5 × 4.*3 × 6") as caught:
        frame.upright_mask(np.zeros((4, 5)), "masks/1.png")
    assert caught.value.path == "masks/1.png" and caught.value.fix
