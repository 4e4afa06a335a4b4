"""Objects that touch, told apart: a class of its own for the seams between them is learned, and answers split there.

The seam is what U-Net's border weights draw attention to, made explicit: pixels that have two objects within `WIDTH`.
Where the network answers "seam", an object ends, and a watershed gives the seam's pixels to the nearer side
(`anmok.core.instances.objects_of`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from anmok.core.instances import touching
from anmok.core.targets import IGNORE

WIDTH = 2.0  # pixels: what lies so near to two objects is their seam


def with_seams(targets: Tensor, objects: np.ndarray, seam: int) -> Tensor:
    """Class maps int64 (N, H, W) in which the seams between `objects` int (N, H, W) are of class `seam`."""
    found = np.stack([touching(one, WIDTH) if one.any() else np.zeros(one.shape, bool) for one in objects])
    mark = torch.from_numpy(found).to(targets.device) & (targets != IGNORE)
    return targets.masked_fill(mark, seam)
