"""Is a drawn picture new, or a training picture learned by heart?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from anmok.metrics._figure import Floats
from anmok.metrics._sets import checked_sets, nearest

AROUND = 10  # neighbours that say how far apart training pictures lie at that place
CLOSE = 1 / 3  # nearer than this share of their distance: a copy


@dataclass(frozen=True)
class Copies:
    """For every drawn picture (N,): the nearest training picture, and how suspiciously near it is.

    Args:
        rows: the nearest training picture's row.
        distance: to it.
        ratio: that distance by the median distance of the next nine; about 1 for new pictures, 0 for copies.
    """

    rows: np.ndarray
    distance: Floats
    ratio: Floats

    @property
    def share(self) -> float:
        """The share of drawn pictures that are copies."""
        return float((self.ratio < CLOSE).mean())


def copies(drawn: ArrayLike, train: ArrayLike) -> Copies:
    """Compare each drawn picture's nearest training picture with the next ones.

    A blurred picture lies near many training pictures, a copy near one: the ratio tells them apart where the bare
    distance cannot (after Yoon et al., Diffusion Probabilistic Models Generalize when They Fail to Memorize, ICML 2023
    workshop). Measure held-out pictures as well: what they show are the doubles that the data hold anyway.

    Args:
        drawn, train: features or pixels (N, D) and (M, D), with at least three training pictures.
    """
    x, y = checked_sets(drawn, train, least=1)
    _, y = checked_sets(y, y, least=3)
    found, rows = nearest(x, y, min(AROUND, len(y)))
    usual = np.median(found[:, 1:], axis=1)
    ratio = np.divide(found[:, 0], usual, out=np.zeros(len(x)), where=usual > 0)
    return Copies(rows[:, 0], found[:, 0], ratio)
