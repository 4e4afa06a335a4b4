"""What augmentation does to pictures and their class maps."""

from __future__ import annotations

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
    place = {entry.id: k for k, entry in enumerate(few.dataset.entries)}
    columns = [_shown(pixels[middle], masks[middle])]
    for version in range(VERSIONS):
        loader = few.masks("train", len(pixels), seed=seed, augment=recipe.augment)
        (batch,) = list(loader.epoch(version))
        order = np.argsort([place[name] for name in batch.ids])
        moved = batch.pictures.permute(0, 2, 3, 1).numpy()[order]
        columns.append(_shown(moved, batch.targets.to(torch.uint8).numpy()[order]))
    draw_sheet(columns, path)


def _shown(pixels: np.ndarray, masks: np.ndarray) -> np.ndarray:
    return np.stack([overlaid(picture, mask, strength=0.4) for picture, mask in zip(pixels, masks, strict=True)])
