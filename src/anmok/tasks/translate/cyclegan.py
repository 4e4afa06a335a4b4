"""CycleGAN's game (Zhu et al., ICCV 2017): two generators, two judges, and the demand that A → B → A arrives at A.

The paper's G: X → Y is `generator_ab` here, its F: Y → X `generator_ba`. One step passes three batches through each
generator: what is of its target domain already goes with what is to be translated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from anmok.core.task import Phase
from anmok.core.types import Batch
from anmok.losses.adversarial import ADVERSARIAL
from anmok.losses.reconstruction import absolute_error
from anmok.networks.cyclegan import CycleGAN
from anmok.tasks.adversarial import adam
from anmok.tasks.pool import Pool
from anmok.tasks.translate.playing import AB, BA, Normalise
from anmok.tasks.translate.recipe import TranslateRecipe


class CycleGame:
    """The two phases of a step, and the pools the judges are shown from.

    Args:
        network: who plays.
        recipe: the weights of the losses.
        normalise: uint8 (N, C, S, S) → about −1 to 1.
        seed: of the pools' choices.
    """

    def __init__(self, network: CycleGAN, recipe: TranslateRecipe, normalise: Normalise, seed: int = 0) -> None:
        self.network, self.recipe, self.normalise = network, recipe, normalise
        self.play = ADVERSARIAL[recipe.game]
        self.generators: Mapping[str, nn.Module] = {AB: network.generator_ab, BA: network.generator_ba}
        self.pools = {"a": Pool(recipe.pool, seed), "b": Pool(recipe.pool, seed + 1)}
        self._drawn: dict[str, Tensor] = {}  # by the generators' phase, for the judges' phase of the same step

    def phases(self) -> Sequence[Phase]:
        """Both generators, then both judges."""
        net, rate = self.network, self.recipe.learning_rate
        generators = {"generator_ab": net.generator_ab, "generator_ba": net.generator_ba}
        judges = {"discriminator_a": net.discriminator_a, "discriminator_b": net.discriminator_b}
        schedule = self.recipe.schedule
        return [
            Phase("generators", generators, adam(generators.values(), rate), self.translate, schedule),
            Phase("judges", judges, adam(judges.values(), rate), self.judge, schedule, averaged=False),
        ]

    def translate(self, batch: Batch) -> Mapping[str, Tensor]:
        """The paper's equation 3, and its identity loss (section 5.2). `pictures` are of A, `targets` of B."""
        net, play = self.network, self.play
        a, b = self.normalise(batch.pictures), self.normalise(batch.targets)
        fake_b, same_b = self._both(net.generator_ab, a, b)
        fake_a, same_a = self._both(net.generator_ba, b, a)
        self._drawn = {"a": fake_a.detach(), "b": fake_b.detach()}
        parts = {
            "game": play.generator(net.discriminator_b(fake_b)) + play.generator(net.discriminator_a(fake_a)),
            "cycle": absolute_error(net.generator_ba(fake_b), a) + absolute_error(net.generator_ab(fake_a), b),
        }
        loss = parts["game"] + self.recipe.cycle * parts["cycle"]
        if same_a is not None and same_b is not None:
            parts["identity"] = absolute_error(same_a, a) + absolute_error(same_b, b)
            loss = loss + self.recipe.cycle * self.recipe.identity * parts["identity"]
        return {"loss": loss, **parts}

    def _both(self, generator: nn.Module, x: Tensor, already: Tensor) -> tuple[Tensor, Tensor | None]:
        """Pictures translated, and those that are of the target domain already, where that costs something."""
        if not self.recipe.identity:
            return generator(x), None
        # Instance normalisation looks at each picture alone: one pass of both is two passes.
        translated, same = generator(torch.cat([x, already])).split([len(x), len(already)])
        return translated, same

    def judge(self, batch: Batch) -> Mapping[str, Tensor]:
        """Real pictures against translations, some of them earlier ones."""
        net = self.network
        a, b = self.normalise(batch.pictures), self.normalise(batch.targets)
        fake_a, fake_b = (self.pools[domain].swap(self._drawn[domain]) for domain in ("a", "b"))
        loss_a = self.play.discriminator(net.discriminator_a(a), net.discriminator_a(fake_a))
        loss_b = self.play.discriminator(net.discriminator_b(b), net.discriminator_b(fake_b))
        return {"loss": loss_a + loss_b, "a": loss_a, "b": loss_b}

    def state(self) -> Mapping[str, Any]:
        """Both pools."""
        return {name: pool.state() for name, pool in self.pools.items()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave, onto the device where the networks are."""
        device = next(self.network.parameters()).device
        for name, pool in self.pools.items():
            kept = state[name]
            pool.load_state({**kept, "pictures": [picture.to(device) for picture in kept["pictures"]]})
