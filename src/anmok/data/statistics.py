"""What pictures look like on the whole: sizes, brightness, contrast, sharpness, and the odd ones among them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from anmok.core import magic
from anmok.core.colour import channel_mean
from anmok.core.errors import PictureError
from anmok.core.types import Dataset
from anmok.data.duplicates import FLAT, Gathers
from anmok.data.pixel_sources import in_parts

MOST_SIZES = 5000  # files whose headers are read for their size; evenly spread where there are more
DARK, BRIGHT = 12.0, 243.0  # mean levels of 255 beyond which little is to be seen
BLURRED = 0.02  # share of the middle sharpness below which a picture stands out
_QUANTILES = {"least": 0.0, "low": 0.05, "middle": 0.5, "high": 0.95, "most": 1.0}


@dataclass(frozen=True)
class Statistics:
    """By position of the entry, measured at working size, in levels of 255.

    `brightness`: mean. `contrast`: standard deviation. `sharpness`: standard deviation of the Laplacian, as a share of
    the contrast, so that dim pictures are not called blurred. `sizes`: (height, width, channels) → pictures, the
    commonest first; `measured` of all pictures were asked for their size.
    """

    brightness: np.ndarray
    contrast: np.ndarray
    sharpness: np.ndarray
    sizes: Mapping[tuple[int, int, int], int]
    measured: int

    @property
    def flat(self) -> np.ndarray:
        """Positions of pictures that show one colour and nothing else."""
        return np.flatnonzero(self.contrast < FLAT)

    @property
    def dark(self) -> np.ndarray:
        """Positions of pictures that are nearly black, though not flat."""
        return np.flatnonzero((self.brightness < DARK) & (self.contrast >= FLAT))

    @property
    def bright(self) -> np.ndarray:
        """Positions of pictures that are nearly white, though not flat."""
        return np.flatnonzero((self.brightness > BRIGHT) & (self.contrast >= FLAT))

    @property
    def blurred(self) -> np.ndarray:
        """Positions of pictures far less sharp than the others, the worst first."""
        shown = self.contrast >= FLAT
        if shown.sum() < 2:
            return np.zeros(0, int)
        odd = np.flatnonzero(shown & (self.sharpness < BLURRED**0.5 * np.median(self.sharpness[shown])))
        return odd[np.argsort(self.sharpness[odd], kind="stable")]

    def to_json(self) -> dict[str, Any]:
        """Quantiles and sizes as plain values."""
        measures = {name: getattr(self, name) for name in ("brightness", "contrast", "sharpness")}
        told: dict[str, Any] = {
            name: {word: round(float(np.quantile(values, q)), 4) for word, q in _QUANTILES.items()}
            for name, values in measures.items()
            if len(values)
        }
        rows = [{"height": h, "width": w, "channels": c, "pictures": n} for (h, w, c), n in self.sizes.items()]
        return told | {"sizes": rows[:50], "sizes_in_all": len(rows), "sizes_measured": self.measured}


def measure_pictures(dataset: Dataset, source: Gathers, rows: np.ndarray) -> Statistics:
    """Statistics of decoded pictures: entry k of the data set is row `rows[k]` of the source."""
    brightness, contrast, sharpness = (np.zeros(len(rows), np.float32) for _ in range(3))
    for here, pixels in in_parts(source.gather, rows):
        grey = channel_mean(pixels)
        brightness[here], contrast[here] = grey.mean((1, 2)), grey.std((1, 2))
        inner = grey[:, 1:-1, 1:-1]
        around = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1] + grey[:, 1:-1, :-2] + grey[:, 1:-1, 2:]
        detail = (around - 4 * inner).std((1, 2)) if inner.size else np.zeros(len(grey))
        sharpness[here] = detail / np.maximum(contrast[here], 1.0)
    sizes, measured = picture_sizes(dataset)
    return Statistics(brightness, contrast, sharpness, sizes, measured)


def picture_sizes(dataset: Dataset) -> tuple[dict[tuple[int, int, int], int], int]:
    """(height, width, channels) → pictures, the commonest first, and how many pictures were asked.

    Files are only opened, not decoded; their size is the stored one, before any turning by EXIF.
    """
    array = getattr(dataset.pictures, "array", None)
    if isinstance(array, np.ndarray):
        height, width, channels = array.shape[1:]
        return {(height, width, channels): len(dataset)}, len(dataset)
    path = getattr(dataset.pictures, "path", None)
    entries = list(dataset.entries)[:: -(-len(dataset) // MOST_SIZES) or 1] if path is not None else []
    found: Counter[tuple[int, int, int]] = Counter()
    for entry in entries:
        try:
            with Image.open(path(entry.locator), formats=magic.FORMATS) as image:  # type: ignore[misc]
                grey = image.mode in ("1", "L", "I", "I;16", "F", "LA")
                found[(image.height, image.width, 1 if grey else 3)] += 1
        except (OSError, ValueError, SyntaxError, PictureError, Image.DecompressionBombError):
            continue
    return dict(found.most_common()), sum(found.values())
