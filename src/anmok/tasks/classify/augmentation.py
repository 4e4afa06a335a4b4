"""What augmentation does to pictures of every class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anmok.core.preparation import centre_crop
from anmok.core.seeds import numpy_generator
from anmok.tasks.pictures import Decoded
from anmok.tasks.recipe import Recipe
from anmok.tasks.sheet import VERSIONS, draw_sheet, of_different_classes


def draw_augmentation(decoded: Decoded, recipe: Recipe, seed: int, path: Path) -> None:
    """Write a sheet: a row a picture, at its left as evaluation sees it, then as training may.

    The pictures are of different classes where there are enough. With mixup, pictures of the sheet are blended.
    """
    loader, size = decoded.loader("train", 1), decoded.preparation.size
    rows = loader.rows[of_different_classes(np.asarray(loader.targets))]
    pixels = decoded.source.gather(rows)
    columns = [centre_crop(pixels, size)]
    for epoch in range(VERSIONS):
        generator = numpy_generator(seed, "augmentation sheet", epoch)
        changed, extra = recipe.augment(pixels, size, generator, epoch, rows)
        if "partner" in extra:
            share = float(extra["weight"])
            mixed = share * changed.astype(np.float32) + (1 - share) * changed[extra["partner"]]
            changed = mixed.round().astype(np.uint8)
        columns.append(changed)
    draw_sheet(columns, path)
