"""Answers for pictures that nobody annotated."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from anmok.core.classmaps import ClassMap
from anmok.core.types import Pictures, Prediction
from anmok.ship.answers.segment import answer
from anmok.tasks.segment.colours import overlaid
from anmok.tasks.segment.learning import Segment
from anmok.tasks.segment.maps import class_maps
from anmok.tasks.segment.naming import background_of

OVERLAY_SIDE = 1600  # pixels: an overlay is for looking at; the class map has every pixel


def answers(
    model: Segment, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], batch: int
) -> Iterator[Prediction]:
    """One prediction a picture, in order: its class map, its objects, and each class's share of the pixels."""
    for found in class_maps(model, pictures, locators, batch):
        if found.error is not None:
            yield Prediction(names[found.position], error=found.error.brief)
            continue
        assert found.mask is not None
        told = ClassMap(found.mask, found.inside)
        one = answer(names[found.position], told, model.classes, background_of(model.classes))
        del found, told  # a large picture goes before its answer is drawn and written
        yield one


def overlay(
    pixels: np.ndarray, mask: np.ndarray, objects: np.ndarray | None = None, side: int = OVERLAY_SIDE
) -> np.ndarray:
    """The class map over the picture, objects outlined, its longer side at most `side`: uint8 (h, w, 3)."""
    coarse = max(1, max(mask.shape) // (2 * side))  # Pillow would copy a huge picture twice
    pixels, mask = pixels[::coarse, ::coarse], mask[::coarse, ::coarse]
    objects = mask if objects is None else objects[::coarse, ::coarse]
    height, width = mask.shape
    if max(height, width) > side:
        size = (max(1, round(width * side / max(mask.shape))), max(1, round(height * side / max(mask.shape))))
        image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)
        pixels = np.asarray(image.resize(size, Image.Resampling.BOX, reducing_gap=2.0)).reshape(size[1], size[0], -1)
        mask, objects = (np.asarray(Image.fromarray(ids).resize(size, Image.Resampling.NEAREST))
                         for ids in (mask, objects))  # fmt: skip
    return overlaid(pixels, mask, objects=objects)
