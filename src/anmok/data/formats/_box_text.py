"""Boxes as texts that give back the same boxes: as few digits as that takes."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def short(value: float, holds: Callable[[float], bool]) -> float:
    """`value` with as few digits as `holds` is content with; all of them where it never is.

    >>> short(0.1 + 0.2, lambda told: abs(told - 0.3) < 1e-6)
    0.3
    """
    if value == int(value) and holds(int(value)):
        return int(value)
    for digits in range(4, 17):
        told = float(f"{value:.{digits}g}")
        if holds(told):
            return told
    return float(value)


def plain(value: float) -> str:
    """A number without an exponent and without a point that is not needed.

    >>> plain(12), plain(0.5), plain(1e-7)
    ('12', '0.5', '0.0000001')
    """
    return np.format_float_positional(value, trim="-")


def corner(value: float) -> float:
    """A float32 coordinate as a number that reads as the same."""
    return short(float(value), lambda told: np.float32(told) == np.float32(value))


def from_one(value: float) -> float:
    """The same counted from 1."""
    return short(float(value) + 1, lambda told: np.float32(told - 1) == np.float32(value))


def start_and_extent(low: float, high: float) -> tuple[float, float]:
    """Upper left coordinate and width (or height) whose sum reads as `high`."""
    start = corner(low)
    return start, short(float(high) - start, lambda told: np.float32(start + told) == np.float32(high))


def centre_and_share(low: float, high: float, side: int) -> tuple[float, float]:
    """Centre and extent as shares of `side`, to be read as `low` and `high`."""
    centre, extent = (float(low) + float(high)) / 2 / side, (float(high) - float(low)) / side
    for digits in range(5, 18):
        told, width = float(f"{centre:.{digits}g}"), float(f"{extent:.{digits}g}")
        start, end = (told - width / 2) * side, (told + width / 2) * side
        if np.float32(start) == np.float32(low) and np.float32(end) == np.float32(high):
            return told, width
    return centre, extent


def joined(rings: Sequence[np.ndarray]) -> np.ndarray:
    """Several rings (K, 2) as one, by ways there and back, which cancel out where edges are counted."""
    start = rings[0][:1]
    parts = [rings[0]]
    for ring in rings[1:]:
        parts += [start, ring, ring[:1]]
    return np.concatenate(parts) if len(rings) == 1 else np.concatenate([*parts, start])
