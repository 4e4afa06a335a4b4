"""Translation: pictures of one domain become pictures of another, with pairs to learn from or without.

One stage whose phases are those of the network's game (`cyclegan`, `pix2pix`). The last weights ship: a game's losses
do not say when pictures are good. After each epoch the same few pictures are translated for the report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.modes import evaluating
from anmok.core.preparation import Preparation
from anmok.core.task import Batches, Plan, Stage
from anmok.engine.devices import Devices
from anmok.networks.cyclegan import CycleGAN
from anmok.networks.pix2pix import Pix2Pix
from anmok.tasks.generate.album import Album
from anmok.tasks.normalise import Normalise
from anmok.tasks.translate.cyclegan import CycleGame
from anmok.tasks.translate.pix2pix import PairGame
from anmok.tasks.translate.playing import AB, OTHER, Game
from anmok.tasks.translate.recipe import TranslateRecipe
from anmok.tasks.translate.sides import Side

AT_ONCE = 400_000  # pixels translated together where nothing is learned
SHOWN = 4  # pictures a way in the album


class Translate:
    """The task as the engine sees it (`anmok.core.task.Task`), and its answers.

    Args:
        network: `cyclegan` or `pix2pix`.
        preparation: what pictures go through before.
        devices: where to compute.
        recipe: how to train.
        domains: what A and B are called.
        train: batches of A with, as targets, partners or any pictures of B.
        watched: pictures whose translations are shown after each epoch.
        judged: they are validation pictures, so that their figures say something.
        seed: of the pools' choices.

    Attributes:
        way: "ab" or "ba": which way pictures are translated that nobody said anything about.
        album: what became of the same pictures, epoch after epoch.
    """

    name = "translate"
    classes: Sequence[str] = ()

    def __init__(
        self,
        network: nn.Module,
        preparation: Preparation,
        devices: Devices,
        recipe: TranslateRecipe,
        domains: Sequence[str],
        train: Batches | None = None,
        watched: Sequence[Side] = (),
        judged: bool = True,
        seed: int = 0,
    ) -> None:
        self.network, self.preparation, self.devices, self.recipe = network, preparation, devices, recipe
        self.domains, self.train, self.watched, self.judged = tuple(domains), train, watched, judged
        self._normalise = Normalise(preparation)
        self.game: Game = _game(network, recipe, self.normalise, seed)
        self.way = AB
        self.album = Album(each=SHOWN * len(self.game.generators))
        self._epochs = 0

    def networks(self) -> Mapping[str, nn.Module]:
        """All players."""
        return dict(self.network.named_children())

    def stages(self) -> Sequence[Plan]:
        """The game."""
        return [Plan("play", self._play)]

    def state(self) -> Mapping[str, Any]:
        """What the game remembers, and the album."""
        return {"game": dict(self.game.state()), "album": self.album.state(), "epochs": self._epochs}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.game.load_state(state["game"])
        self.album, self._epochs = Album.of(state["album"]), state["epochs"]
        self.album.each = SHOWN * len(self.game.generators)

    def _play(self) -> Stage:
        assert self.train is not None
        return Stage("play", self.train, self.game.phases(), self.recipe.epochs, evaluate=self.evaluate, monitor=None,
                     average=self.recipe.average)  # fmt: skip

    def normalise(self, pictures: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → about −1 to 1."""
        return self._normalise(pictures)

    def to_explain(self, x: Tensor, target: int | None) -> tuple[nn.Module, int | None]:
        """There are no classes to ask about."""
        raise UsageError("a network that translates scores no class", got=self.recipe.network,
                         allowed="a run of classification")  # fmt: skip

    @property
    def ways(self) -> Sequence[str]:
        """The ways it translates: "ab", and of CycleGAN "ba"."""
        return list(self.game.generators)

    def way_into(self, domain: str | None) -> str:
        """The way that leads into a domain, called by its name, or A or B; None: the model's own way.

        Raises:
            UsageError: no such domain, or the network does not translate into it.
        """
        if domain is None:
            return self.way
        names = [*(name.casefold() for name in self.domains), "a", "b"]
        if domain.casefold() not in names:
            raise UsageError("there is no such domain", got=f"--into {domain}", allowed=", ".join(self.domains))
        way = (OTHER[AB], AB)[names.index(domain.casefold()) % 2]
        if way not in self.game.generators:
            raise UsageError("this network translates one way only", got=f"--into {domain}", allowed=self.domains[1],
                             fix="train with --net cyclegan, which learns both")  # fmt: skip
        return way

    def told(self, way: str) -> str:
        """A way in words: "photograph → blueprint"."""
        first, second = self.domains if way == AB else self.domains[::-1]
        return f"{first} → {second}"

    @torch.no_grad()
    def translated(self, pixels: np.ndarray, way: str) -> np.ndarray:
        """Pictures uint8 (N, S, S, C) → of the other domain, likewise; in float32, whatever training computed in."""
        generator = self.game.generators[way]
        device = next(generator.parameters()).device
        at_once = max(1, AT_ONCE // self.preparation.size**2)
        found = []
        with self.judging():
            for start in range(0, len(pixels), at_once):
                part = torch.from_numpy(np.ascontiguousarray(pixels[start : start + at_once])).permute(0, 3, 1, 2)
                found.append(as_bytes(generator(self.normalise(part.to(device)))))
        return np.concatenate(found) if found else pixels

    def judging(self) -> AbstractContextManager[None]:
        """The network in evaluation mode."""
        return evaluating(self.network)

    def evaluate(self) -> Mapping[str, float]:
        """After an epoch: a page for the album; validation pictures against partners, and there and back."""
        self._epochs += 1
        figures, page = {}, []
        for side in self.watched:
            pictures, partners = side.pictures(), side.partners()
            there = self.translated(pictures, side.way)
            page.append(there[:SHOWN])
            if partners is not None:
                figures[f"val_error_{side.way}"] = difference(there, partners).mean()
            if OTHER[side.way] in self.game.generators:
                back = self.translated(there, OTHER[side.way])
                figures[f"val_cycle_{side.way}"] = difference(back, pictures).mean()
        if page:
            self.album.add(self._epochs, np.concatenate(page))
        return {name: float(value) for name, value in figures.items()} if self.judged else {}


def _game(network: nn.Module, recipe: TranslateRecipe, normalise: Any, seed: int) -> Game:
    if isinstance(network, CycleGAN):
        return CycleGame(network, recipe, normalise, seed)
    if isinstance(network, Pix2Pix):
        return PairGame(network, recipe, normalise)
    raise UsageError("this network knows no game of translation", got=type(network).__name__,
                     allowed="anmok.networks.cyclegan or pix2pix, of any width")  # fmt: skip


def as_bytes(pictures: Tensor) -> np.ndarray:
    """Pictures (N, C, H, W) in −1 to 1 → uint8 (N, H, W, C)."""
    scaled = (pictures.float() * 127.5 + 127.5).clamp(0, 255).round()
    return scaled.to(torch.uint8).movedim(1, 3).cpu().numpy()


def difference(pictures: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Mean absolute difference of intensities in [0, 1], of each picture (N,); both uint8 (N, S, S, C).

    >>> difference(np.full((1, 2, 2, 1), 51, np.uint8), np.zeros((1, 2, 2, 1), np.uint8))
    array([0.2])
    """
    apart = np.abs(pictures.astype(np.int16) - others.astype(np.int16))
    return apart.mean((1, 2, 3)) / 255
