"""Two detectors on the same pictures, compared by each picture's F1."""

from __future__ import annotations

import numpy as np

from anmok.metrics.bootstrap import bootstrap
from anmok.tasks.detect.measuring import Measured
from anmok.tasks.duel import Duel, better_on, check_order


def judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    """Compare two runs' answers to the same pictures, each at its own threshold, picture by picture.

    Raises:
        DataError: they answered other pictures, or in another order.
    """
    check_order(first.ids, second.ids)
    a, b = (np.nan_to_num(one.summary.pictures, nan=1.0) for one in (first, second))  # nothing there, nothing said
    gap = bootstrap(np.mean, a - b)  # type: ignore[arg-type]
    rows = {"f1_by_picture": (float(a.mean()), float(b.mean()), gap)}
    return Duel(names, len(a), "f1_by_picture", "mean F1", rows, [better_on(names, a, b)])
