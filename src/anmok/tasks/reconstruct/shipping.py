"""What of a network that reconstructs is shipped: the picture it makes, and how strange the one it saw is."""

from __future__ import annotations

from torch import Tensor, nn

from anmok.tasks._shipping import Cargo
from anmok.tasks.reconstruct.learning import Reconstruct


class Repeating(nn.Module):
    """The network, and what remembers training pictures, under one roof.

    Intensities (N, C, S, S) → as many; and strangeness (N,), where it is judged.
    """

    def __init__(self, model: Reconstruct) -> None:
        super().__init__()
        self.model = Reconstruct(model.network, model.preparation, model.devices, model.recipe)
        self.model.novelty = model.novelty if model.threshold is not None else None
        self.parts = nn.ModuleDict(dict(self.model.networks()))  # so that they are moved with this module

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """See above."""
        picture = self.model.reconstruct(x)
        return picture if self.model.novelty is None else (picture, self.model.novelty.judge(self.model, x)[0])


def cargo(model: Reconstruct) -> Cargo:
    """See `anmok.tasks._kind.Shipping`."""
    module = Repeating(model)
    if module.model.novelty is None:
        return Cargo(module, ("picture",), {"usual": None})
    assert model.threshold is not None
    return Cargo(module, ("picture", "strangeness"), {"usual": model.threshold.to_json()})
