"""How a network learns to generate, chosen from the data where the person did not choose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from anmok.core.preparation import Preparation
from anmok.data.augment import Augment
from anmok.tasks.recipe import Descent

PASSES = 400_000  # pictures seen in all, each as often as that takes …
FEWEST, MOST = 10, 500  # … but between so many epochs
STYLE = ("stylegan", "stylegan2")
DOUBLING = ("dcgan", *STYLE)  # whose pictures' side is a power of two
LARGEST, SMALLEST = 64, 8  # sides chosen unasked; smaller ones no doubling network draws
WASSERSTEIN = "wasserstein"
REMEMBERED = 10_000  # pictures after which the averaged generator has half forgotten, at most


@dataclass(frozen=True)
class GenerateRecipe(Descent):
    """How a network learns to generate.

    Args:
        loss: the game, `anmok.losses.adversarial.ADVERSARIAL` by name.
        latent: numbers in a code.
        conditional: pictures are drawn by class.
        rounds: steps of the discriminator for one of the generator.
        betas: of Adam.
        gradient_penalty: λ of WGAN-GP; 0: none.
        r1: γ of R1; 0: none.
        lazily: R1 runs every so many steps, weighed so many times as much.
        path_length: weight of StyleGAN2's penalty, every fourth step; 0: none.
        mixing: share of pictures drawn from the styles of two codes.
        progressive: pictures grow while the networks learn.
        features: by what pictures are judged, see `anmok.tasks.generate.yardstick`.
    """

    loss: str = "non-saturating"
    latent: int = 100
    conditional: bool = False
    rounds: int = 1
    betas: tuple[float, float] = (0.5, 0.999)
    gradient_penalty: float = 0.0
    r1: float = 0.0
    lazily: int = 1
    path_length: float = 0.0
    mixing: float = 0.0
    progressive: bool = False
    features: str = "imagenet"

    def arguments(self, preparation: Preparation, classes: int) -> dict[str, Any]:
        """The network's own keywords, for pictures of this size."""
        found: dict[str, Any] = {"num_classes": classes if self.conditional else 0, "in_channels": preparation.channels}
        found |= {"input_size": preparation.size, "latent": self.latent}
        if self.network == "dcgan" and self.gradient_penalty:
            found["critic"] = True
        if self.network in STYLE:
            # A quarter of the published widths: a processor's share of what was made for eight graphics cards.
            found |= {"base": 64 * preparation.size, "widest": 256}
        if self.network == "stylegan":
            found["progressive"] = self.progressive
        return found

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> GenerateRecipe:
        """The inverse of `to_json`."""
        return replace(super().from_json(values), betas=tuple(values["betas"]))


def choose_recipe(pictures: int, size: int, network: str, chosen: Mapping[str, Any]) -> GenerateRecipe:
    """A recipe for `pictures` training pictures of `size` pixels.

    `chosen`: what the person said, by the recipe's own names; what follows from the network and the game fits itself
    to it. DCGAN's rates are its paper's, StyleGAN's those of its second form's published code.
    """
    style = network in STYLE
    batch = max(2, min(chosen.get("batch") or (32 if style else 64), pictures))
    epochs = chosen.get("epochs") or int(np.clip(PASSES / max(1, pictures), FEWEST, MOST))
    recipe = GenerateRecipe(
        network=network,
        epochs=epochs,
        batch=batch,
        optimizer="adam",
        learning_rate=2e-3 if style else 2e-4,
        weight_decay=0.0,
        warmup=0.0,
        average=_decay(batch, min(REMEMBERED, 0.05 * epochs * pictures)),
        augment=Augment(),
        latent=256 if style else 100,
        betas=(0.0, 0.99) if style else (0.5, 0.999),
        mixing=0.9 if style else 0.0,
        r1=round(0.0002 * size**2 / batch, 6) if style else 0.0,
        lazily=16 if network == "stylegan2" else 1,
        path_length=2.0 if network == "stylegan2" else 0.0,
    ).but(**chosen)
    if recipe.loss == WASSERSTEIN:  # the rates of Gulrajani et al., 2017, algorithm 1
        rate = recipe.learning_rate if "learning_rate" in chosen else 1e-4
        recipe = replace(recipe, gradient_penalty=10.0, rounds=5, betas=(0.0, 0.9), learning_rate=rate)
    return recipe


def _decay(batch: int, half_life: float) -> float:
    """Of a moving average that has half forgotten after so many pictures."""
    return round(float(np.clip(0.5 ** (batch / max(half_life, 1.0)), 0.5, 0.9999)), 6)
