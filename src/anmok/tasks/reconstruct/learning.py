"""Reconstruction: a picture in, the same picture out, whole again where it was damaged.

One stage of one phase. An autoencoder descends the squared error, a variational one −ELBO; both are judged after each
epoch by their loss on the validation split, damaged always alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.modes import evaluating
from anmok.core.preparation import Preparation
from anmok.core.strangeness import Threshold
from anmok.core.task import Batches, Phase, Plan, Solve, Stage
from anmok.core.types import Batch
from anmok.engine.devices import Devices
from anmok.losses import LOSSES
from anmok.losses.evidence import kl_divergence, negative_evidence
from anmok.metrics.psnr import psnr
from anmok.tasks.normalise import Normalise
from anmok.tasks.optimizers import build_optimizer, one_cycle
from anmok.tasks.reconstruct.recipe import EVIDENCE, ReconstructRecipe

DRAWN_FROM = 20131220  # the seed of the draws with which a VAE is judged: the same every time
BEST = 100.0  # dB; pictures equal to the last bit would be infinitely good


class Novelty(Protocol):
    """One way of judging how strange a picture is (`anmok.tasks.reconstruct.novelty`); a module where it remembers."""

    def judge(self, model: Reconstruct, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Intensities (N, C, S, S) → strangeness (N,), and where it lies (N, S, S), where that is known."""

    def learn(self, model: Reconstruct, batches: Iterable[Batch]) -> Mapping[str, float]:
        """Remember what training pictures are like; figures for the log."""


