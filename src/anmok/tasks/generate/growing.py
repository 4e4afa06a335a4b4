"""Growing while it learns: small pictures first, each doubling fading in (Karras et al., ICLR 2018)."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn import functional as F

GROWN = 0.5  # share of a run after which pictures have their full size
SMALLEST = 8  # pixels with which it begins


def growth(progress: float, size: int) -> float:
    """Doublings of 4×4 at this share of a run; in the second half of its time, the next size fades in.

    >>> [growth(share, 32) for share in (0.0, 0.12, 0.1875, 0.25, 0.5, 1.0)]
    [1.0, 1.0, 1.5, 2.0, 3.0, 3.0]
    """
    first, last = (round(math.log2(side)) - 2 for side in (SMALLEST, size))
    place = (last - first) * progress / GROWN
    if place >= last - first:
        return float(last)
    return first + math.floor(place) + max(0.0, 2 * (place - math.floor(place)) - 1)


def seen_at(x: Tensor, doublings: float) -> Tensor:
    """Real pictures (N, C, S, S) at the grown size; of a size that is fading in, details show by its share only."""
    side = 4 * 2 ** math.ceil(doublings)
    x = F.avg_pool2d(x, x.shape[2] // side)
    share = doublings - math.floor(doublings)
    if not share:
        return x
    return F.interpolate(F.avg_pool2d(x, 2), scale_factor=2).lerp(x, share)
