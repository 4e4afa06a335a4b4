"""Has a generator lost its variety? Losses do not show it; the distances between its own pictures do.

Both figures are about 1 for a set as varied as the real one, and fall to 0 as drawn pictures become alike.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.seeds import numpy_generator
from anmok.metrics._figure import set_metric
from anmok.metrics._sets import checked_sets, nearest


@set_metric("max")
def variety(drawn: ArrayLike, real: ArrayLike) -> float:
    """Spread of drawn features (total variance) by that of real ones: falls when all pictures become one.

    >>> variety([[0.0, 0], [1, 0]], [[0.0, 0], [2, 0]])
    0.25
    """
    x, y = checked_sets(drawn, real)
    spread = float(y.var(0).sum())
    return float(x.var(0).sum()) / spread if spread > 0 else float("nan")


@set_metric("max")
def elbow_room(drawn: ArrayLike, real: ArrayLike, seed: int = 0) -> float:
    """Median distance to the nearest of their own kind, drawn by real: falls also where a few pictures repeat.

    Both sets are thinned to the same count first, since nearest neighbours come nearer in larger sets.
    """
    x, y = checked_sets(drawn, real)
    count = min(len(x), len(y))
    generator = numpy_generator(seed, "elbow room")
    x, y = (features[generator.choice(len(features), count, False)] for features in (x, y))
    own, usual = (float(np.median(nearest(features, None, 1)[0])) for features in (x, y))
    return own / usual if usual > 0 else float("nan")
