"""What augmentation does, as a picture to look at before training."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

ROWS, VERSIONS = 6, 7  # pictures, and augmented versions of each
SMALLEST, LARGEST = 112, 160  # pixels: sides of a picture on the sheet, which then fits a screen
GAP = 4  # pixels


def draw_sheet(columns: Sequence[np.ndarray], path: Path) -> None:
    """Write columns of pictures, uint8 (n, S, S, C) each, side by side on white: small ones magnified as squares, large
    ones reduced.

    The first column shows pictures as evaluation sees them, the others as training does.
    """
    count, size = columns[0].shape[:2]
    side = min(size * max(1, SMALLEST // size), LARGEST)
    how = Image.Resampling.BOX if side < size else Image.Resampling.NEAREST
    wide = len(columns) * (side + GAP) + GAP * 3
    sheet = Image.new("RGB", (wide, count * (side + GAP) + GAP), "white")
    for place, column in enumerate(columns):
        for row, pixels in enumerate(column):
            tile = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
            left = GAP + place * (side + GAP) + (GAP * 2 if place else 0)  # the original stands apart
            sheet.paste(tile.resize((side, side), how), (left, GAP + row * (side + GAP)))
    sheet.save(path, compress_level=1)  # hard packing takes half a second of photographs


def of_different_classes(targets: np.ndarray) -> np.ndarray:
    """Positions (n,) of the first picture of each class, then second ones, up to `ROWS`; `targets`: class ids (N,).

    Of targets that may name several classes, zeros and ones (N, C), the first counts.
    """
    if targets.ndim > 1:
        targets = np.where(targets.any(1), targets.argmax(1), targets.shape[1])
    order = np.argsort(targets, kind="stable")
    ordered = targets[order]
    turn = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)  # how many of its class came before
    return np.sort(order[np.lexsort((ordered, turn))][:ROWS])
