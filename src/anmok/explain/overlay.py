"""A heat map laid over its picture."""

from __future__ import annotations

import numpy as np
from matplotlib import colormaps

from anmok.core.errors import UsageError

COLOURS = "inferno"  # perceptually uniform: bright is hot, in grey print and for colour-blind readers too


def as_rgb(picture: np.ndarray) -> np.ndarray:
    """A uint8 picture (H, W), (H, W, 1) or (H, W, 3) as (H, W, 3)."""
    picture = picture[..., None] if picture.ndim == 2 else picture
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise UsageError("not a picture", got=f"{picture.dtype} {picture.shape}",
                         allowed="uint8, (height, width, 1 or 3)")  # fmt: skip
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def overlay(picture: np.ndarray, heat: np.ndarray, strength: float = 0.75) -> np.ndarray:
    """The heat map over the picture: uint8 (H, W, 3). Cold places show the picture itself, in grey.

    Args:
        picture: uint8 (H, W), (H, W, 1) or (H, W, 3).
        heat: (H, W) in [0, 1].
        strength: how much of the hottest places the colour covers, in [0, 1].
    """
    rgb = as_rgb(picture).astype(np.float64)
    if heat.shape != rgb.shape[:2]:
        raise UsageError("heat map and picture differ in size", got=f"{heat.shape} and {rgb.shape[:2]}")
    grey = (rgb @ np.array([0.299, 0.587, 0.114]))[..., None]
    cover = strength * np.clip(heat, 0, 1)[..., None] ** 0.75
    colour = colormaps[COLOURS](np.clip(heat, 0, 1))[..., :3] * 255
    return np.clip((1 - cover) * grey + cover * colour, 0, 255).round().astype(np.uint8)
