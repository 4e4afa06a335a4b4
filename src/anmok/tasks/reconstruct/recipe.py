"""How a network learns to reconstruct, chosen from the data where the person did not choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from anmok.core.preparation import Preparation
from anmok.data.augment import Augment
from anmok.tasks.recipe import BATCHES, Descent

PASSES = 400_000  # pictures seen in all, each as often as that takes …
FEWEST, MOST = 10, 200  # … but between so many epochs
EVIDENCE, SQUARED_ERROR = "negative_evidence", "squared_error"
# The dense VAE learns from many pictures in large batches, and faster then: on Fashion-MNIST's 60,000 ten epochs of 512
# at 0.01 come to 242.3 nats a picture in half the time of 128 at 0.003, which come to 242.0 (512 at 0.006: 243.4).
MANY, LARGE = 50_000, 512
RATES = (128, LARGE), (0.003, 0.01)  # batches, and a VAE's rates at them
CONVOLUTIONS = (32, 64, 128, 256)  # widths of a convolutional VAE, as many as it takes to come down to a small grid
GRID = 8  # cells across which a convolutional VAE's last map has, about


@dataclass(frozen=True)
class ReconstructRecipe(Descent):
    """How a network learns to reconstruct.

    Args:
        corrupt: the damage it learns to repair, see `anmok.data.corrupt`; None: none, or the data brings its own.
        loss: `anmok.losses` by name: what the network's output means follows from it.
        latent: numbers in the code; None: as many as the network has by default.
        beta: weight of the KL term of a VAE.
        novelty: how strangeness is judged, see `anmok.tasks.reconstruct.novelty`; None: it is not.
        remembered: how much is kept of training pictures for that.
    """

    corrupt: str | None = None
    loss: str = SQUARED_ERROR
    latent: int | None = None
    beta: float = 1.0
    novelty: str | None = None
    remembered: int = 0

    def arguments(self, preparation: Preparation) -> dict[str, Any]:
        """The network's own keywords, for pictures of this size and code of this length."""
        found: dict[str, Any] = {}
        if self.network != "conv_autoencoder":
            found["input_size"] = preparation.size
            if self.latent is not None:
                found["latent"] = self.latent
        if self.network == "conv_vae":
            found["widths"] = widths(preparation.size)
            found["hidden"] = max(16, 4 * (self.latent or 2))
        return found


def is_variational(network: str) -> bool:
    """Whether the network's code is a distribution."""
    return network in ("vae", "conv_vae")


def widths(size: int) -> tuple[int, ...]:
    """Of a convolutional VAE for pictures of this size: it halves them down to about `GRID` cells, twice at least."""
    halvings = max(2, min(len(CONVOLUTIONS), int(np.log2(max(size, GRID) / GRID))))
    return CONVOLUTIONS[:halvings]


def choose_recipe(pictures: int, network: str, chosen: Mapping[str, Any]) -> ReconstructRecipe:
    """A recipe for `pictures` training pictures. `chosen`: what the person said, by the recipe's own names."""
    variational = is_variational(network)
    usual = min(128, next(size for fewest, size in BATCHES if pictures >= fewest))
    if network == "vae" and pictures >= MANY:
        usual = LARGE
    batch = max(1, min(chosen.get("batch") or usual, pictures))
    epochs = int(np.clip(PASSES / max(1, pictures), FEWEST, MOST))
    steps = epochs * max(1, pictures // batch)
    return ReconstructRecipe(
        network=network,
        epochs=epochs,
        batch=batch,
        optimizer="adamw" if variational else "muon",
        learning_rate=round(float(np.interp(batch, *RATES)), 4) if variational else 0.05,
        weight_decay=0.0,
        average=round(float(np.clip(1 - 20 / steps, 0.5, 0.99)), 4),
        augment=Augment(),
        loss=EVIDENCE if variational else SQUARED_ERROR,
    ).but(**chosen)
