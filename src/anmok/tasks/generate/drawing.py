"""Pictures from codes: one by one where somebody will look at them, many at once where they are only measured."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from anmok.core.codes import codes_of
from anmok.core.modes import keeping_modes
from anmok.tasks.adversarial import in_float32

if TYPE_CHECKING:
    from anmok.tasks.generate.learning import Generate

AT_ONCE = 64  # pictures drawn together where they are only measured
MEASURED = 8  # batches from which batch statistics are measured


@contextmanager
def at_work(model: Generate) -> Iterator[None]:
    """The generator as it answers: in evaluation mode, in float32, without gradients."""
    with torch.no_grad(), model.judging(), in_float32(model.device):
        yield


def measure_batch_statistics(model: Generate) -> None:
    """Batch normalisation's running statistics, measured anew from the pictures of seeds 0, 1, 2 …

    While a generator learns fast, running statistics are those of weights long gone, and the average of several
    generators' statistics is no generator's (Izmailov et al. 2018, section 3.2, for averaged classifiers).
    """
    norms = [module for module in model.network.modules() if isinstance(module, _BatchNorm)]
    if not norms:
        return
    momenta = [norm.momentum for norm in norms]
    batch = model.recipe.batch
    codes, labels = codes_of(range(MEASURED * batch), model.latent), model.usual_classes(MEASURED * batch)
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # all batches alike
    try:
        with keeping_modes(model.network), torch.no_grad(), in_float32(model.device):
            model.network.train()
            for _ in _in_parts(model, codes, labels, batch):
                pass
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum


def draw_one_by_one(
    model: Generate, codes: np.ndarray, labels: np.ndarray | None, truncation: float = 1.0
) -> np.ndarray:
    """See `anmok.core.codes.Canvas.draw`."""
    pictures = []
    with at_work(model):
        for row in range(len(codes)):
            label = None if labels is None else _on(model, labels[row : row + 1])
            pictures.append(as_bytes(model.pictures(_on(model, codes[row : row + 1]), label, truncation)))
    size = model.preparation.size
    return np.concatenate(pictures) if pictures else np.zeros((0, size, size, model.preparation.channels), np.uint8)


def draw_many(model: Generate, count: int) -> tuple[np.ndarray, np.ndarray | None]:
    """The pictures of seeds 0 to `count` − 1 and their classes, to be measured: to the last bit or two those of `draw`.

    Classes are as frequent as among training pictures.
    """
    codes, labels = codes_of(range(count), model.latent), model.usual_classes(count)
    with at_work(model):
        found = [as_bytes(pictures) for pictures in _in_parts(model, codes, labels, AT_ONCE)]
    return np.concatenate(found), labels


def _in_parts(model: Generate, codes: np.ndarray, labels: np.ndarray | None, at_once: int) -> Iterator[Tensor]:
    """Pictures of some codes at a time."""
    for start in range(0, len(codes), at_once):
        part = slice(start, start + at_once)
        yield model.pictures(_on(model, codes[part]), None if labels is None else _on(model, labels[part]))


def as_bytes(pictures: Tensor) -> np.ndarray:
    """Pictures (N, C, H, W) in about −1 to 1 → uint8 (N, H, W, C)."""
    scaled = (pictures.float() * 127.5 + 127.5).clamp(0, 255).round()
    return scaled.to(torch.uint8).movedim(1, 3).cpu().numpy()


def _on(model: Generate, values: np.ndarray) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(model.device)


class OfFirstClass(nn.Module):
    """A generator by class as a network of codes alone, to be taken apart: (N, latent) → pictures of class 0."""

    def __init__(self, generator: nn.Module) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, z: Tensor) -> Tensor:
        """Codes → pictures."""
        found: Tensor = self.generator(z, torch.zeros(len(z), dtype=torch.int64, device=z.device))
        return found
