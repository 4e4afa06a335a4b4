"""Large pictures in overlapping tiles, and the tiles' answers blended back into one, in bounded memory.

    tiles = plan_tiles((height, width), side=512, overlap=64)
    for block in blend(tiles, (height, width), (scores(tile) for tile in tiles)):
        mask[block.rows, block.columns] = block.values.argmax(0)

Tiles go from left to right and from top to bottom. Each answer counts most in its tile's middle and fades out over the
overlap; at every pixel the weights of all tiles sum to 1. What no later tile can change is handed out at once, so what
is kept is as large as one row of tiles' overlap, not as the picture.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from anmok.core.errors import UsageError


class Tile(NamedTuple):
    """A square of `side` pixels whose upper left pixel is (`top`, `left`).

    `seen_above` rows and `seen_left` columns at its edges belong to the tile above and to the one before as well. Where
    the picture is smaller than a tile, the tile reaches out of it, below and to the right.
    """

    top: int
    left: int
    side: int
    seen_above: int = 0
    seen_left: int = 0


class Block(NamedTuple):
    """Finished values (K, h, w) and where they belong: picture[rows, columns]."""

    rows: slice
    columns: slice
    values: np.ndarray


def plan_tiles(size: tuple[int, int], side: int, overlap: int = 0) -> tuple[Tile, ...]:
    """Tiles that cover a picture of `size` (height, width), row by row, as few as there can be, evenly spaced.

    Neighbours share at least `overlap` pixels, and more where the side does not divide the picture.

    Raises:
        UsageError: tiles that would never get on.

    >>> [tile[:2] for tile in plan_tiles((4, 10), 4, 1)]
    [(0, 0), (0, 3), (0, 6)]
    """
    if not 0 <= overlap < side:
        raise UsageError(
            "tiles must be larger than their overlap", got=f"{side} and {overlap}", allowed="0 to side - 1"
        )
    tops, lefts = (_starts(length, side, overlap) for length in size)
    above, before = _shared(tops, side), _shared(lefts, side)
    return tuple(
        Tile(top, left, side, seen_above, seen_left)
        for top, seen_above in zip(tops, above, strict=True)
        for left, seen_left in zip(lefts, before, strict=True)
    )


def _starts(length: int, side: int, overlap: int) -> list[int]:
    if length <= side:
        return [0]
    count = -(-(length - overlap) // (side - overlap))
    return [(length - side) * k // (count - 1) for k in range(count)]


def _shared(starts: Sequence[int], side: int) -> list[int]:
    """For each start, how many pixels belong to the one before as well."""
    return [0, *(first + side - second for first, second in pairwise(starts))]


def read_tile(pixels: np.ndarray, tile: Tile) -> np.ndarray:
    """The tile (side, side, …) of a whole picture (H, W, …); what is missing repeats by reflection, as U-Net's."""
    part = pixels[tile.top : tile.top + tile.side, tile.left : tile.left + tile.side]
    missing = [(0, tile.side - length) for length in part.shape[:2]]
    if not any(after for _, after in missing):
        return part
    return np.pad(part, [*missing, *[(0, 0)] * (part.ndim - 2)], mode="symmetric")


def blend(tiles: Sequence[Tile], size: tuple[int, int], values: Iterable[np.ndarray]) -> Iterator[Block]:
    """Values float (K, side, side) of each tile, in order, as blocks that cover the picture (height, width) once."""
    tops, lefts = (sorted({tile[axis] for tile in tiles}) for axis in (0, 1))
    side, (height, width) = tiles[0].side, size
    down, across = _weights(tops, side), _weights(lefts, side)
    above, before = [*_shared(tops, side), 0], [*_shared(lefts, side), 0]
    beside = carried = carrying = np.zeros((0, 0, 0), np.float32)
    for number, (tile, value) in enumerate(zip(tiles, values, strict=True)):
        row, column = divmod(number, len(lefts))
        done, finished = side - before[column + 1], side - above[row + 1]
        if column == 0:
            carried = carrying
            carrying = np.zeros((len(value), above[row + 1], width), np.float32)
        weighted = value.astype(np.float32) * (down[row][:, None] * across[column])
        if column:
            weighted[:, :, : before[column]] += beside
        beside = weighted[:, :, done:].copy()
        part = weighted[:, :, : min(done, width - tile.left)]
        columns = slice(tile.left, tile.left + part.shape[2])
        if row:
            part[:, : above[row]] += carried[:, :, columns]
        carrying[:, :, columns] = part[:, finished:]
        rows = slice(tile.top, min(tile.top + finished, height))
        yield Block(rows, columns, part[:, : rows.stop - rows.start])


def _weights(starts: Sequence[int], side: int) -> list[np.ndarray]:
    """Each tile's weights float32 (side,) along one axis: ramps over what neighbours share, that sum to 1."""
    shared = [*_shared(starts, side), 0]
    place = np.arange(side) + 0.5
    raw = []
    for k in range(len(starts)):
        rising = place / shared[k] if shared[k] else np.inf
        falling = (side - place) / shared[k + 1] if shared[k + 1] else np.inf
        raw.append(np.minimum(np.minimum(rising, falling), 1.0) * np.ones(side))
    total = np.zeros(starts[-1] + side)
    for start, weights in zip(starts, raw, strict=True):
        total[start : start + side] += weights
    return [(w / total[s : s + side]).astype(np.float32) for s, w in zip(starts, raw, strict=True)]
