"""How a detector is trained, chosen from the data where the person did not choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from anmok.data.augment import Augment
from anmok.networks._detector import Overlap
from anmok.tasks.recipe import Descent

PASSES = 90_000  # pictures of 128 × 128 pixels, so many times seen in all: what a network from scratch needs
FEWEST, MOST = 12, 200  # epochs
RATE, OWN_RATE = 0.02, 0.06  # of Muon; the second for today's detector with its own encoder (decision 0009)
ANY = 10_000  # epochs where the person gave a time instead: it ends the run, and the schedule with it
PIXELS = 16 * 192 * 192  # a step's batch holds about so many …
SMALLEST_BATCH, LARGEST_BATCH = 4, 16  # … but between so many pictures
STEPS = 10  # an epoch of fewer would end before the batch statistics of a small data set say anything


@dataclass(frozen=True)
class DetectRecipe(Descent):
    """How a detector is trained.

    Args:
        nms: overlap above which the lower score of two answered boxes of one class is dropped; "soft": it decays
            instead.
        arguments: of the network, beside classes and channels.
    """

    nms: Overlap = 0.6
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def pace(self) -> str:
        """What will be learned how long, in words."""
        return f"batch {self.batch}, as many epochs as fit the time" if self.epochs == ANY else super().pace


def choose_recipe(
    pictures: int, side: int, mirror: bool, pace: float = 1.0, timed: bool = False, network: str = "auto"
) -> DetectRecipe:
    """A recipe for `pictures` training pictures, of which the network sees squares of `side` pixels.

    `pace`: share of the usual epochs. `timed`: a time was given (`--time`), and the engine plans as many epochs as fit.
    `network`: as `--net` names it.
    """
    batch = int(np.clip(PIXELS // side**2, SMALLEST_BATCH, LARGEST_BATCH))
    batch = max(2, min(batch, pictures // STEPS)) if pictures >= 2 else 1
    epochs = int(np.clip(PASSES * (128 / max(side, 96)) ** 2 / max(1, pictures), FEWEST, MOST))
    epochs = ANY if timed else max(1, round(epochs * pace))
    steps = epochs * max(1, pictures // batch)
    return DetectRecipe(
        network="anchor_free",
        epochs=epochs,
        batch=batch,
        optimizer="muon",
        learning_rate=OWN_RATE if network in ("auto", "anchor_free") else RATE,
        weight_decay=5e-4,
        average=round(float(np.clip(1 - 20 / steps, 0.5, 0.995)), 4),
        augment=Augment(flip=mirror, crop=0.6, expand=1.4, shift=0.1, colour=0.3),
    )
