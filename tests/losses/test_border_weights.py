"""U-Net's weight map against the formula, pixel by pixel."""

import numpy as np
import pytest

from anmok.core.errors import UsageError
from anmok.losses.border_weights import border_weights


def by_hand(instances, w0, sigma, class_weight):
    weights = np.zeros(instances.shape)
    for place in np.ndindex(instances.shape):
        if instances[place]:
            weights[place] = class_weight[1]
            continue
        distances = []
        for number in np.unique(instances[instances > 0]):
            there = np.argwhere(instances == number)
            distances.append(np.sqrt(((there - place) ** 2).sum(1)).min())
        distances = sorted(distances)
        near = w0 * np.exp(-((distances[0] + distances[1]) ** 2) / (2 * sigma**2)) if len(distances) > 1 else 0.0
        weights[place] = class_weight[0] + near
    return weights


@pytest.mark.parametrize(("w0", "sigma", "class_weight"), [(10, 5, (1, 1)), (4, 2, (0.5, 3)), (10, 0.7, (1, 1))])
def test_by_hand(w0, sigma, class_weight):
    rows, columns = np.mgrid[:40, :48]
    instances = np.zeros((40, 48), int)
    for number, (y, x, r) in {3: (10, 10, 7), 8: (12, 26, 7), 9: (30, 14, 6), 40: (32, 40, 5)}.items():
        instances[np.hypot(rows - y, columns - x) < r] = number
    found = border_weights(instances, w0, sigma, class_weight)
    np.testing.assert_allclose(found, by_hand(instances, w0, sigma, class_weight), atol=w0 * np.exp(-18) + 1e-6)
    assert found.dtype == np.float32


def test_the_narrowest_gap_weighs_most():
    gap = np.array([[1, 1, 0, 2, 2, 0, 0, 0, 3]])
    weights = border_weights(gap)[0]
    assert weights.argmax() == 2 and weights[2] == pytest.approx(1 + 10 * np.exp(-4 / 50))
    assert weights[6] == pytest.approx(1 + 10 * np.exp(-16 / 50))  # two pixels from either side


def test_fewer_than_two_objects_have_no_gap():
    alone = np.array([[0, 1, 1, 0]])
    assert border_weights(alone).tolist() == [[1, 1, 1, 1]]
    assert border_weights(np.zeros((2, 2), int), class_weight=(0.25, 1)).tolist() == [[0.25, 0.25], [0.25, 0.25]]


def test_errors():
    with pytest.raises(UsageError, match="distance in pixels"):
        border_weights(np.zeros((2, 2), int), sigma=0)
    with pytest.raises(UsageError, match="whole numbers"):
        border_weights(np.zeros((2, 2)))
