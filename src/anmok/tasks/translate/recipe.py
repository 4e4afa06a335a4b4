"""How a network learns to translate, chosen from the data where the person did not choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from anmok.core.preparation import Preparation
from anmok.data.augment import Augment
from anmok.tasks.recipe import Descent

CYCLEGAN, PIX2PIX = "cyclegan", "pix2pix"
WHOLE = 128  # pixels from which on a network has its paper's width, and its judge sees patches of 70 pixels
LARGE = 256  # pixels from which on CycleGAN has nine residual blocks instead of six
NARROW = 16  # channels of the first convolution for smaller pictures: an afternoon's work becomes a coffee's
PASSES = {False: 4_000, True: 200_000}  # pictures seen in all: small ones; large ones, as both papers'
FEWEST, MOST = 5, 200  # epochs


@dataclass(frozen=True)
class TranslateRecipe(Descent):
    """How a network learns to translate.

    Args:
        game: `anmok.losses.adversarial.ADVERSARIAL` by name.
        cycle: λ, what a picture that comes back changed costs (CycleGAN).
        identity: what changing a picture that is of the target domain already costs, a share of `cycle`; 0: nothing.
        likeness: λ of the absolute error against the partner (pix2pix).
        pool: earlier translations that the judges are shown among new ones.
        width: channels of the first convolution.
        blocks: residual blocks of CycleGAN's generators.
        layers: halvings of the judges; three see patches of 70 pixels, two of 34.
        constant: share of all steps after which the rate falls to zero linearly.
    """

    game: str = "least-squares"
    cycle: float = 10.0
    identity: float = 0.5
    likeness: float = 100.0
    pool: int = 50
    width: int = 64
    blocks: int = 9
    layers: int = 3
    constant: float = 0.5

    def arguments(self, preparation: Preparation) -> dict[str, Any]:
        """The network's own keywords, for pictures of this size."""
        found: dict[str, Any] = {"in_channels": preparation.channels, "width": self.width, "layers": self.layers}
        if self.network == PIX2PIX:
            return found | {"input_size": power_of_two(preparation.size)}
        return found | {"blocks": self.blocks}

    def schedule(self, progress: float) -> float:
        """Progress in [0, 1] → factor on the learning rate: 1, then linearly down to 0, as both papers'.

        >>> recipe = TranslateRecipe("cyclegan", epochs=200, batch=1)
        >>> recipe.schedule(0.25), recipe.schedule(0.75), recipe.schedule(1.0)
        (1.0, 0.5, 0.0)
        """
        return min(1.0, (1 - progress) / (1 - self.constant))


def power_of_two(size: int) -> int:
    """The side of the U-Net's pictures: the largest power of two up to `size`, at most 256, its paper's.

    >>> power_of_two(64), power_of_two(100), power_of_two(300)
    (64, 64, 256)
    """
    return min(256, 2 ** (size.bit_length() - 1))


def choose_recipe(pictures: int, size: int, network: str, chosen: Mapping[str, Any]) -> TranslateRecipe:
    """A recipe for `pictures` training pictures (of the larger domain) of `size` pixels.

    From `WHOLE` pixels on it is the paper's, which takes a graphics card. Smaller pictures get a narrower network,
    larger batches and a higher rate, and are done in minutes. `chosen`: what the person said of this task's own fields.
    """
    whole, pix2pix = size >= WHOLE, network == PIX2PIX
    epochs = int(np.clip(PASSES[whole] / max(1, pictures), FEWEST, MOST))
    return TranslateRecipe(
        network=network,
        epochs=epochs,
        batch=1 if whole else min(4, pictures),
        optimizer="adam",
        learning_rate=2e-4 if whole else 5e-4,
        weight_decay=0.0,
        warmup=0.0,
        average=None if whole else 0.98,
        augment=Augment(flip=True, crop=0.9 if whole else 1.0),
        game="non-saturating" if pix2pix else "least-squares",
        pool=0 if pix2pix else 50,
        width=64 if whole else NARROW,
        blocks=9 if size >= LARGE else 6,
        layers=3 if whole else 2,
    ).but(**chosen)
