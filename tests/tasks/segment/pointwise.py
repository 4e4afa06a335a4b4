"""Networks whose answers are known: each pixel is answered by its own colour."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.preparation import Preparation
from anmok.engine.devices import PlainDevices
from anmok.tasks.segment.learning import Segment
from anmok.tasks.segment.recipe import SegmentRecipe

CLASSES = ("background", "red", "green", "blue")


class ByColour(nn.Module):
    """Class 1, 2 or 3 where red, green or blue is bright, else class 0; certain of it."""

    def forward(self, x: Tensor) -> Tensor:
        dark = torch.full_like(x[:, :1], 0.5)
        return 40 * torch.cat([dark, x], 1)


def model(size: int = 32, fit: str = "squash", net: nn.Module | None = None, **recipe: object) -> Segment:
    """`ByColour` on pictures whose normalisation leaves pixels in [0, 1]."""
    zero, one = (0.0,) * 3, (1.0,) * 3
    preparation = Preparation(size, size, 3, fit=fit, mean=zero, std=one)
    chosen = SegmentRecipe("own", epochs=1, batch=2, **recipe)  # type: ignore[arg-type]
    return Segment(net or ByColour(), CLASSES, preparation, PlainDevices("float32"), chosen)


def painting(height: int, width: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """A picture of coloured rectangles on black and its class map."""
    generator = np.random.default_rng(seed)
    mask = np.zeros((height, width), np.uint8)
    for _ in range(6):
        top, left = int(generator.integers(0, height - 4)), int(generator.integers(0, width - 4))
        tall, wide = (int(side) for side in generator.integers(4, max(5, min(height, width) // 2), 2))
        mask[top : top + tall, left : left + wide] = generator.integers(0, 4)
    colours = np.array([[0, 0, 0], [255, 0, 0], [0, 255, 0], [0, 0, 255]], np.uint8)
    return colours[mask], mask
