"""Drawn pictures side by side: by seed, by class, between seeds, at several truncations. No torch: canvases draw."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anmok.core.codes import Canvas, between, classes_of, codes_of

TRUNCATIONS = (0.3, 0.5, 0.7, 1.0)
STEPS = 8  # of a walk
EACH = 8  # pictures a class
GAP = 2  # pixels between pictures


def columns(count: int) -> int:
    """Of a sheet of so many pictures, a little wider than high."""
    return max(1, min(count, round((1.5 * count) ** 0.5)))


def sheet(pictures: np.ndarray, columns: int) -> np.ndarray:
    """Pictures (N, S, S, C) in rows of `columns`, white between them and where the last row ends, uint8 (h, w, C)."""
    count, side, _, channels = pictures.shape
    lines, step = -(-count // columns), side + GAP
    found = np.full((lines * step - GAP, columns * step - GAP, channels), 255, np.uint8)
    for number, picture in enumerate(pictures):
        top, left = number // columns * step, number % columns * step
        found[top : top + side, left : left + side] = picture
    return found


def of_seeds(canvas: Canvas, seeds: Sequence[int], labels: np.ndarray | None = None) -> np.ndarray:
    """A picture a seed, (N, S, S, C); of the classes that seeds stand for unless `labels` names others."""
    return canvas.draw(codes_of(seeds, canvas.latent), classes_of(seeds, canvas) if labels is None else labels)


def by_class(canvas: Canvas, each: int = EACH, most: int = 20) -> np.ndarray:
    """A row a class, a column a seed; the first `most` classes."""
    classes = np.arange(min(len(canvas.classes), most))
    codes = np.tile(codes_of(range(each), canvas.latent), (len(classes), 1))
    return sheet(canvas.draw(codes, np.repeat(classes, each)), each)


def walks(
    canvas: Canvas, seeds: Sequence[int], label: int | None = None, steps: int = STEPS, truncation: float = 1.0
) -> np.ndarray:
    """From each seed to the next, both ends included, ((N − 1) · steps, S, S, C); by class, all of one class.

    `label`: which; None: the first seed's.
    """
    codes = codes_of(seeds, canvas.latent)
    rows = np.concatenate([between(codes[k], codes[k + 1], steps) for k in range(len(seeds) - 1)])
    own = classes_of(seeds[:1], canvas)
    labels = None if own is None else np.full(len(rows), own[0] if label is None else label)
    return canvas.draw(rows, labels, truncation)


def truncated(
    canvas: Canvas, seeds: Sequence[int], at: Sequence[float] = TRUNCATIONS, labels: np.ndarray | None = None
) -> np.ndarray:
    """All seeds at each truncation in turn, (len(at) · N, S, S, C)."""
    codes = codes_of(seeds, canvas.latent)
    labels = classes_of(seeds, canvas) if labels is None else labels
    return np.concatenate([canvas.draw(codes, labels, share) for share in at])
