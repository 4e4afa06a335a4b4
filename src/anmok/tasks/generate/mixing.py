"""Style mixing: coarse traits of one picture, fine ones of another (Karras et al., 2019)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from anmok.core.codes import classes_of, codes_of
from anmok.core.errors import UsageError
from anmok.networks._stylegan import mix_styles
from anmok.tasks.generate.drawing import as_bytes, at_work
from anmok.tasks.seed_sheets import of_seeds, sheet


def mixtures(model: Any, coarse: Sequence[int], fine: Sequence[int], crossover: int | None = None) -> np.ndarray:
    """Every pair's picture, (coarse, fine, S, S, C). `crossover`: the first layer of the fine ones; None: the middle.

    Args:
        model: `Generate` with a network of styles.

    Raises:
        UsageError: the network has no styles, or not so many layers.
    """
    if not getattr(model, "styled", False):
        raise UsageError("only pictures made of styles can be mixed", got="a network without styles",
                         allowed="a run of stylegan or stylegan2")  # fmt: skip
    layers = int(model.network.layers)
    if crossover is not None and not 0 < crossover < layers:
        raise UsageError("styles change within the network", got=f"crossover {crossover}", allowed=f"1 to {layers - 1}")
    rows = []
    with at_work(model):
        styles = {seed: _styles(model, seed) for seed in {*coarse, *fine}}
        for a in coarse:
            pairs = [mix_styles(styles[a], styles[b], crossover or layers // 2) for b in fine]
            rows.append(np.concatenate([as_bytes(model.network.synthesis(pair)) for pair in pairs]))
    return np.stack(rows)


def laid_out(model: Any, coarse: Sequence[int], fine: Sequence[int], crossover: int | None = None) -> np.ndarray:
    """Coarse styles of the seeds at the left, fine ones of those on top; the corner is white. (h, w, C)."""
    pictures = mixtures(model, coarse, fine, crossover)
    left, top = of_seeds(model, coarse), of_seeds(model, fine)
    rows = [np.full_like(top[:1], 255), top]
    for row in range(len(coarse)):
        rows += [left[row : row + 1], pictures[row]]
    return sheet(np.concatenate(rows), len(fine) + 1)


def _styles(model: Any, seed: int) -> torch.Tensor:
    label = classes_of([seed], model)
    z = torch.from_numpy(codes_of([seed], model.latent)).to(model.device)
    found: torch.Tensor = model.network.styles(z, None if label is None else torch.from_numpy(label).to(model.device))
    return found
