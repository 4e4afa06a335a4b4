"""How a segmentation is trained, chosen from the data where the person did not choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anmok.data.augment import Augment
from anmok.tasks.recipe import Descent

PASSES = 12_000  # pictures of 256 × 256 pixels, so many times seen in all: what a network from scratch needs
FEWEST, MOST = 10, 200  # epochs
PIXELS = 32 * 96 * 96  # a step's batch holds about so many …
SMALLEST_BATCH, LARGEST_BATCH = 4, 32  # … but between so many pictures
STEPS = 10  # an epoch of fewer would end before the batch statistics of a small data set say anything


@dataclass(frozen=True)
class SegmentRecipe(Descent):
    """How a segmentation is trained.

    Args:
        loss: a sum such as "cross_entropy + dice", see `anmok.losses.weighted_sum`.
        border_weight: U-Net's w0, what pixels in narrow gaps between objects weigh more; 0: nothing.
        balance: "weights" makes rare classes count more in the losses, "none" leaves all alike.
    """

    loss: str = "cross_entropy + dice"
    border_weight: float = 0.0
    balance: str = "none"


def choose_recipe(pictures: int, side: int, mirror: bool) -> SegmentRecipe:
    """A recipe for `pictures` training pictures, of which the network sees squares of `side` pixels."""
    batch = int(np.clip(PIXELS // side**2, SMALLEST_BATCH, LARGEST_BATCH))
    batch = max(2, min(batch, pictures // STEPS)) if pictures >= 2 else 1
    epochs = int(np.clip(PASSES * (256 / max(side, 96)) ** 2 / max(1, pictures), FEWEST, MOST))
    steps = epochs * max(1, pictures // batch)
    return SegmentRecipe(
        network="unet",
        epochs=epochs,
        batch=batch,
        learning_rate=0.02,
        average=round(float(np.clip(1 - 20 / steps, 0.5, 0.99)), 4),
        mirror=mirror,
        augment=Augment(flip=mirror),
    )
