"""The eight orientations of EXIF: turning arrays, points and boxes from the stored frame to the upright one.

A camera stores pixels as its sensor lies and notes in EXIF how to turn them. The *stored* frame is that of the file's
bytes, the *upright* one that of the picture as anmok decodes it. Sizes are (height, width), points (x, y).
"""

from __future__ import annotations

import numpy as np

UPRIGHT = 1
_SWAPPING = (5, 6, 7, 8)  # height and width change places


def upright_size(size: tuple[int, int], orientation: int) -> tuple[int, int]:
    """Size (height, width) after turning one of the stored frame; the same function leads back."""
    height, width = size
    return (width, height) if orientation in _SWAPPING else (height, width)


def turn_array(array: np.ndarray, orientation: int) -> np.ndarray:
    """Stored (H, W, …) → upright, as a view. An orientation that EXIF does not know turns nothing."""
    if orientation in (2, 3):
        array = array[:, ::-1]
    if orientation in (3, 4):
        array = array[::-1]
    if orientation in (5, 7):
        array = array.swapaxes(0, 1)
    if orientation == 7:
        array = array[::-1, ::-1]
    if orientation in (6, 8):
        array = np.rot90(array, -1 if orientation == 6 else 1)
    return array


def turn_points(points: np.ndarray, orientation: int, size: tuple[int, int]) -> np.ndarray:
    """Points (…, 2) of a stored frame of `size` (height, width) → the upright frame, as a new array."""
    height, width = size
    x, y = points[..., 0], points[..., 1]
    turned = {
        2: (width - x, y),
        3: (width - x, height - y),
        4: (x, height - y),
        5: (y, x),
        6: (height - y, x),
        7: (height - y, width - x),
        8: (y, width - x),
    }
    return np.stack(turned.get(orientation, (x, y)), axis=-1)


def turn_boxes(boxes: np.ndarray, orientation: int, size: tuple[int, int]) -> np.ndarray:
    """Boxes (M, 4), xyxy, of a stored frame of `size` (height, width) → the upright frame."""
    corners = turn_points(boxes.reshape(-1, 2, 2), orientation, size)
    return np.concatenate([corners.min(1), corners.max(1)], axis=1)
