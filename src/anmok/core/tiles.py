"""Large pictures in overlapping tiles: what a network says of each is blended where tiles meet, so no seam shows.

Each tile's weight rises and falls in a straight line across its overlaps, and the weights of all tiles add up to one.
What is finished is handed on at once: memory holds one overlap's strip across the picture and a few tiles, not the
picture's answers. NumPy only, so that training and the shipped model cut alike.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from anmok.core.errors import UsageError

Answer = Callable[[np.ndarray], np.ndarray]  # tiles (n, h, w, C) → (n, K, h, w)


class Block(NamedTuple):
    """A finished part of a picture: `values` float32 (K, h, w), its upper left pixel at row `top`, column `left`."""

    top: int
    left: int
    values: np.ndarray


def starts(length: int, side: int, overlap: int) -> list[int]:
    """Where tiles of `side` begin on `length` pixels: evenly spread, as few as overlap by at least `overlap`.

    >>> starts(100, 40, 10)
    [0, 30, 60]
    >>> starts(110, 40, 10), starts(30, 40, 10)
    ([0, 23, 47, 70], [0])
    """
    if length <= side:
        return [0]
    count = -(-(length - overlap) // (side - overlap))
    return [round(place * (length - side) / (count - 1)) for place in range(count)]


def tiled(pixels: np.ndarray, side: int, overlap: int, answer: Answer, at_once: int = 4) -> Iterator[Block]:
    """Blended answers for a picture, block by block; the blocks cover every pixel once.

    Args:
        pixels: (H, W, C).
        side: height and width of a tile; a picture that is smaller is one tile of its own size.
        overlap: pixels by which neighbours overlap at least, at most half of `side`.
        answer: what is asked about tiles (n, h, w, C), all of one size: gives (n, K, h, w).
        at_once: tiles asked about together.

    Raises:
        UsageError: the overlap leaves no room to step.
    """
    if not 0 <= 2 * overlap <= side:
        raise UsageError("tiles overlap by half of their side at most", got=f"{overlap} of {side}",
                         allowed=f"0 to {side // 2}")  # fmt: skip
    height, width = pixels.shape[:2]
    h, w = min(side, height), min(side, width)
    rows, columns = starts(height, h, overlap), starts(width, w, overlap)
    above: np.ndarray | None = None  # what the last row of tiles said of its overlap with this one, (K, overlap, W)
    for place, (top, down) in enumerate(zip(rows, _weights(rows, h), strict=True)):
        done = (rows[place + 1] if place + 1 < len(rows) else height) - top
        below: list[np.ndarray] = []
        strips = _strips(_answers(pixels, top, h, columns, w, answer, at_once), columns, w, width)
        for left, strip in strips:
            strip *= down[None, :, None]
            if above is not None:
                strip[:, : above.shape[1]] += above[:, :, left : left + strip.shape[2]]
            below.append(strip[:, done:].copy())  # a view would keep the whole tile
            yield Block(top, left, strip[:, :done])
        above = np.concatenate(below, axis=2) if done < h else None


def _answers(
    pixels: np.ndarray, top: int, h: int, columns: Sequence[int], w: int, answer: Answer, at_once: int
) -> Iterator[np.ndarray]:
    """What is said of each tile of one row, (K, h, w) each."""
    for first in range(0, len(columns), at_once):
        tiles = [pixels[top : top + h, left : left + w] for left in columns[first : first + at_once]]
        yield from answer(np.stack(tiles))


def _strips(
    answers: Iterator[np.ndarray], columns: Sequence[int], w: int, width: int
) -> Iterator[tuple[int, np.ndarray]]:
    """One row's answers blended along it: (left, (K, h, columns that no later tile touches))."""
    before: np.ndarray | None = None
    for place, (values, across) in enumerate(zip(answers, _weights(columns, w), strict=True)):
        left = columns[place]
        strip = values.astype(np.float32) * across
        if before is not None:
            strip[:, :, : before.shape[2]] += before
        done = (columns[place + 1] if place + 1 < len(columns) else width) - left
        before = strip[:, :, done:]
        yield left, strip[:, :, :done]


def _weights(begins: Sequence[int], side: int) -> list[np.ndarray]:
    """Each tile's weights along one axis, float32 (side,); over all tiles they add up to one at every pixel."""
    ramps = [_ramp(begins, place, side) for place in range(len(begins))]
    total = np.zeros(begins[-1] + side, np.float32)
    for begin, ramp in zip(begins, ramps, strict=True):
        total[begin : begin + side] += ramp
    return [ramp / total[begin : begin + side] for begin, ramp in zip(begins, ramps, strict=True)]


def _ramp(begins: Sequence[int], place: int, side: int) -> np.ndarray:
    """Up across the overlap with the tile before, down across the overlap with the one after."""
    ramp = np.ones(side, np.float32)
    rising = (np.arange(side, dtype=np.float32) + 0.5) / side
    if place > 0 and (shared := side - (begins[place] - begins[place - 1])):
        ramp[:shared] *= rising[:shared] * side / shared
    if place + 1 < len(begins) and (shared := side - (begins[place + 1] - begins[place])):
        ramp[-shared:] *= rising[:shared][::-1] * side / shared
    return ramp
