"""Two generators judged by the same real pictures: is one better, or may the difference be chance?"""

from __future__ import annotations

import numpy as np

from anmok.core.errors import DataError
from anmok.metrics.proportion import Interval
from anmok.tasks.duel import Duel, Wording
from anmok.tasks.generate.measuring import Measured

DECIDES = "kernel_distance"
NEARER = Wording(".4f", "+.4f", 1, "", "draws nearer to the real pictures than", smaller_is_better=True)


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs by the same real pictures.

    The intervals take both figures as independent, which is careful: they share their real pictures.

    Raises:
        DataError: they were judged by other pictures, or in other features.
    """
    if set(first.ids) != set(second.ids):
        raise DataError("these runs were not judged by the same pictures", got=f"{len(first.ids)}, {len(second.ids)}")
    if first.title != second.title:
        raise DataError("distances in different features say nothing of each other", 
                        got=f"{first.title}, {second.title}", fix="training both with the same --features")  # fmt: skip
    rows = {name: _row(first.figures[name], second.figures[name]) for name in first.figures if name in second.figures}
    return Duel(names, len(first.ids), DECIDES, "kernel distance", rows, [f"features: {first.title}"], NEARER)


def _row(one: Interval, other: Interval) -> tuple[float, float, Interval]:
    gap = one.value - other.value
    low = gap - float(np.hypot(one.value - one.low, other.high - other.value))
    high = gap + float(np.hypot(one.high - one.value, other.value - other.low))
    return one.value, other.value, Interval(gap, low, high, one.n, "independent")
