"""What a seed stands for: a code from N(0, 1), and a class where nobody named one. NumPy only, so that a shipped
generator draws the same pictures without torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from anmok.core.seeds import numpy_generator


class Canvas(Protocol):
    """What draws pictures from codes: a model in torch, or a shipped one.

    Each picture is computed by itself in float32: kernels for larger batches may round otherwise, and a seed would no
    longer name a picture.
    """

    @property
    def latent(self) -> int:
        """Numbers in a code."""

    @property
    def classes(self) -> Sequence[str]:
        """Names of what pictures can be drawn of; empty: of one kind only."""

    def draw(self, codes: np.ndarray, labels: np.ndarray | None, truncation: float = 1.0) -> np.ndarray:
        """Codes float32 (N, latent), class ids int64 (N,) or None → pictures uint8 (N, S, S, C).

        `truncation` below 1 gives up variety for likeliness.
        """


def codes_of(seeds: Sequence[int], latent: int) -> np.ndarray:
    """The codes that seeds stand for, float32 (N, latent)."""
    codes = [numpy_generator(seed, "code").standard_normal(latent, dtype=np.float32) for seed in seeds]
    return np.stack(codes) if codes else np.zeros((0, latent), np.float32)


def classes_of(seeds: Sequence[int], canvas: Canvas) -> np.ndarray | None:
    """The classes that seeds stand for where nobody named one, int64 (N,); None where there are none."""
    if not canvas.classes:
        return None
    return np.array([numpy_generator(seed, "class").integers(len(canvas.classes)) for seed in seeds], np.int64)


def between(start: np.ndarray, end: np.ndarray, steps: int) -> np.ndarray:
    """Codes from one to another in equal angles, both ends included, (steps, latent).

    Straight lines lead through shorter codes than any that were drawn in training (White: Sampling Generative Networks,
    2016).

    >>> between(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 3).round(4).tolist()
    [[1.0, 0.0], [0.7071, 0.7071], [0.0, 1.0]]
    """
    share = np.linspace(0, 1, steps)[:, None]
    cosine = float(start @ end / max(float(np.linalg.norm(start) * np.linalg.norm(end)), 1e-12))
    angle = np.arccos(np.clip(cosine, -1, 1))
    if np.sin(angle) < 1e-6:
        return ((1 - share) * start + share * end).astype(start.dtype)
    return ((np.sin((1 - share) * angle) * start + np.sin(share * angle) * end) / np.sin(angle)).astype(start.dtype)
