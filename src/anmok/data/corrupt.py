"""Damage that a network learns to repair: noise, blur, JPEG blocks, boxes, strokes, lost resolution.

    damaged = corrupt("noise")(pixels, generator)        pixels: uint8 (n, H, W, C), out the same
    damaged = corrupt("noise:0.2")(pixels, generator)    half as much

All chance comes from `generator`, so the same generator damages the same pictures alike. The pictures given stay as
they are; they are the targets.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image, ImageDraw

from anmok.core.errors import UsageError, unknown_name

Generator = np.random.Generator
Damage = Callable[[np.ndarray, Generator, float], np.ndarray]
BLANK = 128  # what fills boxes and strokes: neither the black of a ground nor the white of paper


def noise(pixels: np.ndarray, generator: Generator, strength: float) -> np.ndarray:
    """Normal noise of deviation `strength` (of intensities in [0, 1]) a value, cut off at black and white."""
    damaged = generator.standard_normal(pixels.shape, np.float32) * np.float32(255 * strength) + pixels
    return np.clip(np.rint(damaged), 0, 255).astype(np.uint8)


def blur(pixels: np.ndarray, generator: Generator, strength: float) -> np.ndarray:
    """A Gaussian of up to `strength` of the shorter side, a third of that at least, drawn for each picture."""
    n, height, width, _ = pixels.shape
    deviations = generator.uniform(strength / 3, strength, n) * min(height, width)
    down, across = _gaussian(height, deviations), _gaussian(width, deviations)
    blurred = np.einsum("nij,njkc->nikc", down, pixels.astype(np.float32), optimize=True)
    blurred = np.einsum("nlk,nikc->nilc", across, blurred, optimize=True)
    return np.rint(blurred).astype(np.uint8)


def _gaussian(side: int, deviations: np.ndarray) -> np.ndarray:
    """A matrix a picture, (n, side, side), whose row i weighs all places around i; nothing lies outside the edge."""
    places = np.arange(side)
    distance = (places[:, None] - places)[None] / np.maximum(deviations, 1e-3)[:, None, None]
    weights = np.exp(-(distance**2) / 2)
    return (weights / weights.sum(2, keepdims=True)).astype(np.float32)


def jpeg(pixels: np.ndarray, generator: Generator, strength: float) -> np.ndarray:
    """JPEG of a quality between a third of (1 − `strength`) · 100 and all of it, drawn for each picture."""
    best = max(1.0, 100 * (1 - strength))
    damaged = np.empty_like(pixels)
    for target, picture, quality in zip(damaged, pixels, generator.uniform(best / 3, best, len(pixels)), strict=True):
        buffer = io.BytesIO()
        _image(picture).save(buffer, "JPEG", quality=max(1, round(quality)))
        target[:] = np.asarray(Image.open(buffer)).reshape(target.shape)
    return damaged


def boxes(pixels: np.ndarray, generator: Generator, strength: float) -> np.ndarray:
    """One to three grey rectangles with sides of up to `strength` of the picture's, a third of that at least."""
    damaged = pixels.copy()
    height, width = pixels.shape[1:3]
    sides = np.array([height, width])
    for picture, count in zip(damaged, generator.integers(1, 4, len(pixels)), strict=True):
        size = np.maximum(1, np.rint(generator.uniform(strength / 3, strength, (count, 2)) * sides)).astype(int)
        corner = np.floor(generator.random((count, 2)) * (sides - size + 1)).astype(int)
        for (top, left), (h, w) in zip(corner, size, strict=True):
            picture[top : top + h, left : left + w] = BLANK
    return damaged


def strokes(pixels: np.ndarray, generator: Generator, strength: float) -> np.ndarray:
    """One to three grey strokes across the picture, bent up to four times, `strength` of the shorter side thick."""
    damaged = pixels.copy()
    height, width = pixels.shape[1:3]
    thick = max(1, round(strength * min(height, width)))
    for picture, count in zip(damaged, generator.integers(1, 4, len(pixels)), strict=True):
        mask = Image.new("L", (width, height))
        draw = ImageDraw.Draw(mask)
        for _ in range(count):
            points = generator.random((generator.integers(2, 6), 2)) * (width, height)
            draw.line([tuple(point) for point in points], fill=255, width=thick, joint="curve")
        picture[np.asarray(mask) > 0] = BLANK
    return damaged


def lowres(pixels: np.ndarray, generator: Generator, strength: float) -> np.ndarray:
    """Averaged over cells of `strength` × `strength` pixels and enlarged again, bicubically: for super-resolution."""
    height, width = pixels.shape[1:3]
    small = [max(1, round(side / strength)) for side in (height, width)]
    pictures = torch.from_numpy(pixels).movedim(3, 1).float()
    enlarged = F.interpolate(F.interpolate(pictures, small, mode="area"), (height, width), mode="bicubic")
    return enlarged.round_().clamp_(0, 255).to(torch.uint8).movedim(1, 3).contiguous().numpy()


def _image(picture: np.ndarray) -> Image.Image:
    """Grey or colour as Pillow's picture; other channel counts side by side in one grey picture."""
    height, width, channels = picture.shape
    if channels == 3:
        return Image.fromarray(picture)
    return Image.fromarray(np.ascontiguousarray(picture).reshape(height, width * channels))


@dataclass(frozen=True)
class Kind:
    """One kind of damage: what does it, its usual strength, and the strengths that make sense."""

    damage: Damage
    usual: float
    low: float
    high: float


CORRUPTIONS: Mapping[str, Kind] = {
    "blur": Kind(blur, usual=0.06, low=0.001, high=0.5),
    "boxes": Kind(boxes, usual=0.4, low=0.01, high=1.0),
    "jpeg": Kind(jpeg, usual=0.7, low=0.0, high=0.99),
    "lowres": Kind(lowres, usual=4.0, low=1.0, high=64.0),
    "noise": Kind(noise, usual=0.4, low=0.0, high=4.0),
    "strokes": Kind(strokes, usual=0.08, low=0.01, high=0.5),
}


@dataclass(frozen=True)
class Corrupt:
    """Damage of one kind and strength, as `corrupt` reads it."""

    kind: str
    strength: float

    def __str__(self) -> str:
        return f"{self.kind}:{self.strength:g}"

    def __call__(self, pixels: np.ndarray, generator: Generator) -> np.ndarray:
        """Damaged copies of pictures: uint8 (n, H, W, C) → the same shape."""
        return CORRUPTIONS[self.kind].damage(pixels, generator, self.strength)


def corrupt(text: str) -> Corrupt:
    """Damage by name, `"noise"`, or by name and strength, `"noise:0.2"`.

    Raises:
        UsageError: there is no such kind, or the strength lies outside what makes sense.
    """
    name, _, given = text.partition(":")
    if name not in CORRUPTIONS:
        raise unknown_name("kind of damage", name, CORRUPTIONS)
    kind = CORRUPTIONS[name]
    try:
        strength = float(given) if given else kind.usual
    except ValueError:
        strength = float("nan")
    if not kind.low <= strength <= kind.high:
        raise UsageError(f"the strength of {name} is out of range", got=given, allowed=f"{kind.low:g} to {kind.high:g}",
                         fix=f"{name}:{kind.usual:g}")  # fmt: skip
    return Corrupt(name, strength)
