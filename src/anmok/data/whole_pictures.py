"""Whole pictures at their own size, in order and in bounded memory: small ones some ahead, large ones one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.types import Pictures
from anmok.data.decoding import DecodingPool, decode_many

LARGE = 8_000_000  # pixels: larger pictures are decoded one at a time, so that memory holds one of them
PATIENCE = 120  # seconds for one of these


def whole_pictures(
    pictures: Pictures, locators: Sequence[str | int]
) -> Iterator[tuple[int, np.ndarray | PictureError]]:
    """Position and pixels uint8 (H, W, 1 or 3) of each; an error where it cannot be read. Other processes decode."""
    places = iter(range(len(locators)))
    while run := list(islice(places, 256)):
        large = [place for place in run if is_large(pictures, locators[place])]
        first = run[0]
        for stop in [*large, run[-1] + 1]:
            for answer in decode_many(pictures, locators[first:stop], None) if stop > first else ():
                yield first + answer.position, answer.pixels
            if stop in large:
                yield stop, _alone(pictures, locators[stop])
            first = stop + 1


def _alone(pictures: Pictures, locator: str | int) -> np.ndarray | PictureError:
    with DecodingPool(pictures, None, workers=1, timeout=PATIENCE) as pool:
        found = next(iter(pool.map([locator])))
        return found if isinstance(found, PictureError) else found.pixels


def is_large(pictures: Pictures, locator: str | int) -> bool:
    """Whether a picture's header says that it is large; False where it has none."""
    frame = getattr(pictures, "frame", None)
    if frame is None:
        return False
    try:
        height, width = frame(locator).size
    except PictureError:
        return False  # decoding will say what is wrong with it
    return bool(height * width > LARGE)
