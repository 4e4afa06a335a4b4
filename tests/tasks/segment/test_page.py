"""What a segmentation's page cuts out of pictures."""

import numpy as np
import pytest

from anmok.tasks.segment.page import _around


@pytest.mark.parametrize("centre", [(40, 40), (0, 0), (79, 3), (79, 79), (12.5, 60.5)])
def test_what_lies_at_the_edge_is_shown_with_as_much_around_it(centre: tuple[float, float]) -> None:
    rows, columns = _around(np.array(centre, float), 24.0, (80, 80))
    for part, middle in ((rows, centre[0]), (columns, centre[1])):
        assert 0 <= part.start <= middle < part.stop <= 80 and part.stop - part.start == 24
        if 12 <= middle <= 68:
            assert abs((part.start + part.stop) / 2 - middle) <= 1


def test_a_small_picture_is_shown_whole() -> None:
    picture = np.zeros((10, 30))
    assert picture[_around(np.array([5.0, 15.0]), 24.0, picture.shape)].shape == (10, 24)
