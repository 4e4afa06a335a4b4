"""Area under the ROC curve: the chance that a picture of one kind scores above a picture of the other.

Computed from ranks (Mann–Whitney U), ties counted half.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics._figure import checked, metric


def binary_auroc(positive: ArrayLike, scores: ArrayLike) -> float:
    """How well `scores` (N,) place the positive pictures above the others; NaN where one kind is missing.

    The same figure judges "I don't know": positive = picture of a known class, score = certainty.

    >>> binary_auroc([True, True, False], [0.9, 0.4, 0.4])   # pairs: 1 won, 1 tied
    0.75
    """
    kind, values = np.asarray(positive, dtype=bool), np.asarray(scores, dtype=np.float64)
    if kind.ndim != 1 or kind.shape != values.shape:
        raise UsageError("one score a picture is needed", got=f"shapes {kind.shape} and {values.shape}")
    if not np.isfinite(values).all():
        raise UsageError("scores are not finite", got=f"{int((~np.isfinite(values)).sum())} NaN or infinite")
    wanted = int(kind.sum())
    others = len(kind) - wanted
    if wanted == 0 or others == 0:
        return float("nan")
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    ranks = (last - (count - 1) / 2)[place]  # from 1, ties share their mean rank
    return float((ranks[kind].sum() - wanted * (wanted + 1) / 2) / (wanted * others))


@metric("max", name="auroc")
def macro_auroc(targets: ArrayLike, scores: ArrayLike) -> float:
    """Each class against the rest, averaged over the classes that have pictures (and are not all there is).

    >>> macro_auroc([0, 1, 0], [[0.9, 0.1], [0.2, 0.8], [0.1, 0.9]])
    0.5
    """
    truths, answers = checked(targets, scores)
    present = np.unique(truths)
    areas = [binary_auroc(truths == number, answers[:, number]) for number in present]
    return float(np.mean(areas))
