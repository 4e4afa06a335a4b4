"""A fast way and an exact one together: what the fast one is in doubt about, the exact one answers again.

In bf16 EfficientNet-Lite0 is more than twice as fast as in float32, and names another class for one hard photograph in
twenty (measured): always where the first two classes lie close together. Asking again only there costs a fraction of
asking always, and leaves the decisions those of float32.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from anmok.ship.apart import EngineLostError
from anmok.ship.engines import Engine, Inputs, Outputs


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

    def run(self, inputs: Inputs) -> Outputs:
        """See `anmok.ship.engines.Engine`."""
        if self._fast is None:
            return self._exact.run(inputs)
        try:
            found = self._fast.run(inputs)
        except EngineLostError:
            self._fast = None
            return self._exact.run(inputs)
        again = self._doubtful(found)
        if not again.any():
            return found
        closer = {name: np.ascontiguousarray(values[again]) for name, values in inputs.items()}
        return mended(found, again, self._exact.run(closer))


def mended(found: Outputs, again: np.ndarray, closer: Outputs) -> Outputs:
    """Outputs, one row a picture, where the rows told by `again`, bool (N,), are those of `closer`."""
    outputs = {name: np.array(values) for name, values in found.items()}
    for name, values in closer.items():
        outputs[name][again] = values
    return outputs
