"""Anchors: the boxes that a region proposal network starts from, a few shapes at every cell of a map.

Two ways to make them, both in use. The published one (Ren, He, Girshick, Sun: Faster R-CNN, NIPS 2015) rounds widths
and heights to whole pixels and centres shapes inside the first cell; torchvision's centres them on the corner of the
picture and rounds the corners instead. Weights trained with one are a little off with the other.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

RATIOS = (0.5, 1.0, 2.0)  # height over width
BASE = 16  # pixels: the published anchors are multiples of a square of this side


def published(sizes: Sequence[float] = (128, 256, 512), ratios: Sequence[float] = RATIOS) -> Tensor:
    """The authors' anchors of the first cell, float32 (ratios · sizes, 4): xyxy, half-open.

    Their table counts pixels from 1 and includes the last one: its first row, [-83 -39 100 56], is [-83, -39, 101, 57]
    here; the network learns whatever is left of that shift.

    >>> published()[0]
    tensor([-83., -39., 101.,  57.])
    """
    rows = []
    centre = (BASE - 1) / 2 + 1
    for ratio in ratios:
        width = round((BASE**2 / ratio) ** 0.5)
        height = round(width * ratio)
        for size in sizes:
            half = width * size / BASE / 2, height * size / BASE / 2
            rows.append(
                [centre - half[0] + 0.5, centre - half[1] + 0.5, centre + half[0] + 0.5, centre + half[1] + 0.5]
            )
    return torch.tensor(rows)


def centred(sizes: Sequence[float], ratios: Sequence[float] = RATIOS) -> Tensor:
    """torchvision's anchors of the first cell, float32 (ratios · sizes, 4), on the corner of the picture.

    >>> centred([128])[0]
    tensor([-91., -45.,  91.,  45.])
    """
    heights = torch.tensor(ratios).sqrt()
    widths = 1 / heights
    sides = torch.tensor(sizes, dtype=torch.float32)
    w, h = (widths[:, None] * sides).flatten(), (heights[:, None] * sides).flatten()
    return (torch.stack([-w, -h, w, h], 1) / 2).round()


def over_map(shapes: Tensor, rows: int, columns: int, stride: tuple[float, float]) -> Tensor:
    """Anchors `shapes` (K, 4) of the first cell, repeated at every cell: (rows · columns · K, 4), K fastest.

    `stride`: pixels down and right from one cell to the next.
    """
    down = torch.arange(rows, device=shapes.device, dtype=torch.float32) * stride[0]
    right = torch.arange(columns, device=shapes.device, dtype=torch.float32) * stride[1]
    y, x = torch.meshgrid(down, right, indexing="ij")
    return (torch.stack([x, y, x, y], -1).reshape(-1, 1, 4) + shapes).reshape(-1, 4)
