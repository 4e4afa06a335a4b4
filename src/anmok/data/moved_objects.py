"""Where objects are after a move: boxes around what is visible, objects that left, regions drawn in their new place."""

from __future__ import annotations

import numpy as np

from anmok.core.errors import UsageError
from anmok.core.regions import Region
from anmok.core.targets import Objects

LEAST_VISIBLE = 0.1  # share of a moved box's area that must stay visible, else the object has left the picture
Area = tuple[int, int, int, int]  # xyxy, in pixels of the canvas


def on_patch(objects: Objects, forward: np.ndarray, area: Area, size: int, draw: bool) -> dict[str, np.ndarray]:
    """What is seen of a picture's objects in one area of a canvas of side `size`, as `Moves.objects` answers.

    Args:
        objects: in the picture's pixels.
        forward: float64 (2, 3), picture → canvas.
        area: xyxy on the canvas.
        draw: also draw the regions.

    Raises:
        UsageError: a region should be drawn and is missing.
    """
    moved, visible = moved_boxes(objects.boxes, forward, area)
    whole, seen = ((box[:, 2:] - box[:, :2]).prod(1) for box in (moved, visible))
    keep = np.flatnonzero(seen >= LEAST_VISIBLE * np.maximum(whole, 1e-9))
    turned = bool(forward[0, 1] or forward[1, 0])
    changed = [place for place in keep if turned or not np.array_equal(moved[place], visible[place])]
    for place in changed if objects.regions is not None else ():
        region = objects.regions[place] if objects.regions is not None else None
        if region is not None and (box := _around(_cut(region, forward, area, size))) is not None:
            visible[place] = box
    flags = {name: getattr(objects, name) for name in ("crowd", "difficult")}
    found = {
        "boxes": visible[keep].astype(np.float32),
        "labels": objects.labels[keep],
        **{name: np.zeros(len(keep), bool) if flag is None else flag[keep] for name, flag in flags.items()},
    }
    return found | ({"masks": _drawn(objects, keep, forward, area, size)} if draw else {})


def moved_boxes(boxes: np.ndarray, forward: np.ndarray, area: Area) -> tuple[np.ndarray, np.ndarray]:
    """Boxes (M, 4) moved by an affine map (2, 3), and what is visible of them in an area; float64 (M, 4) each.

    A turned box is a parallelogram; its box is the smallest upright one around it, and around its visible part. What
    is not visible at all has a box without area.
    """
    corners = boxes.astype(np.float64)[:, [[0, 1], [2, 1], [2, 3], [0, 3]]] @ forward[:, :2].T + forward[:, 2]
    moved = np.concatenate([corners.min(1), corners.max(1)], 1)
    low, high = np.array(area[:2], np.float64), np.array(area[2:], np.float64)
    if not (forward[0, 1] or forward[1, 0]):
        visible = np.concatenate([moved[:, :2].clip(low, high), moved[:, 2:].clip(low, high)], 1)
        return moved, visible
    # The visible part's corners: where the sides enter and leave the area, and the area's corners inside.
    sides = np.roll(corners, -1, axis=1) - corners
    slopes = np.where(np.abs(sides) < 1e-12, 1e-12, sides)
    bounds = np.sort([(low - corners) / slopes, (high - corners) / slopes], axis=0)  # as parts of each side's length
    enter, leave = bounds[0].max(2).clip(0), bounds[1].min(2).clip(max=1)  # M, 4
    known = np.tile(enter <= leave, 2)
    on_sides = np.concatenate([corners + sides * part.clip(0, 1)[..., None] for part in (enter, leave)], 1)
    ends = np.array([[x, y] for x in (low[0], high[0]) for y in (low[1], high[1])])
    to_ends = ends[None, :, None] - corners[:, None]  # M, ends, corners, 2
    turns = sides[:, None, :, 0] * to_ends[..., 1] - sides[:, None, :, 1] * to_ends[..., 0]
    inside = (turns >= 0).all(2) | (turns <= 0).all(2)
    points = np.concatenate([on_sides, np.broadcast_to(ends, (len(boxes), 4, 2))], 1)
    known = np.concatenate([known, inside], 1)[..., None]
    first, last = (np.where(known, points, beyond) for beyond in (np.inf, -np.inf))
    visible = np.concatenate([first.min(1), last.max(1)], 1).clip(np.tile(low, 2), np.tile(high, 2))
    return moved, np.where(known.any(1), visible, 0.0)


def _cut(region: Region, forward: np.ndarray, area: Area, size: int) -> np.ndarray:
    """bool (size, size): a moved region, cut off at the patch."""
    left, top, right, bottom = area
    mask = np.zeros((size, size), bool)
    mask[top:bottom, left:right] = region.draw((size, size), forward)[top:bottom, left:right]
    return mask


def _around(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """xyxy around what is inside; None where nothing is."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if len(rows) else None


def _drawn(objects: Objects, keep: np.ndarray, forward: np.ndarray, area: Area, size: int) -> np.ndarray:
    """bool (M, size, size): the regions of the objects at `keep`, cut off at the patch."""
    masks = np.zeros((len(keep), size, size), bool)
    for mask, place in zip(masks, keep, strict=True):
        region = objects.regions[place] if objects.regions is not None else None
        if region is None:
            raise UsageError("an object has no region to be drawn", allowed="polygons or run lengths for every object")
        mask[:] = _cut(region, forward, area, size)
    return masks
