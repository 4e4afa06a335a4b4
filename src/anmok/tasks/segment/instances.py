"""Objects that touch, told apart: a class of its own for the seams between them is learned, and answers split there.

The seam is what U-Net's border weights draw attention to, made explicit: pixels that have two objects within `WIDTH`.
Where the network answers "seam", an object ends, and a watershed gives the seam's pixels to the nearer side.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anmok.core.instances import numbered, split_touching, touching
from anmok.core.targets import IGNORE

WIDTH = 2.0  # pixels: what lies so near to two objects is their seam
MOST_PIXELS = 8_000_000  # larger pictures' objects are not told apart: a watershed would need gigabytes
SMALLEST = 4  # pixels of an object that is no noise


def with_seams(targets: Tensor, objects: np.ndarray, seam: int) -> Tensor:
    """Class maps int64 (N, H, W) in which the seams between `objects` int (N, H, W) are of class `seam`."""
    found = np.stack([touching(one, WIDTH) if one.any() else np.zeros(one.shape, bool) for one in objects])
    mark = torch.from_numpy(found).to(targets.device) & (targets != IGNORE)
    return targets.masked_fill(mark, seam)


def objects_of(mask: np.ndarray, background: int | None, inside: np.ndarray | None = None) -> np.ndarray | None:
    """Which object each pixel of a class map uint8 (H, W) belongs to: int32 (H, W), 0 for none.

    Args:
        mask: class ids.
        background: the class that is no object.
        inside: bool (H, W), where no seam was answered; None: objects are what hangs together of one class.

    Returns:
        None where the picture is too large for it.
    """
    if mask.size > MOST_PIXELS:
        return None
    found = np.zeros(mask.shape, np.int32)
    for number in np.unique(mask).tolist():
        if number == background:
            continue
        own = mask == number
        parts = numbered(own) if inside is None else split_touching(own, own & inside, smallest=SMALLEST)
        found = np.where(parts > 0, parts + found.max(), found)
    return found
