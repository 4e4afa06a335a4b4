"""What of a segmentation is shipped: a graph that ends at probabilities, and how class maps are made of these."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from anmok.core.classmaps import tile_side
from anmok.tasks._shipping import Cargo
from anmok.tasks.segment.learning import Segment
from anmok.tasks.segment.naming import background_of


class Probabilities(nn.Module):
    """A network's answer as `Segment.probabilities` gives it: (N, C, S, S) → (N, K, S, S), adding up to one a pixel."""

    def __init__(self, network: nn.Module, mirror: bool) -> None:
        super().__init__()
        self.network, self.mirror = network, mirror

    def forward(self, x: Tensor) -> Tensor:
        """The mean over the picture and its mirror image, or the picture's alone."""
        return (self._softmax(x) + self._softmax(x.flip(3)).flip(3)) / 2 if self.mirror else self._softmax(x)

    def _softmax(self, x: Tensor) -> Tensor:
        outputs: Any = self.network(x)
        logits: Tensor = outputs[0] if isinstance(outputs, tuple) else outputs
        return logits.softmax(1)


def cargo(model: Segment) -> Cargo:
    """See `anmok.tasks._kind.Shipping`. Windows of large pictures go into the graph as the tiles torch looks at."""
    settings = {
        "classes": model.classes, "background": background_of(model.classes), "seams": model.seams,
        "preparation": model.preparation.to_json(),
    }  # fmt: skip
    side = tile_side(model.preparation) if model.preparation.fit == "window" else None
    return Cargo(Probabilities(model.network, model.mirror), ("probabilities",), settings, side)
