"""Where loaders get pictures with masks and geometry from: whole squares, random windows, or tiles in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from anmok.core.preparation import Preparation
from anmok.core.targets import IGNORE
from anmok.core.tiling import Tile, plan_tiles
from anmok.data.pixel_sources import PixelSource
from anmok.data.records import Layout, Stored
from anmok.data.window_sources import WindowSource

MOST_WINDOWS = 64  # that an epoch draws from one picture, however large


class LabelledSource(Protocol):
    """Pictures with what belongs to them, by row."""

    @property
    def layout(self) -> Layout:
        """What a record holds."""

    def gather(self, rows: np.ndarray, generator: np.random.Generator | None) -> tuple[Stored, np.ndarray]:
        """The rows int (n,), and for each the map original → stored pixels, float64 (n, 2, 3).

        `generator` decides where chance does; without one, every row has one answer.
        """


@dataclass(frozen=True)
class Squares:
    """Pictures fitted whole into the stored square."""

    source: PixelSource
    layout: Layout

    def gather(self, rows: np.ndarray, generator: np.random.Generator | None) -> tuple[Stored, np.ndarray]:
        """See `LabelledSource`."""
        stored = self.layout.unpack(self.source.gather(rows))
        return stored, placed(self.layout.preparation, stored.sizes)


@dataclass(frozen=True)
class Windows:
    """Squares of side `store` from anywhere in whole pictures; without chance, their middle."""

    source: WindowSource
    layout: Layout

    def gather(self, rows: np.ndarray, generator: np.random.Generator | None) -> tuple[Stored, np.ndarray]:
        """See `LabelledSource`. Pictures smaller than the window lie in its middle."""
        side = self.layout.preparation.store
        room = self.source.sizes[rows] - side  # n, (down, across)
        where = 0.5 if generator is None else generator.random(room.shape)
        corners = np.where(room > 0, np.floor((room + 1) * where), room // 2).astype(np.int64)
        return self.source.windows(rows, corners, side), _cut(corners)


@dataclass(frozen=True)
class Tiles:
    """Whole pictures tile by tile: row k is `tiles[k]`, of the picture `pictures[k]`.

    What an earlier tile shows as well is ignored in the class map, so that every pixel counts once.
    """

    source: WindowSource
    layout: Layout
    pictures: np.ndarray
    tiles: tuple[Tile, ...]

    def gather(self, rows: np.ndarray, generator: np.random.Generator | None) -> tuple[Stored, np.ndarray]:
        """See `LabelledSource`."""
        tiles = [self.tiles[row] for row in rows]
        corners = np.array([(tile.top, tile.left) for tile in tiles], np.int64)
        stored = self.source.windows(self.pictures[rows], corners, self.layout.preparation.size)
        for k, tile in enumerate(tiles if stored.classes is not None else ()):
            assert stored.classes is not None
            stored.classes[k, : tile.seen_above] = IGNORE
            stored.classes[k, :, : tile.seen_left] = IGNORE
        return stored, _cut(corners)


def for_training(source: Any, layout: Layout, rows: np.ndarray) -> tuple[LabelledSource, np.ndarray, np.ndarray]:
    """What an epoch draws from the pictures at `rows` of what `anmok.data.cache.build` made.

    Returns:
        Where from; its rows; and for each of these the position in `rows` of the picture it shows. Whole squares show
        every picture once; windows, as many from each picture as its area holds, at most `MOST_WINDOWS`.
    """
    if not layout.whole:
        return Squares(source, layout), rows, np.arange(len(rows))
    held = source.sizes[rows].prod(1) // layout.preparation.size**2
    shown = np.repeat(np.arange(len(rows)), np.clip(held, 1, MOST_WINDOWS))
    return Windows(source, layout), rows[shown], shown


def for_judging(source: Any, layout: Layout, rows: np.ndarray) -> tuple[LabelledSource, np.ndarray, np.ndarray]:
    """As `for_training`, for showing everything in order: whole squares, or large pictures tile by tile."""
    if not layout.whole:
        return Squares(source, layout), rows, np.arange(len(rows))
    plans = [plan_tiles((height, width), layout.preparation.size) for height, width in source.sizes[rows].tolist()]
    shown = np.repeat(np.arange(len(rows)), [len(plan) for plan in plans])
    tiles = tuple(tile for plan in plans for tile in plan)
    return Tiles(source, layout, rows[shown], tiles), np.arange(len(tiles)), shown


def placed(preparation: Preparation, sizes: np.ndarray) -> np.ndarray:
    """float64 (n, 2, 3): the map original → stored pixels of pictures of these sizes int (n, 2), (height, width)."""
    return np.stack([preparation.geometry((height, width)).matrix() for height, width in sizes.tolist()])


def _cut(corners: np.ndarray) -> np.ndarray:
    moved = np.tile(np.eye(2, 3), (len(corners), 1, 1))
    moved[:, :, 2] = -corners[:, ::-1]
    return moved
