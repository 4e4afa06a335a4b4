"""A heat map laid over its picture."""

from __future__ import annotations

import numpy as np

from anmok.core.errors import UsageError

COLOURS = "inferno"  # perceptually uniform: bright is hot, in grey print and for colour-blind readers too
# Every eighth of matplotlib's 256 colours of this name (CC0, by Smith and van der Walt), without importing matplotlib,
# which takes a report a tenth of a second; between them it is at most two steps of 255 off.
_STEPS = (
    "000004 040312 0b0724 150b37 210c4a 2f0a5b 3d0965 4a0c6b 57106e 64156e 71196e 7d1e6d 8a226a 972766 "
    "a32c61 b0315b bc3754 c63d4d d04545 da4e3c e35933 eb6429 f1711f f67e14 f98c0a fb9b06 fcaa0f fbba1f "
    "f9c932 f5d949 f2e865 f3f586 fcffa4"
)


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
    colour = _coloured(np.clip(heat, 0, 1))
    return np.clip((1 - cover) * grey + cover * colour, 0, 255).round().astype(np.uint8)


def _coloured(heat: np.ndarray) -> np.ndarray:
    """(H, W) in [0, 1] → (H, W, 3) in [0, 255]."""
    steps = np.array([list(bytes.fromhex(step)) for step in _STEPS.split()], np.float64)
    places = np.linspace(0, 1, len(steps))
    return np.stack([np.interp(heat, places, channel) for channel in steps.T], axis=-1)
