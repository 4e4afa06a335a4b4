"""What a generator answers to a picture: the nearest one it can draw. How far that is says what it never learned.

The code is searched for (Lipton, Tripathi: Precise Recovery of Latent Vectors from Generative Adversarial Networks,
2017; Zhu et al., 2016): the nearest of some drawn pictures first, then descent from its code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from anmok.core.codes import classes_of, codes_of
from anmok.core.pictures import Decoded
from anmok.core.preparation import fit_picture, in_own_size
from anmok.core.types import Pictures, Prediction
from anmok.report.tables import WRITERS, write_predictions
from anmok.tasks.adversarial import in_float32
from anmok.tasks.answering import answered
from anmok.tasks.files import save_answers
from anmok.tasks.generate.drawing import as_bytes

if TYPE_CHECKING:
    from anmok.tasks.generate.learning import Generate

STARTS, STEPS, RATE = 64, 60, 0.1  # codes to begin from; steps of Adam and their size
LIKELY = 1e-3  # weight of −log p(code): codes nobody would draw are no answer
TOGETHER = 16  # pictures searched for together


def answers(
    model: Generate, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], batch: int
) -> Iterator[Prediction]:
    """One prediction a picture, in order: the nearest one that the generator can draw, in the picture's own size."""

    def ask(names: Sequence[str], pictures: Sequence[Decoded]) -> Iterator[Prediction]:
        for name, one, picture in zip(names, nearest(model, [one.pixels for one in pictures]), pictures, strict=True):
            labels, scores = (None, None) if one.label is None else ((model.classes[one.label],), (one.likeness,))
            yield Prediction(name, labels, scores, picture=in_own_size(one.picture, picture.original_size))

    return answered(ask, model.preparation, pictures, locators, names, min(batch, TOGETHER))


@dataclass(frozen=True)
class Nearest:
    """The nearest picture that can be drawn, uint8 (S, S, C); its class; the share of variance that it explains."""

    picture: np.ndarray
    label: int | None
    likeness: float


def nearest(model: Generate, pictures: Sequence[np.ndarray]) -> list[Nearest]:
    """The nearest picture that can be drawn to each of `pictures`, uint8 (H, W, C)."""
    pixels = np.stack([fit_picture(picture, model.preparation) for picture in pictures])
    target = model.normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2).to(model.device))
    weights = [(weight, weight.requires_grad) for weight in model.network.parameters()]
    for weight, _ in weights:
        weight.requires_grad_(False)
    try:
        with model.judging(), in_float32(model.device):
            z, labels = _begun(model, target)
            z = _descended(model, target, z, labels)
            with torch.no_grad():
                answered = model.pictures(z, labels).float()
                left = (answered - target).flatten(1)
                likeness = (1 - left.square().mean(1) / target.flatten(1).var(1).clamp_min(1e-6)).clamp(0, 1).tolist()
    finally:
        for weight, before in weights:
            weight.requires_grad_(before)
    found = [None] * len(answered) if labels is None else labels.tolist()
    return [Nearest(*one) for one in zip(as_bytes(answered), found, likeness, strict=True)]


@torch.no_grad()
def _begun(model: Generate, target: Tensor) -> tuple[Tensor, Tensor | None]:
    """Of the first seeds' codes the one whose picture is nearest to each of the targets."""
    z = torch.from_numpy(codes_of(range(STARTS), model.latent)).to(model.device)
    classes = classes_of(range(STARTS), model)
    labels = None if classes is None else torch.from_numpy(classes).to(model.device)
    drawn = model.pictures(z, labels)
    chosen = torch.cdist(target.flatten(1), drawn.float().flatten(1)).argmin(1)
    return z[chosen].clone(), None if labels is None else labels[chosen]


def _descended(model: Generate, target: Tensor, z: Tensor, labels: Tensor | None) -> Tensor:
    """The codes after some steps towards the targets; never worse than they were."""
    z = z.requires_grad_()
    optimizer = torch.optim.Adam([z], RATE)
    best, least = z.detach().clone(), torch.full((len(z),), torch.inf, device=z.device)
    with torch.enable_grad():
        for _ in range(STEPS):
            apart = (model.pictures(z, labels).float() - target).square().flatten(1).mean(1)
            better = apart.detach() < least
            best[better], least = z.detach()[better], torch.minimum(least, apart.detach())
            (slope,) = torch.autograd.grad((apart + LIKELY * z.square().mean(1)).sum(), z)
            z.grad = slope
            optimizer.step()
    return best


def write(to: Path, answers: Iterable[Prediction], top: int) -> None:
    """A table (.csv, .jsonl, .parquet), or a folder of the nearest pictures (PNG).

    Raises:
        UnwrittenError: a file cannot be written.
    """
    if to.suffix.lower() in WRITERS:
        write_predictions(to, answers, top)
        return
    save_answers(to, answers)
