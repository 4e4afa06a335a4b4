"""What augmentation does to pictures and their class maps."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from anmok.tasks.segment.colours import overlaid
from anmok.tasks.segment.pictures import DecodedMasks
from anmok.tasks.segment.recipe import SegmentRecipe
from anmok.tasks.sheet import ROWS, VERSIONS, draw_sheet


def draw_augmentation(decoded: DecodedMasks, recipe: SegmentRecipe, seed: int, path: Path) -> None:
    """Write a sheet: a row a picture under its class map, at its left as evaluation sees it, then as training may."""
    chosen = decoded.places("train")
    few = decoded.only(chosen[:: max(1, len(chosen) // ROWS)][:ROWS])
    pixels, masks = few.sample()
    size = decoded.preparation.size
    edge = (pixels.shape[1] - size) // 2
    middle = np.s_[:, edge : edge + size, edge : edge + size]
    columns = [_shown(list(pixels[middle]), list(masks[middle]))]
    columns += [_shown(*_moved(few, recipe, seed, version)) for version in range(VERSIONS)]
    draw_sheet(columns, path)


def _moved(
    decoded: DecodedMasks, recipe: SegmentRecipe, seed: int, epoch: int
) -> tuple[Sequence[np.ndarray], Sequence[np.ndarray]]:
    """Every picture as an epoch shows it, with its class map; of a large one, the window that comes first."""
    found: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    names = [entry.id for entry in decoded.dataset.entries]
    for batch in decoded.masks("train", 1, seed=seed, augment=recipe.augment).epoch(epoch):
        picture, mask = batch.pictures[0].permute(1, 2, 0).numpy(), batch.targets[0].to(torch.uint8).numpy()
        found.setdefault(batch.ids[0], (picture, mask))
        if len(found) == len(names):
            break
    return [found[name][0] for name in names], [found[name][1] for name in names]


def _shown(pixels: Sequence[np.ndarray], masks: Sequence[np.ndarray]) -> np.ndarray:
    return np.stack([overlaid(picture, mask, strength=0.4) for picture, mask in zip(pixels, masks, strict=True)])
