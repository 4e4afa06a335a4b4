"""How a segmentation is trained, chosen from the data where the person did not choose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from anmok.data.augment import Augment
from anmok.tasks.recipe import Descent

STEPS = 1500  # of the optimizer; measured on bundled scenes, gains after that are small
FEWEST, MOST = 10, 300  # epochs
CALM = 8  # epochs; pictures seen less often than that are new enough as they are
PIXELS = 8 * 128 * 128  # a step's batch holds about so many …
SMALLEST_BATCH, LARGEST_BATCH = 2, 16  # … but between so many pictures: many small steps teach more than few large ones


@dataclass(frozen=True)
class SegmentRecipe(Descent):
    """How a segmentation is trained.

    Args:
        loss: a sum such as "cross_entropy + dice", see `anmok.losses.weighted_sum`.
        border_weight: U-Net's w0, what pixels in narrow gaps between objects weigh more; 0: nothing.
        seams: learn a class of its own for the seams between touching objects, see `anmok.tasks.segment.instances`.
        balance: "weights" makes rare classes count more in the losses, "none" leaves all alike.
        pretrained: the published weights that the encoder starts from, such as "imagenet"; None: from nothing.
        encoder_pace: the encoder's learning rate as a share of the rest's, where it is pretrained.
        calm: so many first epochs pictures are mirrored at most; turned, cut and recoloured after that.
    """

    loss: str = "cross_entropy + dice"
    border_weight: float = 0.0
    seams: bool = False
    balance: str = "none"
    pretrained: str | None = None
    encoder_pace: float = 0.1
    calm: int = 0

    @property
    def needs_objects(self) -> bool:
        """Whether batches must say which object a pixel belongs to."""
        return self.seams or self.border_weight > 0

    def outputs(self, classes: int) -> int:
        """How many scores a pixel gets: one a class, and one for seams."""
        return classes + self.seams


def choose_recipe(pictures: int, side: int, mirror: bool, start: tuple[str, str] | None = None) -> SegmentRecipe:
    """A recipe for `pictures` training pictures, of which the network sees squares of `side` pixels.

    `start`: the network and the published weights that its encoder starts from; None: from nothing.
    """
    batch = int(np.clip(PIXELS // side**2, SMALLEST_BATCH, LARGEST_BATCH))
    batch = max(1, min(batch, pictures // 2))
    epochs = int(np.clip(STEPS * batch / max(1, pictures), FEWEST, MOST))
    steps = epochs * max(1, pictures // batch)
    network, weights = start or ("unet", None)
    return SegmentRecipe(
        network=network,
        epochs=epochs,
        batch=batch,
        learning_rate=0.04,
        average=round(float(np.clip(1 - 20 / steps, 0.5, 0.99)), 4),
        mirror=mirror,
        augment=Augment(flip=mirror, crop=0.8, rotate=10.0, colour=0.1),
        calm=CALM,
        pretrained=weights,
    )
