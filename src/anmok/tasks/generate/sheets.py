"""Drawn pictures side by side: by seed, by class, between seeds, at several truncations, with mixed styles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from anmok.core.errors import UsageError
from anmok.networks._stylegan import mix_styles
from anmok.tasks.adversarial import in_float32
from anmok.tasks.generate.drawing import as_bytes, between, codes_of, draw
from anmok.tasks.generate.learning import Generate

TRUNCATIONS = (0.3, 0.5, 0.7, 1.0)
STEPS = 8  # of a walk
EACH = 8  # pictures a class


def columns(count: int) -> int:
    """Of a sheet of so many pictures, a little wider than high."""
    return min(count, max(1, round((1.5 * count) ** 0.5)))


def sheet(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Pictures (N, S, S, C) in rows of `columns`, what is missing in the last row white, uint8 (h, w, C)."""
    missing = -len(pictures) % columns
    white = np.full((missing, *pictures.shape[1:]), 255, np.uint8)
    rows = np.concatenate([pictures, white]).reshape(-1, columns, *pictures.shape[1:])
    return np.concatenate([np.concatenate(list(row), 1) for row in rows], 0)


def of_seeds(model: Generate, count: int) -> np.ndarray:
    """Seeds 0 to `count` − 1."""
    seeds = range(count)
    return sheet(draw(model, codes_of(seeds, model.recipe.latent), model.own_classes(seeds)), columns(count))


def by_class(model: Generate, each: int = EACH, most: int = 20) -> np.ndarray:
    """A row a class, a column a seed; the first `most` classes."""
    classes = np.arange(min(len(model.classes), most))
    codes = np.tile(codes_of(range(each), model.recipe.latent), (len(classes), 1))
    return sheet(draw(model, codes, np.repeat(classes, each)), each)


def walks(model: Generate, seeds: Sequence[int], label: int | None = None, steps: int = STEPS) -> np.ndarray:
    """A row from each seed to the next, both ends included; by class, all of the first seed's class."""
    return sheet(draw(model, *walk_codes(model, seeds, label, steps)), steps)


def walk_codes(
    model: Generate, seeds: Sequence[int], label: int | None = None, steps: int = STEPS
) -> tuple[np.ndarray, np.ndarray | None]:
    """Codes from each seed to the next, `steps` each, and their classes."""
    codes = codes_of(seeds, model.recipe.latent)
    rows = [between(codes[k], codes[k + 1], steps) for k in range(len(seeds) - 1)]
    own = model.own_classes(seeds[:1])
    if own is None:
        return np.concatenate(rows), None
    return np.concatenate(rows), np.full(len(rows) * steps, own[0] if label is None else label)


def truncations(model: Generate, seeds: Sequence[int], at: Sequence[float] = TRUNCATIONS) -> np.ndarray:
    """A row a truncation, a column a seed."""
    codes, labels = codes_of(seeds, model.recipe.latent), model.own_classes(seeds)
    return sheet(np.concatenate([draw(model, codes, labels, share) for share in at]), len(seeds))


def mixed(model: Generate, coarse: Sequence[int], fine: Sequence[int], crossover: int | None = None) -> np.ndarray:
    """Coarse styles of the seeds at the left, fine ones of those on top; the corner is white."""
    pictures = mixtures(model, coarse, fine, crossover)
    left, top = (
        draw(model, codes_of(seeds, model.recipe.latent), model.own_classes(seeds)) for seeds in (coarse, fine)
    )
    white = np.full_like(top[:1], 255)
    rows = [np.concatenate([white, top])]
    rows += [np.concatenate([left[row : row + 1], pictures[row]]) for row in range(len(coarse))]
    return sheet(np.concatenate(rows), len(fine) + 1)


def mixtures(model: Generate, coarse: Sequence[int], fine: Sequence[int], crossover: int | None = None) -> np.ndarray:
    """Every pair's picture, (coarse, fine, S, S, C). `crossover`: the first layer of the fine ones; None: the middle.

    Raises:
        UsageError: the network has no styles, or not so many layers.
    """
    if not model.styled:
        raise UsageError("only pictures made of styles can be mixed", got=model.recipe.network,
                         allowed="a run of stylegan or stylegan2")  # fmt: skip
    layers = int(model.network.layers)  # type: ignore[arg-type]
    if crossover is not None and not 0 < crossover < layers:
        raise UsageError("styles change within the network", got=f"crossover {crossover}", allowed=f"1 to {layers - 1}")
    rows = []
    with torch.no_grad(), model.judging(), in_float32(model.device):
        styles = {seed: _styles(model, seed) for seed in {*coarse, *fine}}
        for a in coarse:
            pairs = [mix_styles(styles[a], styles[b], crossover or layers // 2) for b in fine]
            rows.append(np.concatenate([as_bytes(model.network.synthesis(pair)) for pair in pairs]))  # type: ignore[operator]
    return np.stack(rows)


def _styles(model: Generate, seed: int) -> torch.Tensor:
    label = model.own_classes([seed])
    z = torch.from_numpy(codes_of([seed], model.recipe.latent)).to(model.device)
    found: torch.Tensor = model.network.styles(z, None if label is None else torch.from_numpy(label).to(model.device))  # type: ignore[operator]
    return found
