"""Textured grounds: cloth, wood, paper, tiles: patterns in two colours, and a grain over them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image

from anmok.core.seeds import numpy_generator


def ground(side: int, seed: int, generator: np.random.Generator) -> np.ndarray:
    """A ground float32 (3, side, side) in [0, 255], unlike any other of its `seed`."""
    cloud = _clouds(2 * side, seed)
    x, y = np.arange(side, dtype=np.float32), np.arange(side, dtype=np.float32)[:, None]
    pattern = _PATTERNS[generator.integers(len(_PATTERNS))](x, y, side, generator)
    top, left = generator.integers(0, side, 2)
    rough = cloud[generator.integers(len(cloud)), top : top + side, left : left + side]
    first, second = (colour[:, None, None] for colour in _two_colours(generator))
    share = np.clip(pattern * np.float32(generator.uniform(0.4, 1)) + 0.5 * (rough - 0.5), 0, 1)
    grain = generator.standard_normal((side, side), np.float32) * np.float32(generator.uniform(1, 7))
    return np.clip(first + (second - first) * share + grain, 0, 255)


@lru_cache(maxsize=4)
def _clouds(side: int, seed: int, count: int = 8) -> np.ndarray:
    """Smooth noise of several sizes, float32 (count, side, side) in [0, 1]."""
    generator = numpy_generator(seed, "clouds", side)
    total = np.zeros((count, side, side), np.float32)
    for cloud in total:
        for cells, weight in ((6, 1.0), (13, 0.6), (31, 0.35), (67, 0.2)):
            coarse = Image.fromarray(generator.random((cells, cells), np.float32))
            cloud += np.float32(weight) * np.asarray(coarse.resize((side, side), Image.Resampling.BILINEAR))
    low, high = total.min((1, 2), keepdims=True), total.max((1, 2), keepdims=True)
    return (total - low) / (high - low)


def _two_colours(generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two related, not too loud colours, float32 (3,) each."""
    hue, saturation, value = generator.random(), generator.uniform(0.05, 0.5), generator.uniform(0.3, 0.95)
    other = (
        hue + generator.normal(0, 0.08),
        saturation * generator.uniform(0.6, 1.3),
        value * generator.uniform(0.6, 0.95),
    )
    return rgb(hue, saturation, value), rgb(*other)


def rgb(hue: float, saturation: float, value: float) -> np.ndarray:
    """float32 (3,) in [0, 255] of hue (round in 1), saturation and value, these clipped to [0, 1]."""
    saturation, value = min(max(saturation, 0), 1), min(max(value, 0), 1)
    wheel = (hue * 6 + np.array([5, 3, 1])) % 6
    return (255 * value * (1 - saturation * np.clip(np.minimum(wheel, 4 - wheel), 0, 1))).astype(np.float32)


def _plain(x: np.ndarray, y: np.ndarray, side: int, generator: np.random.Generator) -> np.ndarray:
    return np.full((side, side), 0.5, np.float32)


def _slope(x: np.ndarray, y: np.ndarray, side: int, generator: np.random.Generator) -> np.ndarray:
    across, down = _direction(1 / 1.2, generator)
    return 0.5 + across * (x / side - 0.5) + down * (y / side - 0.5)


def _stripes(x: np.ndarray, y: np.ndarray, side: int, generator: np.random.Generator) -> np.ndarray:
    across, down = _direction(2 * np.pi / generator.uniform(4, 24), generator)
    return 0.5 + 0.5 * np.clip(np.sin(across * x + down * y) * np.float32(generator.uniform(0.7, 4)), -1, 1)


def _checks(x: np.ndarray, y: np.ndarray, side: int, generator: np.random.Generator) -> np.ndarray:
    across, down = _direction(1 / generator.uniform(8, 30), generator)
    one, other = across * x + down * y, across * y - down * x
    return ((one % 1 < 0.5).astype(np.float32) + (other % 1 < 0.5)) / 2


def _dots(x: np.ndarray, y: np.ndarray, side: int, generator: np.random.Generator) -> np.ndarray:
    period = np.float32(generator.uniform(8, 20))
    across = (x + np.floor(y / period) % 2 * period / 2) % period - period / 2
    down = y % period - period / 2
    return np.clip(period / 4 + np.float32(0.5) - np.sqrt(across**2 + down**2), 0, 1)


def _wood(x: np.ndarray, y: np.ndarray, side: int, generator: np.random.Generator) -> np.ndarray:
    wave, at, fine = (np.float32(generator.uniform(*low_high)) for low_high in ((15, 40), (0, 6), (2, 5)))
    bent = x + 5 * np.sin(y / wave + at)
    return 0.5 + 0.5 * np.sin(bent / fine + 2 * np.sin(bent / 11))


def _direction(length: float, generator: np.random.Generator) -> tuple[np.float32, np.float32]:
    """A vector of this length in any direction: across, down."""
    angle = generator.uniform(0, 2 * np.pi)
    return np.float32(length * np.cos(angle)), np.float32(length * np.sin(angle))


_PATTERNS = (_plain, _slope, _stripes, _checks, _dots, _wood)
