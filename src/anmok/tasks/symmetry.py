"""Does a mirrored picture keep its class? Garments do, digits do not; measured before training, in a second."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

SIDE = 14  # pixels: enough to tell a 6 from its mirror image
KNOWN, ASKED, NEIGHBOURS = 4000, 1000, 5
KEEPS = 0.6  # a mirrored picture must find this share of the right answers of the picture itself


@dataclass(frozen=True)
class Symmetry:
    """Accuracy of nearest neighbours on held-out pictures, as they are and mirrored; both in [0, 1]."""

    accuracy: float
    mirrored: float
    keeps: bool

    @property
    def verdict(self) -> str:
        """The measurement in words."""
        figures = f"nearest neighbours: {self.accuracy:.0%} right, {self.mirrored:.0%} on mirrored pictures"
        return f"mirrored pictures {'keep' if self.keeps else 'do not keep'} their class ({figures})"


def mirror_symmetry(gather: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, targets: np.ndarray) -> Symmetry:
    """Ask nearest neighbours among training pictures about other training pictures, plain and mirrored.

    Where the neighbours know nothing (no better than chance, as on photographs), mirroring is taken to be harmless.

    Args:
        gather: rows → pictures uint8 (n, S, S, C).
        rows: training rows.
        targets: their class ids.
    """
    step = max(1, len(rows) // (KNOWN + ASKED))
    chosen = np.arange(len(rows))[::step][: KNOWN + ASKED]
    asked = np.zeros(len(chosen), bool)
    asked[:: max(2, (KNOWN + ASKED) // ASKED)] = True
    vectors, classes = _vectors(gather(rows[chosen])), targets[chosen]
    mirrored = np.ascontiguousarray(vectors[asked][:, :, ::-1])
    known, truth = _unit(vectors[~asked]), classes[asked]
    if not len(known) or not len(truth):
        return Symmetry(0.0, 0.0, True)
    plain = _accuracy(_unit(vectors[asked]), known, classes[~asked], truth)
    other = _accuracy(_unit(mirrored), known, classes[~asked], truth)
    chance = np.bincount(classes).max() / len(classes)
    knows = plain > 2 * chance
    return Symmetry(plain, other, not knows or other >= KEEPS * plain)


def _vectors(pixels: np.ndarray) -> np.ndarray:
    """Grey pictures (n, SIDE, SIDE) by averaging blocks; smaller pictures stay as they are."""
    grey = pixels.mean(3, dtype=np.float32)
    block = max(1, grey.shape[1] // SIDE)
    side = grey.shape[1] // block
    return grey[:, : side * block, : side * block].reshape(len(grey), side, block, side, block).mean((2, 4))


def _unit(vectors: np.ndarray) -> np.ndarray:
    flat = vectors.reshape(len(vectors), -1)
    flat = flat - flat.mean(1, keepdims=True)
    return flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)


def _accuracy(asked: np.ndarray, known: np.ndarray, classes: np.ndarray, truth: np.ndarray) -> float:
    k = min(NEIGHBOURS, len(known))
    nearest = np.argpartition(-(asked @ known.T), k - 1, axis=1)[:, :k]
    votes = np.zeros((len(asked), int(classes.max()) + 1), np.int64)
    np.add.at(votes, (np.arange(len(asked))[:, None], classes[nearest]), 1)
    return float((votes.argmax(1) == truth).mean())
