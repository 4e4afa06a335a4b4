"""Which input positions an output reads: one small table for each kind of window.

Every function returns (outputs, window) positions along one axis. Positions outside the input are padding. Where some
outputs read fewer positions than others, a mask of the same shape says which positions count.
"""

from __future__ import annotations

import numpy as np

Taps = np.ndarray
Mask = np.ndarray


def window(outputs: int, kernel: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> Taps:
    """Convolution and pooling: output o reads o·stride − padding + k·dilation."""
    starts = np.arange(outputs) * stride - padding
    return starts[:, None] + np.arange(kernel) * dilation


def transposed(outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> tuple[Taps, Mask]:
    """Transposed convolution: input i reaches outputs i·stride − padding + k·dilation; read backwards."""
    reached = np.arange(outputs)[:, None] + padding - np.arange(kernel) * dilation
    return reached // stride, reached % stride == 0


def adaptive(inputs: int, outputs: int) -> tuple[Taps, Mask]:
    """Adaptive pooling: output o reads from ⌊o·inputs/outputs⌋ up to, not including, ⌈(o+1)·inputs/outputs⌉."""
    out = np.arange(outputs)
    start, stop = out * inputs // outputs, -(-(out + 1) * inputs // outputs)
    taps = start[:, None] + np.arange(int((stop - start).max()))
    return taps, taps < stop[:, None]


def resampled(inputs: int, outputs: int, reach: int, align_corners: bool = False) -> tuple[Taps, Mask]:
    """Interpolation: `reach` 0 reads the nearest pixel, 1 both neighbours (linear), 2 four of them (cubic).

    Positions are worked out in whole numbers, so that a pixel hit exactly has no neighbour.
    """
    out = np.arange(outputs)
    if reach == 0:
        return (out * inputs // outputs)[:, None], np.ones((outputs, 1), bool)
    if align_corners:
        over, under = out * (inputs - 1), max(outputs - 1, 1)
    else:
        over, under = (2 * out + 1) * inputs - outputs, 2 * outputs
    base, between = over // under, over % under != 0
    offsets = np.arange(1 - reach, reach + 1)
    taps = base[:, None] + offsets
    return taps, (offsets == 0) | between[:, None]
