"""Parts of a picture: polygons and run lengths, kept as they were annotated and drawn when they are needed.

A pixel (column x, row y) covers [x, x + 1) × [y, y + 1), as boxes count too; it belongs to a polygon where its centre
does. Drawing takes an affine map, so that a region is drawn straight into an augmented picture, without a detour over
pixels that would be moved afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from anmok.core.errors import DataError
from anmok.core.orientation import turn_array, turn_points


class Region(Protocol):
    """One object's pixels, in the upright picture's coordinates."""

    def draw(self, size: tuple[int, int], move: np.ndarray | None = None) -> np.ndarray:
        """bool (height, width) of `size`. `move` (2, 3): affine map from picture pixels (x, y, 1) to drawn ones."""

    def turned(self, orientation: int, size: tuple[int, int]) -> Region:
        """The region of a stored frame of `size` (height, width), in the upright frame."""

    def box(self, move: np.ndarray | None = None) -> np.ndarray:
        """float64 (4,): the smallest xyxy box around it, moved as `draw` says; zeros where it is empty."""

    def told(self) -> bytes:
        """What digests are made of."""


@dataclass(frozen=True, slots=True, eq=False)
class Polygons:
    """The union of closed rings, each float32 (K, 2) of (x, y) in absolute pixels, K at least 3.

    Raises:
        DataError: a ring has fewer than three points, or one that is no finite number.
    """

    rings: tuple[np.ndarray, ...]

    def __post_init__(self) -> None:
        rings = tuple(np.asarray(ring, np.float32).reshape(-1, 2) for ring in self.rings)
        if not rings or any(len(ring) < 3 or not np.isfinite(ring).all() for ring in rings):
            got = [len(ring) for ring in rings]
            raise DataError("this is no polygon", got=f"rings of {got} points", allowed="3 or more finite points each")
        object.__setattr__(self, "rings", rings)

    def draw(self, size: tuple[int, int], move: np.ndarray | None = None) -> np.ndarray:
        """See `Region`."""
        drawn = np.zeros(size, bool)
        for ring in self.rings:
            points = ring.astype(np.float64)
            _fill(drawn, points if move is None else points @ move[:, :2].T + move[:, 2])
        return drawn

    def turned(self, orientation: int, size: tuple[int, int]) -> Polygons:
        """See `Region`."""
        return Polygons(tuple(turn_points(ring, orientation, size) for ring in self.rings))

    def box(self, move: np.ndarray | None = None) -> np.ndarray:
        """See `Region`."""
        return _around(np.concatenate(self.rings).astype(np.float64), move)

    def told(self) -> bytes:
        """See `Region`."""
        return b"|".join(ring.tobytes() for ring in self.rings)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Polygons) and self.told() == other.told()


def _around(points: np.ndarray, move: np.ndarray | None) -> np.ndarray:
    moved = points if move is None else points @ move[:, :2].T + move[:, 2]
    return np.concatenate([moved.min(0), moved.max(0)])


def _fill(drawn: np.ndarray, points: np.ndarray) -> None:
    """Add the pixels whose centres lie in a ring (even-odd rule): each edge toggles all that is right of it."""
    height, width = drawn.shape
    (x0, y0), (x1, y1) = points.T, np.roll(points, -1, axis=0).T
    first = np.clip(np.ceil(np.minimum(y0, y1) - 0.5), 0, height).astype(np.int64)
    last = np.clip(np.ceil(np.maximum(y0, y1) - 0.5), 0, height).astype(np.int64)
    crossed = last - first  # rows whose centres each edge crosses
    if not crossed.any():
        return
    edge = np.repeat(np.arange(len(points)), crossed)
    row = np.arange(crossed.sum()) - np.repeat(crossed.cumsum() - crossed, crossed) + first[edge]
    slope = (x1 - x0)[edge] / (y1 - y0)[edge]
    column = np.ceil(x0[edge] + (row + 0.5 - y0[edge]) * slope - 0.5)
    top, bottom = int(row.min()), int(row.max()) + 1
    toggles = np.zeros((bottom - top, width + 1), np.uint8)
    np.bitwise_xor.at(toggles, (row - top, np.clip(column, 0, width).astype(np.int64)), 1)
    drawn[top:bottom] |= np.bitwise_xor.accumulate(toggles[:, :width], axis=1).view(bool)


@dataclass(frozen=True, slots=True, eq=False)
class RunLengths:
    """COCO's run lengths: pixels counted down the columns, outside and inside in turn, beginning with outside.

    Args:
        size: (height, width) of the picture.
        counts: lengths whose sum is height · width.

    Raises:
        DataError: the sum is another, or a length is negative.
    """

    size: tuple[int, int]
    counts: np.ndarray

    def __post_init__(self) -> None:
        height, width = (int(side) for side in self.size)
        counts = np.asarray(self.counts, np.int64).reshape(-1)
        if min(height, width) < 0 or (counts < 0).any() or int(counts.sum()) != height * width:
            got = f"{len(counts)} runs of {int(counts.sum())} pixels in all"
            raise DataError("the run lengths do not fit the picture", got=got, allowed=f"{height} × {width} pixels")
        object.__setattr__(self, "size", (height, width))
        object.__setattr__(self, "counts", counts.astype(np.uint32))

    @classmethod
    def of(cls, mask: np.ndarray) -> RunLengths:
        """The run lengths of a mask (H, W); what is not zero is inside.

        >>> RunLengths.of(np.array([[0, 1], [0, 1]])).counts.tolist()
        [2, 2]
        """
        flat = np.asarray(mask, bool).ravel(order="F")
        edges = np.flatnonzero(np.diff(flat, prepend=False))
        return cls(mask.shape[:2], np.diff(edges, prepend=0, append=flat.size))

    @classmethod
    def from_text(cls, size: tuple[int, int], text: str) -> RunLengths:
        """From the compressed string of COCO's files. Raises `DataError` where it is none of this size."""
        counts: list[int] = []
        value = shift = 0
        for byte in text.encode(errors="replace"):
            piece = byte - 48
            if not 0 <= piece < 64 or shift > 40:
                raise DataError("this is no compressed run-length string", got=repr(text[:40]))
            value |= (piece & 31) << shift
            shift += 5
            if piece < 32:  # the last piece of this number, which is signed and from the third on a difference
                value -= (piece & 16) << (shift - 4)
                counts.append(value + (counts[-2] if len(counts) > 2 else 0))
                value = shift = 0
        return cls(size, np.array(counts, np.int64))

    def to_text(self) -> str:
        """The compressed string of COCO's files."""
        counts, text = self.counts.tolist(), []
        for place, count in enumerate(counts):
            value, more = count - counts[place - 2] if place > 2 else count, True
            while more:
                piece, value = value & 31, value >> 5
                more = value != (-1 if piece & 16 else 0)
                text.append(chr(48 + piece + 32 * more))
        return "".join(text)

    def bitmap(self) -> np.ndarray:
        """bool (height, width) of the whole picture."""
        inside = np.arange(len(self.counts)) % 2 == 1
        return np.repeat(inside, self.counts).reshape(self.size, order="F")

    def draw(self, size: tuple[int, int], move: np.ndarray | None = None) -> np.ndarray:
        """See `Region`; moved pixels are those whose centres come from inside."""
        if move is None:
            move = np.eye(2, 3)
        here, drawn, (height, width) = self.bitmap(), np.zeros(size, bool), self.size
        left, top, right, bottom = self.box()
        corners = np.array([[left, top], [right, top], [right, bottom], [left, bottom]]) @ move[:, :2].T + move[:, 2]
        (x0, y0), (x1, y1) = np.floor(corners.min(0)), np.ceil(corners.max(0))
        x, y = np.arange(max(x0, 0), min(x1, size[1])) + 0.5, np.arange(max(y0, 0), min(y1, size[0])) + 0.5
        if not len(x) or not len(y):
            return drawn
        back = np.linalg.inv(move[:, :2])
        offset = back @ move[:, 2]
        column = np.floor(back[0, 0] * x[None] + back[0, 1] * y[:, None] - offset[0]).astype(np.int64)
        row = np.floor(back[1, 0] * x[None] + back[1, 1] * y[:, None] - offset[1]).astype(np.int64)
        known = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        found = here[np.clip(row, 0, height - 1), np.clip(column, 0, width - 1)] & known
        drawn[int(y[0]) : int(y[-1]) + 1, int(x[0]) : int(x[-1]) + 1] = found
        return drawn

    def turned(self, orientation: int, size: tuple[int, int]) -> RunLengths:
        """See `Region`."""
        return RunLengths.of(turn_array(self.bitmap(), orientation))

    def box(self, move: np.ndarray | None = None) -> np.ndarray:
        """See `Region`."""
        ends, height = self.counts.astype(np.int64).cumsum(), self.size[0]
        starts, last = ends[0::2][: len(ends[1::2])], ends[1::2] - 1
        starts, last = starts[last >= starts], last[last >= starts]
        if not len(starts):
            return np.zeros(4)
        # The pixels at the corners of each run, which may go over several columns.
        long = starts // height != last // height
        over, into = starts[long] // height, last[long] // height
        corners = [starts, last, over * height + height - 1, (over + 1) * height, into * height - 1, into * height]
        column, row = np.divmod(np.concatenate(corners), height)
        points = [np.stack([column + dx, row + dy], 1) for dx in (0, 1) for dy in (0, 1)]
        return _around(np.concatenate(points).astype(np.float64), move)

    def told(self) -> bytes:
        """See `Region`."""
        return f"{self.size}".encode() + self.counts.tobytes()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RunLengths) and self.told() == other.told()


def as_polygons(flat: Sequence[Sequence[float]]) -> Polygons:
    """COCO's lists [x, y, x, y, …], one a ring. Raises `DataError` as `Polygons`, and where a number is left over."""
    if any(len(ring) % 2 for ring in flat):
        raise DataError("a polygon has an x without a y", got=f"{[len(ring) for ring in flat]} numbers")
    return Polygons(tuple(np.asarray(ring, np.float32) for ring in flat))
