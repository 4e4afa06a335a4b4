"""A fast way and an exact one together: what the fast one is in doubt about, the exact one answers again.

In bf16 EfficientNet-Lite0 is more than twice as fast as in float32, and names another class for one hard photograph in
twenty (measured): always where the first two classes lie close together. Asking again only there costs a fraction of
asking always, and leaves the decisions those of float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anmok.ship.apart import EngineLostError
from anmok.ship.engines import Engine, Outputs


class Careful:
    """An `Engine` of two. Where the fast one is lost, the exact one goes on alone.

    Args:
        fast, exact: both compute the same graph.
        doubtful: the fast one's outputs → bool (N,), whether each decision might be another in exact numbers.
    """

    def __init__(self, fast: Engine, exact: Engine, doubtful: Callable[[Outputs], np.ndarray]) -> None:
        self._fast: Engine | None = fast
        self._exact, self._doubtful = exact, doubtful
        self.label = f"{fast.label}, close calls again by {exact.label}"

    def run(self, pictures: np.ndarray) -> Outputs:
        """See `anmok.ship.engines.Engine`."""
        if self._fast is None:
            return self._exact.run(pictures)
        try:
            found = self._fast.run(pictures)
        except EngineLostError:
            self._fast = None
            return self._exact.run(pictures)
        again = self._doubtful(found)
        if not again.any():
            return found
        mended = {name: np.array(values) for name, values in found.items()}
        for name, values in self._exact.run(np.ascontiguousarray(pictures[again])).items():
            mended[name][again] = values
        return mended