class Reconstruct:
    """The task as the engine sees it (`anmok.core.task.Task`), and its answers.

    Args:
        network: intensities in [0, 1] (N, C, S, S) → the same shape, see `anmok.networks._reconstruct`.
        preparation: what pictures go through before.
        devices: where to compute.
        recipe: what the output means; and how to train.
        train, val: batches whose targets are the pictures to come out, None where they are those that go in.

        known: training pictures as they are, in order, for what is remembered of them.

    Attributes:
        novelty: what judges how strange a picture is; None: nothing.
        threshold: where strange begins; None until it was chosen.
    """

    name = "reconstruct"
    classes: Sequence[str] = ()

    def __init__(
        self,
        network: nn.Module,
        preparation: Preparation,
        devices: Devices,
        recipe: ReconstructRecipe,
        train: Batches | None = None,
        val: Batches | None = None,
        known: Batches | None = None,
    ) -> None:
        self.network, self.preparation, self.devices, self.recipe = network, preparation, devices, recipe
        self.train, self.val, self.known = train, val, known
        self.variational = recipe.loss == EVIDENCE
        self._normalise = Normalise(preparation)
        self.novelty: Novelty | None = None
        self.threshold: Threshold | None = None

    def networks(self) -> Mapping[str, nn.Module]:
        """The one that reconstructs; and what remembers training pictures, where something does."""
        remembers: dict[str, nn.Module] = {"novelty": self.novelty} if isinstance(self.novelty, nn.Module) else {}
        return {"network": self.network, **remembers}

    def stages(self) -> Sequence[Plan]:
        """Descent; then training pictures are remembered, where strangeness is judged by that."""
        remember = [Plan("remember", lambda: Solve("remember", self._remember))]
        remember = remember if isinstance(self.novelty, nn.Module) else []
        return [Plan("fit", self._fit), *remember]

    def state(self) -> Mapping[str, Any]:
        """Nothing beside weights and optimizer."""
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Nothing to take back."""

    def _fit(self) -> Stage:
        assert self.train is not None
        optimizer, schedule = build_optimizer(self.network, self.recipe), one_cycle(self.recipe.warmup)
        judged = self.val is not None
        return Stage(
            "fit",
            self.train,
            [Phase("reconstruct", {"network": self.network}, optimizer, self.loss, schedule=schedule)],
            self.recipe.epochs,
            evaluate=self.evaluate if judged else None,
            monitor="val_loss" if judged else "loss",
            mode="min",
            patience=self.recipe.patience,
            average=self.recipe.average,
        )

    def _remember(self) -> Mapping[str, float]:
        assert self.known is not None and self.novelty is not None
        return self.novelty.learn(self, self.known.epoch(0))

    def normalise(self, pictures: Tensor) -> Tensor:
        """uint8 (N, C, H, W) → intensities in [0, 1]."""
        return self._normalise(pictures)

    def to_explain(self, x: Tensor, target: int | None) -> tuple[nn.Module, int | None]:
        """There are no classes to ask about."""
        raise UsageError("a network that reconstructs scores no class", got=self.recipe.network,
                         allowed="a run of classification")  # fmt: skip

    def loss(self, batch: Batch) -> Mapping[str, Tensor]:
        """The recipe's loss; of a VAE also its KL term, nats a picture."""
        x = self.normalise(batch.pictures)
        target = x if batch.targets is None else self.normalise(batch.targets)
        if not self.variational:
            return {"loss": LOSSES[self.recipe.loss](self.network(x), target)}
        logits, mean, logvar = self.network(x)
        loss = negative_evidence(logits, target, mean, logvar, self.recipe.beta)
        return {"loss": loss, "kl": kl_divergence(mean, logvar).mean()}

    @torch.no_grad()
    def reconstruct(self, x: Tensor) -> Tensor:
        """Intensities (N, C, S, S) → as many, in [0, 1]; in float32, whatever training computed in."""
        out = self.network(x).float()
        return out.sigmoid() if self.variational else out.clamp(0, 1)

    @torch.no_grad()
    def codes(self, x: Tensor) -> Tensor:
        """Intensities (N, C, S, S) → one vector a picture (N, D)."""
        return torch.flatten(self.network.encode(x), 1).float()  # type: ignore[operator]

    def code_length(self) -> int:
        """Numbers in a code."""
        channels, size = self.preparation.channels, self.preparation.size
        device = next(self.network.parameters()).device
        with self.judging():
            return self.codes(torch.zeros(1, channels, size, size, device=device)).shape[1]

    @torch.no_grad()
    def decoded(self, codes: Tensor) -> Tensor:
        """Codes as `network.encode` gives them → intensities (N, C, S, S) in [0, 1]."""
        out = self.network.decode(codes).float()  # type: ignore[operator]
        return out.sigmoid() if self.variational else out.clamp(0, 1)

    @torch.no_grad()
    def evidence(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Of a VAE: logits from a draw of each posterior, mean and log variance. Always the same draws."""
        mean, logvar = self.network.posterior(x)  # type: ignore[operator]
        noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(DRAWN_FROM)).to(mean)
        return self.network.decode(mean + (0.5 * logvar).exp() * noise), mean, logvar  # type: ignore[operator]

    def judging(self) -> AbstractContextManager[None]:
        """The network in evaluation mode."""
        return evaluating(self.network)

    def asked(self, batches: Iterable[Batch]) -> Iterator[tuple[Batch, Tensor, Tensor]]:
        """Each batch with its input and target (`ready`), the network in evaluation mode meanwhile."""
        with self.judging():
            for batch in batches:
                yield batch, *self.ready(batch)

    def ready(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """What goes in and what should come out, as intensities, on the device."""
        moved = self.devices.move(batch)
        x = self.normalise(moved.pictures)
        return x, x if moved.targets is None else self.normalise(moved.targets)

    @torch.no_grad()
    def evaluate(self) -> Mapping[str, float]:
        """The loss, undisturbed by averages over batches, and the mean PSNR in dB."""
        assert self.val is not None
        losses, ratios = [], []
        for _, x, target in self.asked(self.val.epoch(0)):
            if self.variational:
                value = negative_evidence(*self._parts(x, target), self.recipe.beta)
            else:
                value = LOSSES[self.recipe.loss](self.network(x), target)
            losses += [value.item()] * len(x)
            ratios.append(decibels(self.reconstruct(x), target))
        found = np.concatenate(ratios)
        return {"val_loss": float(np.mean(losses)), "val_psnr": float(found.mean())}

    def _parts(self, x: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        logits, mean, logvar = self.evidence(x, target)
        return logits, target, mean, logvar


def arrays(pictures: Tensor) -> np.ndarray:
    """Intensities (N, C, H, W) → NumPy (N, H, W, C), nothing outside [0, 1]."""
    return pictures.float().clamp(0, 1).movedim(1, 3).cpu().numpy()


def decibels(pictures: Tensor, targets: Tensor) -> np.ndarray:
    """Peak signal-to-noise ratio of each picture (N,), at most `BEST`; NaN where the network gave no numbers."""
    finite = pictures.isfinite().flatten(1).all(1).cpu().numpy()
    found = np.full(len(pictures), np.nan)
    if finite.any():
        found[finite] = np.minimum(psnr(arrays(pictures)[finite], arrays(targets)[finite]), BEST)
    return found
