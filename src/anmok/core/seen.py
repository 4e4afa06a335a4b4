"""What the network sees of a picture and no more, for prediction: the same bytes as the centre of what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from anmok.core.colour import pixels_of
from anmok.core.preparation import (
    INTERPOLATIONS,
    Preparation,
    central_box,
    centre_crop,
    fit_picture,
    image_of,
    resized,
)


@dataclass(frozen=True)
class Seen:
    """A preparation of which only what the network sees is made: the same bytes as the centre of what is stored.

    Prediction needs no margin to crop at random from, and resizing is what preparing a photograph costs most.
    """

    preparation: Preparation

    @property
    def at_least(self) -> int | None:
        """As the preparation's."""
        return self.preparation.at_least

    @property
    def shape(self) -> tuple[int, int, int]:
        """(size, size, channels)."""
        return self.preparation.size, self.preparation.size, self.preparation.channels

    def fitted(self, pixels: np.ndarray, original: tuple[int, int]) -> np.ndarray:
        """Pixels uint8 (H, W, 1 or 3) → `centre_crop(fit_picture(…), size)`, uint8 (size, size, channels)."""
        box = _part(pixels.shape, self.preparation) if pixels.shape[:2] == original else None
        if box is None:
            return centre_crop(fit_picture(pixels, self.preparation, original), self.preparation.size)
        return _resized_part(image_of(pixels), self.preparation, box)

    def fitted_image(self, image: Image.Image) -> np.ndarray:
        """As `fitted`, from an upright picture, L or RGB, of its original size in Pillow's hands: two copies fewer."""
        original = (image.height, image.width)
        box = _part(original, self.preparation)
        if box is not None:
            return _resized_part(image, self.preparation, box)
        if self.preparation.channels == 1 and image.mode != "L":
            image = image.convert("L")
        store = self.preparation.store
        whole = resized(image, self.preparation, original) if original != (store, store) else pixels_of(image)
        return _with_channels(centre_crop(whole, self.preparation.size), self.preparation.channels)


def _resized_part(image: Image.Image, preparation: Preparation, box: tuple[float, float, float, float]) -> np.ndarray:
    """A part of a picture, L or RGB, as the network sees it."""
    size, channels = preparation.size, preparation.channels
    if channels == 1 and image.mode != "L":
        image = image.convert("L")
    image = image.resize((size, size), INTERPOLATIONS[preparation.interpolation], box=box)
    return _with_channels(pixels_of(image), channels)


def _with_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Grey repeated where colour is wanted."""
    return pixels if pixels.shape[2] == channels else np.repeat(pixels, channels, axis=2)


def _part(shape: Sequence[int], preparation: Preparation) -> tuple[float, float, float, float] | None:
    """The part of a picture of `shape` that resizing turns into what the network sees; None where the bytes may differ.

    Pillow keeps the corners in single precision. And it resizes across or down first, whichever is less work, and
    rounds in between: only of pictures at least as wide as high is the order the same for the part as for the whole.
    """
    height, width = shape[:2]
    store, size = preparation.store, preparation.size
    if preparation.fit != "crop" or height == store or width < height:
        return None
    box, whole = (central_box((height, width), (height, width), preparation, side) for side in (size, store))
    return box if all(float(np.float32(corner)) == corner for corner in (*box, *whole)) else None
