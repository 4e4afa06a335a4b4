"""Generation: a generator that draws pictures, trained against a discriminator that tells drawn from real.

One stage. At every step the generator moves first, the discriminator then judges the same drawn pictures beside real
ones: one drawing serves both. Penalties are phases of their own, some of them lazy. Only the generator is averaged,
and after each epoch it is looked at (`anmok.tasks.generate.health`), which decides what is best.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.codes import codes_of
from anmok.core.errors import UsageError
from anmok.core.modes import evaluating
from anmok.core.preparation import Preparation
from anmok.core.seeds import numpy_generator
from anmok.core.task import Phase, Plan, Stage
from anmok.core.types import Batch
from anmok.data.picture_loaders import PictureLoader
from anmok.engine.devices import Devices
from anmok.losses.adversarial import ADVERSARIAL
from anmok.losses.penalties import gradient_penalty, path_length, path_length_penalty, r1_penalty
from anmok.networks._generate import Adversarial
from anmok.networks._stylegan import StyleGenerator, mix_styles
from anmok.tasks.adversarial import adam, in_float32
from anmok.tasks.generate.album import Album
from anmok.tasks.generate.drawing import OfFirstClass, draw_many, draw_one_by_one, measure_batch_statistics
from anmok.tasks.generate.growing import growth, seen_at
from anmok.tasks.generate.health import DRAWN, FEWEST_DRAWN, Alarms, Judged, Known, look
from anmok.tasks.generate.recipe import GenerateRecipe
from anmok.tasks.generate.yardstick import Yardstick
from anmok.tasks.normalise import Normalise

A_RUN = 100_000  # pictures shown in a run that deserves the name
PATH_EVERY = 4  # steps between two of StyleGAN2's path length penalty


class Generate:
    """The task as the engine sees it (`anmok.core.task.Task`), and its pictures.

    Args:
        net: generator and discriminator, see `anmok.networks._generate`.
        preparation: what real pictures go through before.
        devices: where to compute.
        recipe: how to train.
        classes: names, where pictures are drawn by class.
        frequent: how many training pictures each class has.
        train: batches of real pictures; `targets`: the class of each picture by its id.

    Attributes:
        judged, known: what drawn pictures are compared with after each epoch.
        alarms, album: what was noticed, and what was drawn meanwhile.
    """

    name = "generate"

    def __init__(
        self,
        net: Adversarial,
        preparation: Preparation,
        devices: Devices,
        recipe: GenerateRecipe,
        classes: Sequence[str] = (),
        frequent: Sequence[int] = (),
        train: PictureLoader | None = None,
        targets: Mapping[str, int] | None = None,
    ) -> None:
        self.net, self.preparation, self.devices, self.recipe = net, preparation, devices, recipe
        self.classes, self.frequent, self.train, self.targets = tuple(classes), tuple(frequent), train, targets or {}
        self.yardstick = Yardstick(recipe.features)
        self.judged: Judged | None = None
        self.known: Known | None = None
        self.alarms, self.album = Alarms(), Album()
        self._play, self._normalise = ADVERSARIAL[recipe.loss], Normalise(preparation)
        self._path_mean = torch.zeros(())
        self._shown = self._looks = 0
        self._fakes: Tensor | None = None  # drawn by the generator's phase for the discriminator's, never kept longer

    @property
    def network(self) -> nn.Module:
        """What answers: the generator."""
        return self.net.generator

    @property
    def device(self) -> torch.device:
        """Where the generator is."""
        return next(self.network.parameters()).device

    @property
    def styled(self) -> bool:
        """Whether pictures have styles to be mixed and cut short."""
        return isinstance(self.network, StyleGenerator)

    @property
    def latent(self) -> int:
        """Numbers in a code."""
        return self.recipe.latent

    def networks(self) -> Mapping[str, nn.Module]:
        """Both players, and the scale by which pictures are judged."""
        return {"generator": self.net.generator, "discriminator": self.net.discriminator, "yardstick": self.yardstick}

    def stages(self) -> Sequence[Plan]:
        """One: the game."""
        return [Plan("play", self._stage)]

    def state(self) -> Mapping[str, Any]:
        """Running means, counts, what was noticed and drawn."""
        return {"path_mean": self._path_mean, "shown": self._shown, "looks": self._looks,
                "alarms": self.alarms.to_json(), "album": self.album.state()}  # fmt: skip

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self._path_mean, self._shown, self._looks = state["path_mean"], state["shown"], state["looks"]
        self.alarms, self.album = Alarms(**state["alarms"]), Album.of(state["album"])

    def _stage(self) -> Stage:
        assert self.train is not None
        recipe, generator, discriminator = self.recipe, self.net.generator, self.net.discriminator
        rate, eps = recipe.learning_rate, 1e-8
        lazy, path = recipe.lazily if recipe.r1 else 1, PATH_EVERY if recipe.path_length else 1
        of_g = adam(generator, rate, recipe.betas, path, eps)
        of_d = adam(discriminator, rate, recipe.betas, lazy, eps)
        g, d = {"generator": generator}, {"discriminator": discriminator}
        phases = [
            Phase("generator", g, of_g, self._generator_loss, every=recipe.rounds),
            Phase("discriminator", d, of_d, self._discriminator_loss, averaged=False),
        ]
        if recipe.r1:
            phases.append(Phase("r1", d, of_d, self._r1_loss, every=lazy, averaged=False))
        if recipe.path_length and self.styled:
            phases.append(Phase("path", g, of_g, self._path_loss, every=path))
        return Stage(
            "play",
            self.train,
            phases,
            recipe.epochs,
            evaluate=self.evaluate,
            monitor="kernel_distance",
            patience=recipe.patience,
            average=recipe.average,
        )

    # The game

    def _generator_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        labels = self.labels(batch)
        fake = self._drawn(len(batch), labels)
        self._fakes = fake.detach()
        return {"loss": self._play.generator(self._verdict(fake, labels))}

    def _discriminator_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        labels, real = self.labels(batch), self._real(batch)
        fake, self._fakes = self._fakes, None
        if fake is None:  # the generator moves only every so many steps
            with torch.no_grad():
                fake = self._drawn(len(batch), labels)
        of_real, of_fake = self._verdict(real, labels), self._verdict(fake, labels)
        self._shown += len(batch)
        loss = self._play.discriminator(of_real, of_fake)
        if self.recipe.gradient_penalty:
            with in_float32(self.device):
                judge = partial(self._verdict, labels=labels)
                loss = loss + gradient_penalty(judge, real.float(), fake.float(), self.recipe.gradient_penalty)
        return {"loss": loss, "real": of_real.float().mean(), "drawn": of_fake.float().mean()}

    def _r1_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        with in_float32(self.device):
            judge = partial(self._verdict, labels=self.labels(batch))
            return {"loss": self.recipe.lazily * r1_penalty(judge, self._real(batch), self.recipe.r1)}

    def _path_loss(self, batch: Batch) -> Mapping[str, Tensor]:
        """On half a batch, as published."""
        labels = self.labels(batch)
        count = max(1, len(batch) // 2)
        with in_float32(self.device):
            styles = self.network.styles(self._codes(count), None if labels is None else labels[:count])  # type: ignore[operator]
            lengths = path_length(self.network.synthesis(styles), styles)  # type: ignore[operator]
            penalty, mean = path_length_penalty(lengths, self._path_mean.to(lengths))
        self._path_mean = mean.detach()
        return {"loss": self.recipe.path_length * PATH_EVERY * penalty, "length": lengths.detach().mean()}

    def labels(self, batch: Batch) -> Tensor | None:
        """The classes of a batch's pictures (N,), where pictures are drawn by class."""
        if not self.recipe.conditional:
            return None
        return torch.tensor([self.targets[name] for name in batch.ids], device=self.device)

    def _codes(self, count: int) -> Tensor:
        return torch.randn(count, self.recipe.latent, device=self.device)

    def _drawn(self, count: int, labels: Tensor | None) -> Tensor:
        size = self._growth()
        more = {} if size is None else {"growth": size}
        if not (self.styled and self.recipe.mixing):
            return self.network(self._codes(count), labels, **more)
        own, other = (self.network.styles(self._codes(count), labels) for _ in range(2))  # type: ignore[operator]
        layers = own.shape[1]
        crossover = torch.randint(1, layers, (count,), device=own.device)
        whole = torch.rand(count, device=own.device) >= self.recipe.mixing
        styles = mix_styles(own, other, torch.where(whole, layers, crossover))
        return self.network.synthesis(styles, *more.values())  # type: ignore[operator]

    def _verdict(self, pictures: Tensor, labels: Tensor | None) -> Tensor:
        size = self._growth()
        return self.net.discriminator(pictures, labels, **({} if size is None else {"growth": size}))

    def _real(self, batch: Batch) -> Tensor:
        x, size = self.normalise(batch.pictures), self._growth()
        return x if size is None else seen_at(x, size)

    def _growth(self) -> float | None:
        """Doublings of 4×4 so far; None: not growing."""
        if not self.recipe.progressive:
            return None
        assert self.train is not None
        planned = self.recipe.epochs * max(1, len(self.train) * self.train.batch_size)
        return growth(self._shown / planned, self.preparation.size)

    # What is asked of it

    def normalise(self, pictures: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → −1 to 1."""
        return self._normalise(pictures)

    def pictures(self, z: Tensor, labels: Tensor | None, truncation: float = 1.0) -> Tensor:
        """Codes (N, latent) → pictures (N, C, S, S), about −1 to 1.

        `truncation` below 1 gives up variety for likeliness: styles are drawn to their mean; else codes to 0.
        """
        if self.styled:
            return self.network(z, labels, truncation=truncation)
        return self.network(z * truncation if truncation != 1 else z, labels)

    def usual_classes(self, count: int) -> np.ndarray | None:
        """Classes of so many pictures, as frequent as in training, int64 (count,)."""
        if not self.recipe.conditional:
            return None
        weights = np.array(self.frequent or [1] * len(self.classes), float)
        return numpy_generator(0, "usual classes").choice(len(weights), count, p=weights / weights.sum())

    def draw(self, codes: np.ndarray, labels: np.ndarray | None, truncation: float = 1.0) -> np.ndarray:
        """See `anmok.core.codes.Canvas`."""
        return draw_one_by_one(self, codes, labels, truncation)

    def to_inspect(self) -> tuple[nn.Module, tuple[int, ...]]:
        """The generator as a network of codes alone, and the shape of one."""
        return (OfFirstClass(self.network) if self.recipe.conditional else self.network), (self.latent,)

    def to_explain(self, x: Tensor, target: int | None) -> tuple[nn.Module, int | None]:
        """There are no classes to ask about."""
        raise UsageError("a network that generates scores no class", got=self.recipe.network,
                         allowed="a run of classification")  # fmt: skip

    def judging(self) -> AbstractContextManager[None]:
        """The generator in evaluation mode."""
        return evaluating(self.network)

    def evaluate(self) -> Mapping[str, float]:
        """A look at what the averaged generator draws; alarms are raised as warnings, once each."""
        assert self.judged is not None and self.train is not None
        self._looks += 1
        measure_batch_statistics(self)
        drawn, _ = draw_many(self, int(np.clip(len(self.train.rows), FEWEST_DRAWN, DRAWN)))
        found = look(self.yardstick(drawn, self.devices), self.judged, self.known)
        progress = max(self._looks / self.recipe.epochs, self._shown / A_RUN)  # of a time budget, epochs tell nothing
        for sentence in self.alarms.watch(found, self.known, self._looks, progress):
            warnings.warn(sentence, stacklevel=2)
        self.album.add(self._looks, self.same_seeds(self.album.each))
        return {name: figure.value for name, figure in found.figures.items()}

    def same_seeds(self, count: int) -> np.ndarray:
        """The pictures of seeds 0 to `count` − 1, of one class after the other where there are classes."""
        seeds = range(count)
        labels = np.arange(count) % len(self.classes) if self.recipe.conditional else None
        return self.draw(codes_of(seeds, self.latent), labels)
