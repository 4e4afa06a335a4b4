"""What augmentation does, as a picture to look at before training."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from anmok.core.preparation import centre_crop
from anmok.core.seeds import numpy_generator
from anmok.verbs.planning import TrainingPlan

ROWS, VERSIONS = 6, 7  # pictures, and augmented versions of each
SHOWN_SIDE, GAP = 112, 4  # pixels


def draw_augmentation(plan: TrainingPlan, path: Path) -> Path:
    """Write a sheet: a row a picture, at its left as evaluation sees it, then as training may.

    The pictures are of different classes where there are enough. With mixup, pictures of the sheet are blended.
    """
    loader, size = plan.decoded.loader("train", 1), plan.preparation.size
    chosen = _of_different_classes(np.asarray(loader.targets))
    rows = loader.rows[chosen]
    pixels = plan.decoded.source.gather(rows)
    columns = [centre_crop(pixels, size)]
    for epoch in range(VERSIONS):
        generator = numpy_generator(plan.settings.seed, "augmentation sheet", epoch)
        changed, extra = plan.recipe.augment(pixels, size, generator, epoch, rows)
        if "partner" in extra:
            share = float(extra["weight"])
            mixed = share * changed.astype(np.float32) + (1 - share) * changed[extra["partner"]]
            changed = mixed.round().astype(np.uint8)
        columns.append(changed)
    _sheet(columns).save(path)
    return path


def _of_different_classes(targets: np.ndarray) -> np.ndarray:
    """The first picture of each class, then second ones, up to `ROWS`."""
    order = np.argsort(targets, kind="stable")
    ordered = targets[order]
    turn = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)  # how many of its class came before
    return np.sort(order[np.lexsort((ordered, turn))][:ROWS])


def _sheet(columns: list[np.ndarray]) -> Image.Image:
    """Columns of pictures (n, S, S, C) side by side on white, small pictures magnified as squares."""
    count, size = columns[0].shape[:2]
    scale = max(1, SHOWN_SIDE // size)
    side = size * scale
    wide = len(columns) * (side + GAP) + GAP * 3
    sheet = Image.new("RGB", (wide, count * (side + GAP) + GAP), "white")
    for place, column in enumerate(columns):
        for row, pixels in enumerate(column):
            tile = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
            left = GAP + place * (side + GAP) + (GAP * 2 if place else 0)  # the original stands apart
            sheet.paste(tile.resize((side, side), Image.Resampling.NEAREST), (left, GAP + row * (side + GAP)))
    return sheet
