"""Two runs compared by a share: the verdict follows the interval of the difference, whichever run is named first."""

import numpy as np
import pytest

from anmok.core.errors import DataError
from anmok.metrics.proportion import Interval
from anmok.tasks.duel import Duel, better_on, check_order


def duel(low: float, high: float) -> Duel:
    gap = Interval((low + high) / 2, low, high, 1200)
    return Duel(("a", "b"), 1200, "mean_iou", "mean IoU", {"mean_iou": (0.612, 0.58, gap)})


def test_the_verdict_follows_the_interval() -> None:
    told = "mean IoU 61.2% against 58.0%, difference"
    assert duel(0.01, 0.05).verdict == f"a is better than b: {told} +1.0 to +5.0 points."
    assert duel(-0.05, -0.01).verdict == f"b is better than a: {told} -5.0 to -1.0 points."
    for low, high in ((-0.01, 0.02), (0.0, 0.02), (float("nan"), float("nan"))):
        assert duel(low, high).verdict.startswith("On these 1,200 pictures nothing tells a and b apart: " + told)


def test_plain_values() -> None:
    found = duel(0.01, 0.05).to_json()
    assert found["runs"] == ["a", "b"] and found["figures"]["mean_iou"]["values"] == [0.612, 0.58]
    assert found["figures"]["mean_iou"]["difference"]["low"] == 0.01


def test_pictures_are_counted_and_must_be_the_same() -> None:
    a, b = np.array([0.5, 0.9, np.nan, 0.2]), np.array([0.5, 0.1, 0.3, 0.4])
    assert better_on(("a", "b"), a, b) == "better on more pictures: a on 1, b on 1"
    check_order(["x", "y"], ["x", "y"])
    with pytest.raises(DataError, match="same pictures"):
        check_order(["x", "y"], ["y", "x"])
