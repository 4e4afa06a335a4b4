"""Distance between pictures as a network sees them, after LPIPS (Zhang et al.: The Unreasonable Effectiveness of Deep
Features as a Perceptual Metric, CVPR 2018).

LPIPS also learns a weight for every channel from people's judgements; here all weigh the same, so figures from
different networks cannot be compared with each other, nor with published LPIPS.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics._figure import Floats


def perceptual_distance(maps: Sequence[ArrayLike], references: Sequence[ArrayLike]) -> Floats:
    """Squared distance of the channels' directions, averaged over places, summed over layers: (N,).

    Args:
        maps, references: of the same layers in the same order, each (N, C, H, W) with its own C, H and W.

    >>> red, green = np.array([5.0, 0]).reshape(1, 2, 1, 1), np.array([0, 0.1]).reshape(1, 2, 1, 1)
    >>> perceptual_distance([red], [green]), perceptual_distance([red], [2 * red])
    (array([2.]), array([0.]))
    """
    if len(maps) != len(references) or not maps:
        raise UsageError("both sides need maps of the same layers", got=f"{len(maps)} and {len(references)} layers")
    return np.sum([_layer(np.asarray(a), np.asarray(b)) for a, b in zip(maps, references, strict=True)], axis=0)


def _layer(a: np.ndarray, b: np.ndarray) -> Floats:
    if a.ndim != 4 or a.shape != b.shape:
        raise UsageError("maps do not fit each other", got=f"{a.shape} and {b.shape}", allowed="(N, C, H, W) twice")
    return np.square(_directions(a) - _directions(b)).sum(1).mean((1, 2))


def _directions(x: np.ndarray) -> Floats:
    x = x.astype(np.float64)
    return x / np.maximum(np.sqrt(np.square(x).sum(1, keepdims=True)), 1e-10)
