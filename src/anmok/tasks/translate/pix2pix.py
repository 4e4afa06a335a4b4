"""pix2pix's game (Isola et al., CVPR 2017): a generator that must be near its pair's second picture and deceive a judge
who sees both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import Tensor, nn

from anmok.core.task import Phase
from anmok.core.types import Batch
from anmok.losses.adversarial import ADVERSARIAL
from anmok.losses.reconstruction import absolute_error
from anmok.networks.pix2pix import Pix2Pix
from anmok.tasks.adversarial import adam
from anmok.tasks.translate.playing import AB, Normalise
from anmok.tasks.translate.recipe import TranslateRecipe


class PairGame:
    """The two phases of a step. It remembers nothing.

    Args:
        network: who plays.
        recipe: the weights of the losses.
        normalise: uint8 (N, C, S, S) → about −1 to 1.
    """

    def __init__(self, network: Pix2Pix, recipe: TranslateRecipe, normalise: Normalise) -> None:
        self.network, self.recipe, self.normalise = network, recipe, normalise
        self.play = ADVERSARIAL[recipe.game]
        self.generators: Mapping[str, nn.Module] = {AB: network.generator}
        self._drawn: Tensor | None = None  # by the generator's phase, for the judge's phase of the same step

    def phases(self) -> Sequence[Phase]:
        """The generator, then its judge."""
        net, rate, schedule = self.network, self.recipe.learning_rate, self.recipe.schedule
        return [
            Phase("generator", {"generator": net.generator}, adam(net.generator, rate), self.translate, schedule),
            Phase(
                "judge",
                {"discriminator": net.discriminator},
                adam(net.discriminator, rate),
                self.judge,
                schedule,
                averaged=False,
            ),
        ]

    def translate(self, batch: Batch) -> Mapping[str, Tensor]:
        """The paper's equation 4: `pictures` are to become `targets`."""
        x, y = self.normalise(batch.pictures), self.normalise(batch.targets)
        fake = self.network.generator(x)
        self._drawn = fake.detach()
        parts = {"game": self.play.generator(self.network.judge(x, fake)), "error": absolute_error(fake, y)}
        return {"loss": parts["game"] + self.recipe.likeness * parts["error"], **parts}

    def judge(self, batch: Batch) -> Mapping[str, Tensor]:
        """True pairs against pairs with a drawn picture; halved, as the paper slows its judge down."""
        assert self._drawn is not None
        x, y = self.normalise(batch.pictures), self.normalise(batch.targets)
        return {"loss": self.play.discriminator(self.network.judge(x, y), self.network.judge(x, self._drawn)) / 2}

    def state(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""
