"""Class maps of whole pictures in their own size, however large they are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import numpy as np
import torch

from anmok.core.classmaps import class_map
from anmok.core.errors import PictureError
from anmok.core.preparation import centre_crop, fit_picture
from anmok.core.tiling import blend, plan_tiles, read_tile
from anmok.core.types import Pictures
from anmok.data.decoding import DecodingPool, decode_many
from anmok.tasks.segment.learning import Segment

LARGE = 8_000_000  # pixels: larger pictures are decoded one at a time, so that memory holds one of them
LARGEST_TILE = 512  # pixels a side
OVERLAP = 0.25  # of the side that the network learned on


class Mapped(NamedTuple):
    """One picture's answer: `position` in the list, its pixels uint8 (H, W, C) and its class map uint8 (H, W).

    `inside`: bool (H, W), where no seam between objects was answered; None where none were learned. `error`: why there
    is no answer.
    """

    position: int
    pixels: np.ndarray | None = None
    mask: np.ndarray | None = None
    inside: np.ndarray | None = None
    error: PictureError | None = None


def class_maps(model: Segment, pictures: Pictures, locators: Sequence[str | int], batch: int) -> Iterator[Mapped]:
    """The answers to pictures, in order, in bounded memory. Decoding goes on in other processes meanwhile."""
    model.network.eval()
    pending: list[tuple[int, np.ndarray]] = []
    whole = model.preparation.fit == "window"
    for position, pixels in _decoded(pictures, locators):
        if isinstance(pixels, PictureError):
            yield from _fitted(model, pending)
            pending = []
            yield Mapped(position, error=pixels)
        elif whole:
            yield Mapped(position, pixels, *tiled_map(model, pixels, batch))
        else:
            pending.append((position, pixels))
            if len(pending) == batch or pixels.shape[0] * pixels.shape[1] > LARGE:
                yield from _fitted(model, pending)
                pending = []
    yield from _fitted(model, pending)


def tiled_map(model: Segment, pixels: np.ndarray, batch: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Class map and `inside` (see `Mapped`) of a picture uint8 (H, W, C) seen tile by tile, at its own size."""
    preparation = model.preparation
    pixels = fit_picture(pixels, preparation)
    side = max(preparation.size, min(2 * preparation.size, LARGEST_TILE))
    overlap = min(round(preparation.size * OVERLAP), side // 2)
    size = (pixels.shape[0], pixels.shape[1])
    tiles, found = plan_tiles(size, side, overlap), np.empty(size, np.uint8)
    inside = np.empty(size, bool) if model.seams else None
    classes = len(model.classes)
    at_once = max(1, min(batch, (2 * LARGEST_TILE // side) ** 2))

    def answers() -> Iterator[np.ndarray]:
        for start in range(0, len(tiles), at_once):
            yield from _asked(model, np.stack([read_tile(pixels, tile) for tile in tiles[start : start + at_once]]))

    for block in blend(tiles, size, answers()):
        found[block.rows, block.columns] = block.values[:classes].argmax(0)
        if inside is not None:
            inside[block.rows, block.columns] = block.values.argmax(0) < classes
    return found, inside


def _fitted(model: Segment, pending: Sequence[tuple[int, np.ndarray]]) -> Iterator[Mapped]:
    """Pictures that the network sees whole, all at once."""
    if not pending:
        return
    preparation = model.preparation
    stored = np.stack([fit_picture(pixels, preparation) for _, pixels in pending])
    scores = _asked(model, centre_crop(stored, preparation.size))
    for (position, pixels), own in zip(pending, scores, strict=True):
        size, classes = (pixels.shape[0], pixels.shape[1]), len(model.classes)
        where = preparation.geometry(size, seen=True)
        inside = class_map(own, where, size) < classes if model.seams else None
        yield Mapped(position, pixels, class_map(own[:classes], where, size), inside)


def _asked(model: Segment, pixels: np.ndarray) -> np.ndarray:
    """Pixels uint8 (n, h, w, C) → probabilities float32 (n, K, h, w)."""
    pictures = torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)
    return model.probabilities(pictures).cpu().numpy()


def _decoded(pictures: Pictures, locators: Sequence[str | int]) -> Iterator[tuple[int, np.ndarray | PictureError]]:
    """Whole pictures in order: small ones some ahead, large ones one by one."""
    places = iter(range(len(locators)))
    while run := list(islice(places, 256)):
        large = [place for place in run if _is_large(pictures, locators[place])]
        first = run[0]
        for stop in [*large, run[-1] + 1]:
            for answer in decode_many(pictures, locators[first:stop], None) if stop > first else ():
                yield first + answer.position, answer.pixels
            if stop in large:
                yield stop, _alone(pictures, locators[stop])
            first = stop + 1


def _alone(pictures: Pictures, locator: str | int) -> np.ndarray | PictureError:
    with DecodingPool(pictures, None, workers=1, timeout=120) as pool:
        found = next(iter(pool.map([locator])))
        return found if isinstance(found, PictureError) else found.pixels


def _is_large(pictures: Pictures, locator: str | int) -> bool:
    frame = getattr(pictures, "frame", None)
    if frame is None:
        return False
    try:
        height, width = frame(locator).size
    except PictureError:
        return False  # decoding will say what is wrong with it
    return bool(height * width > LARGE)
