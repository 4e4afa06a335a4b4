"""Pictures, masks and boxes moved by the same maps, a whole batch at once.

A canvas (one picture of the new batch) is covered by patches. Each patch is a rectangle of the canvas and an affine map
that says, for every point in it, where to look in a stored picture. Usually one patch covers the canvas; a mosaic has
four. Pixels follow the map backwards (bilinear), masks too (nearest: ids are taken, never mixed), boxes forwards.

Coordinates are (x, y) in pixels whose corners are whole numbers: the first pixel's centre is (0.5, 0.5).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from anmok.core.errors import UsageError
from anmok.core.targets import Objects
from anmok.data.moved_objects import Area, on_patch

_TOGETHER = 1 << 19  # values interpolated together: as floats they stay in the processor's cache, in half the time


def few_at_once(pictures: int, values: int) -> Iterator[slice]:
    """So many pictures, of so many values each, a few after the other."""
    each = max(1, _TOGETHER // values)
    return (slice(start, start + each) for start in range(0, pictures, each))


@dataclass(frozen=True)
class Moves:
    """How `canvases` pictures of side `size` are made from stored pictures; p patches in all.

    Attributes:
        canvas: int (p,), the canvas each patch lies on.
        source: int (p,), which of the stored pictures it shows.
        area: int (p, 4), its rectangle on the canvas, xyxy.
        look: float64 (p, 2, 3), canvas point (x, y, 1) → point in the stored picture.
        bend: float32 (canvases, 2, size, size), added to where each pixel looks (x, y), in stored pixels; or None.
    """

    canvases: int
    size: int
    canvas: np.ndarray
    source: np.ndarray
    area: np.ndarray
    look: np.ndarray
    bend: np.ndarray | None = None

    @classmethod
    def whole(cls, look: np.ndarray, size: int, bend: np.ndarray | None = None) -> Moves:
        """One patch a canvas: stored picture k, seen through `look[k]` (n, 2, 3), fills canvas k."""
        own = np.arange(len(look))
        return cls(len(look), size, own, own, np.tile([0, 0, size, size], (len(look), 1)), look, bend)

    def pictures(self, pixels: np.ndarray, fill: Sequence[int] | None) -> np.ndarray:
        """Stored pixels uint8 (n, H, W, C) → (canvases, size, size, C), bilinear.

        Outside the stored picture stands `fill`, a value a channel; None repeats the picture's border.
        """
        if fill is not None and self._copies:
            return self._copied(pixels, np.asarray(fill, np.uint8))
        out = np.empty((self.canvases, self.size, self.size, pixels.shape[3]), np.uint8)
        ground = torch.tensor(0.0 if fill is None else fill, dtype=torch.float32).reshape(-1, 1, 1)
        scale = 2 / torch.tensor([pixels.shape[2], pixels.shape[1]])
        parts = ((alike[few], area) for alike, area in self._alike() for few in few_at_once(len(alike), pixels[0].size))
        for patches, area in parts:
            left, top, right, bottom = area
            stored = torch.tensor(pixels[self.source[patches]]).permute(0, 3, 1, 2).float().sub_(ground)
            grid = self._points(patches, area).mul_(scale).sub_(1)
            padding = "border" if fill is None else "zeros"
            moved = F.grid_sample(stored, grid, mode="bilinear", padding_mode=padding, align_corners=False)
            values = moved.add_(ground).round_().clamp_(0, 255).to(torch.uint8).permute(0, 2, 3, 1).numpy()
            out[self.canvas[patches], top:bottom, left:right] = values
        return out

    def masks(self, ids: np.ndarray, fill: int) -> np.ndarray:
        """Stored ids (n, H, W) of any integer type → (canvases, size, size): the id each pixel's centre looks at."""
        if self._copies:
            return self._copied(ids, np.asarray(fill, ids.dtype))
        out = np.empty((self.canvases, self.size, self.size), ids.dtype)
        height, width = ids.shape[1:]
        for patches, area in self._alike():
            left, top, right, bottom = area
            x, y = self._points(patches, area).floor_().unbind(-1)
            outside = ((x < 0) | (x >= width) | (y < 0) | (y >= height)).numpy()
            place = y.int().clamp_(0, height - 1).mul_(width).add_(x.int().clamp_(0, width - 1)).numpy()
            for canvas, source, at, beyond in zip(
                self.canvas[patches], self.source[patches], place, outside, strict=True
            ):
                found = ids[source].reshape(-1)[at]
                found[beyond] = fill
                out[canvas, top:bottom, left:right] = found
        return out

    def objects(
        self, objects: Sequence[Objects], stored: Sequence[np.ndarray], *, draw: bool = False
    ) -> list[dict[str, np.ndarray]]:
        """What is on each canvas of the objects in each stored picture.

        Args:
            objects: of each stored picture, in its original's pixels.
            stored: float64 (2, 3) each, original → stored pixels (`Geometry.matrix`).
            draw: also draw the regions.

        Returns:
            A dict a canvas: `boxes` float32 (M, 4) clipped to what is visible, `labels` int64 (M,), `crowd` and
            `difficult` bool (M,), and where drawn `masks` bool (M, size, size). An object has left the picture, and is
            dropped, where less than `LEAST_VISIBLE` of its moved box's area is visible. Where a region is known, the
            box of a turned or cut object is that of what is visible of the region.

        Raises:
            UsageError: pictures are bent, which boxes cannot follow; or regions should be drawn and are missing.
        """
        if self.bend is not None:
            raise UsageError("boxes cannot follow an elastic deformation", fix="elastic=0")
        found: list[list[dict[str, np.ndarray]]] = [[] for _ in range(self.canvases)]
        for canvas, source, area, look in zip(self.canvas, self.source, self.area, self.look, strict=True):
            forward = _after(_inverse(look), stored[source])
            found[canvas].append(on_patch(objects[source], forward, tuple(area.tolist()), self.size, draw))
        return [{key: np.concatenate([part[key] for part in parts]) for key in parts[0]} for parts in found]

    @property
    def _copies(self) -> bool:
        """Whether pixels only change places: mirrored or not, moved by whole pixels, nothing mixed."""
        turns, offset = self.look[:, :, :2], self.look[:, :, 2]
        unit = np.array_equal(np.abs(turns), np.broadcast_to(np.eye(2), turns.shape))
        return self.bend is None and unit and not (offset % 1).any()

    def _copied(self, stored: np.ndarray, fill: np.ndarray) -> np.ndarray:
        out = np.empty((self.canvases, self.size, self.size, *stored.shape[3:]), stored.dtype)
        for canvas, source, area, look in zip(self.canvas, self.source, self.area, self.look, strict=True):
            left, top, right, bottom = area.tolist()
            picture, steps = stored[source], look.astype(np.int64).tolist()
            columns, to_columns = _slices(left, right, steps[0][0], steps[0][2], picture.shape[1])
            rows, to_rows = _slices(top, bottom, steps[1][1], steps[1][2], picture.shape[0])
            if (to_rows.stop - to_rows.start, to_columns.stop - to_columns.start) != (bottom - top, right - left):
                out[canvas, top:bottom, left:right] = fill
            out[canvas, to_rows, to_columns] = picture[rows, columns]
        return out

    def _alike(self) -> Iterator[tuple[np.ndarray, Area]]:
        """Patches by their rectangle, so that equal ones go through one operation; empty ones not at all."""
        groups: defaultdict[Area, list[int]] = defaultdict(list)
        for patch, (left, top, right, bottom) in enumerate(self.area.tolist()):
            if left < right and top < bottom:
                groups[left, top, right, bottom].append(patch)
        for area, patches in groups.items():
            yield np.array(patches), area

    def _points(self, patches: np.ndarray, area: Area) -> torch.Tensor:
        """Where the pixels of some patches of one rectangle look: float32 (patches, height, width, 2), (x, y)."""
        left, top, right, bottom = area
        x, y = torch.arange(left, right) + 0.5, torch.arange(top, bottom)[:, None, None] + 0.5
        look = torch.from_numpy(self.look[patches]).float()[:, None, None]  # patches, 1, 1, 2, 3
        points = look[..., 0] * x[:, None] + (look[..., 1] * y + look[..., 2])
        if self.bend is not None:
            bent = torch.from_numpy(self.bend[self.canvas[patches], :, top:bottom, left:right])
            points = points + bent.permute(0, 2, 3, 1)
        return points


def _slices(start: int, end: int, step: int, offset: int, length: int) -> tuple[slice, slice]:
    """(stored, canvas) pixels along one axis, where canvas pixel i shows `offset + i`, or mirrored `offset - 1 - i`."""
    if step > 0:
        first, last = max(start, -offset), min(end, length - offset)
        last = max(first, last)
        return slice(first + offset, last + offset), slice(first, last)
    first, last = max(start, offset - length), min(end, offset)
    last = max(first, last)
    stop = offset - 1 - last
    return slice(offset - 1 - first, stop if stop >= 0 else None, -1), slice(first, last)


def _inverse(move: np.ndarray) -> np.ndarray:
    """The way back of an affine map (2, 3)."""
    back = np.linalg.inv(move[:, :2])
    return np.concatenate([back, -back @ move[:, 2:]], 1)


def _after(second: np.ndarray, first: np.ndarray) -> np.ndarray:
    """One affine map (2, 3) for two."""
    joined = second[:, :2] @ first
    joined[:, 2] += second[:, 2]
    return joined
