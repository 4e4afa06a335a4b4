"""What `anmok inspect RUN --codes` asks of a kind whose models give each picture a code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np


@runtime_checkable
class Coding(Protocol):
    """A kind (`anmok.tasks._kind.Kind`) with a space of codes that can be looked at."""

    def space(
        self, model: Any, decoded: Any, split: str | None, walk: Sequence[np.ndarray] | None, by: str
    ) -> Mapping[str, np.ndarray]:
        """What there is to see, by name: uint8 (h, w, 1 or 3).

        `walk`: two prepared pictures to walk between. `by`: how the second map is made, "tsne" or "umap".
        """
