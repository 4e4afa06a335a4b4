"""How strange is a picture to a run that learned from usual ones only? Three ways; none ever saw a strange one.

reconstruction   what the network cannot repeat, it has not seen: the squared error, drawn where it lies
code             how far the picture's code lies from those of training, in their own spread (Mahalanobis)
patches          how far each patch lies from every patch of training, in a pretrained network's eyes (`memory`)
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.errors import unknown_name
from anmok.core.types import Batch
from anmok.tasks.reconstruct.learning import Novelty, Reconstruct
from anmok.tasks.reconstruct.memory import PatchMemory, drawn_to_size, remembered_patches
from anmok.tasks.reconstruct.spread import widest

DIRECTIONS = 32  # of the codes' spread, at most
WAYS = ("reconstruction", "code", "patches")


class ByReconstruction:
    """The mean squared error, and the error at each pixel, smoothed."""

    def judge(self, model: Reconstruct, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Strangeness and heat."""
        error = (model.reconstruct(x) - x).square().mean(1)
        return error.mean((1, 2)), drawn_to_size(error[:, None], x.shape[2])[:, 0]

    def learn(self, model: Reconstruct, batches: Iterable[Batch]) -> Mapping[str, float]:
        """Nothing: the network itself remembers."""
        return {}


class ByCode(nn.Module):
    """Squared distance from the mean code, each direction in units of its own variance; (N,).

    The `directions` widest of training are kept; what lies outside them counts in units of what lies there in training.
    """

    mean: Tensor
    basis: Tensor
    variance: Tensor
    rest: Tensor

    def __init__(self, length: int, directions: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(length))
        self.register_buffer("basis", torch.zeros(min(directions, length), length))
        self.register_buffer("variance", torch.ones(min(directions, length)))
        self.register_buffer("rest", torch.ones(()))

    def fit(self, codes: np.ndarray) -> None:
        """Learn mean and spread of codes (n, length)."""
        found = widest(codes, len(self.basis))
        left = max(1, codes.shape[1] - len(self.basis))
        outside = np.square(codes - found.mean - found.along(codes) @ found.directions).sum(1).mean() / left
        floor = 1e-9 + 1e-6 * float(found.variances.max(initial=0.0))
        self.mean.copy_(torch.from_numpy(found.mean))
        self.basis.copy_(torch.from_numpy(found.directions))
        self.variance.copy_(torch.from_numpy(found.variances).clamp(min=floor))
        self.rest.fill_(max(float(outside), floor))

    def distance(self, codes: Tensor) -> Tensor:
        """Codes (N, length) → (N,)."""
        away = codes - self.mean
        along = away @ self.basis.T
        inside = (along.square() / self.variance).sum(1)
        if len(self.basis) == len(self.mean):
            return inside  # nothing is left but rounding
        return inside + (away - along @ self.basis).square().sum(1) / self.rest

    def judge(self, model: Reconstruct, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Strangeness; a code does not say where."""
        return self.distance(model.codes(x)), None

    def learn(self, model: Reconstruct, batches: Iterable[Batch]) -> Mapping[str, float]:
        """Mean and spread of the codes of training pictures."""
        codes = torch.cat([model.codes(x).cpu() for _, _, x in model.asked(batches)]).numpy()
        self.fit(codes)
        return {"codes": float(len(codes))}


class ByPatches(PatchMemory):
    """The farthest patch, and how far each is."""

    def judge(self, model: Reconstruct, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """Strangeness and heat."""
        apart = self(x)  # N, h, w
        return apart.flatten(1).amax(1), drawn_to_size(apart[:, None], x.shape[2])[:, 0]

    def learn(self, model: Reconstruct, batches: Iterable[Batch]) -> Mapping[str, float]:
        """The patches that cover all others."""
        self.fit(x for _, _, x in model.asked(batches))
        return {"patches": float(len(self.bank))}


def remembered(way: str | None, pictures: int, size: int) -> int:
    """How much is kept of training: directions of the codes, or patches. Known before, so that checkpoints fit."""
    if way == "code":
        return max(1, min(DIRECTIONS, pictures - 1))
    return remembered_patches(pictures, size) if way == "patches" else 0


def build_novelty(model: Reconstruct) -> Novelty | None:
    """What judges in the recipe's way, still without what it is to remember.

    Raises:
        UsageError: there is no such way.
    """
    way, kept = model.recipe.novelty, model.recipe.remembered
    if way is None:
        return None
    if way == "reconstruction":
        return ByReconstruction()
    if way == "code":
        return ByCode(model.code_length(), kept)
    if way == "patches":
        return ByPatches(kept, model.preparation.channels, model.preparation.size)
    raise unknown_name("way of judging strangeness", way, WAYS)


@torch.no_grad()
def judge(model: Reconstruct, batches: Iterable[Batch], maps: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
    """Strangeness of every picture (N,), and with `maps` where it lies (N, S, S), in order."""
    assert model.novelty is not None
    found, heats = [], []
    for _, _, x in model.asked(batches):
        score, heat = model.novelty.judge(model, x)
        found.append(score.float().cpu().numpy())
        if maps and heat is not None:
            heats.append(heat.float().cpu().numpy())
    return np.concatenate(found), np.concatenate(heats) if heats else None
