"""Where strange begins, chosen on pictures that are usual."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

USUAL, UNUSUAL = "usual", "unusual"
QUIET = 0.99  # the share of new usual pictures that stay below
KEPT = 1000  # validation scores kept in the card
SAME = 1e-4  # as a share: scores this near are the same, which two ways of computing differ by a hundredth of


@dataclass(frozen=True)
class Threshold:
    """Where strange begins, chosen on validation pictures, all of which are usual.

    Args:
        by: the way of judging.
        value: pictures above it are called unusual.
        scores: what validation pictures score, sorted.
        pictures: how many they were.
    """

    by: str
    value: float
    scores: tuple[float, ...]
    pictures: int

    def rank(self, scores: np.ndarray) -> np.ndarray:
        """The share of validation pictures that are less strange, in [0, 1], (N,)."""
        less = np.searchsorted(np.array(self.scores), np.asarray(scores) * (1 - SAME), "left")
        return less / max(1, len(self.scores))

    def exceeded(self, scores: np.ndarray) -> np.ndarray:
        """Whether pictures of these scores are called unusual, bool (N,)."""
        return np.asarray(scores) > self.value * (1 + SAME)

    @property
    def sentence(self) -> str:
        """In words."""
        return (f"Judged by {self.by}, pictures stranger than {QUIET:.0%} of {self.pictures:,} validation pictures are "
                f"called unusual (above {self.value:.4g})")  # fmt: skip

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"by": self.by, "threshold": self.value, "scores": list(self.scores), "pictures": self.pictures}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Threshold:
        """The inverse of `to_json`."""
        return cls(values["by"], values["threshold"], tuple(values["scores"]), values["pictures"])


def choose_threshold(by: str, scores: np.ndarray) -> Threshold:
    """The smallest score that at most one in a hundred new usual pictures exceeds, as far as so few can tell.

    The ⌈0.99 (n + 1)⌉-th smallest of n (split conformal prediction); the largest where there are fewer than 99.
    """
    ordered = np.sort(scores.astype(np.float64))
    place = min(len(ordered), math.ceil(QUIET * (len(ordered) + 1)))
    kept = ordered[np.linspace(0, len(ordered) - 1, min(KEPT, len(ordered))).round().astype(int)]
    return Threshold(by, float(ordered[place - 1]), tuple(float(score) for score in kept), len(ordered))


def labelled(threshold: Threshold | None, strangeness: float | None) -> tuple[tuple[str] | None, tuple[float] | None]:
    """A picture's label, and the share of validation pictures that are less strange; nothing where nothing judges."""
    if threshold is None or strangeness is None:
        return None, None
    rank = float(threshold.rank(np.array([strangeness]))[0])
    return (UNUSUAL if threshold.exceeded(np.array(strangeness)) else USUAL,), (rank,)
