"""What metrics of one set of features against another have in common.

Features come in as arrays (N, D) from whatever network the caller names; a figure holds for that network only, and is
never to be compared with published FID or KID.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import ArrayLike

from anmok.core.errors import UsageError
from anmok.metrics._figure import Floats

VALUES_AT_ONCE = 8_000_000  # distances held at once: 64 MB


def checked_sets(drawn: ArrayLike, real: ArrayLike, least: int = 2) -> tuple[Floats, Floats]:
    """Both as float64 (N, D) and (M, D), at least `least` rows each."""
    a, b = (np.asarray(features, dtype=np.float64) for features in (drawn, real))
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1]:
        raise UsageError("sets of features do not fit", got=f"{a.shape} and {b.shape}", allowed="(N, D) and (M, D)")
    if min(len(a), len(b)) < least:
        raise UsageError("too few pictures", got=f"{len(a)} and {len(b)}", allowed=f"{least} or more of each")
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise UsageError("features are not finite", got="NaN or infinity", fix="an earlier checkpoint")
    return a, b


def distances(a: Floats, b: Floats) -> Iterator[tuple[slice, Floats]]:
    """Euclidean distances of blocks of rows of `a` (N, D) to all of `b` (M, D): (rows, (n, M))."""
    from sklearn.metrics import pairwise_distances

    middle = b.mean(0)  # distances do not change, and what cancels is smaller
    rows = max(1, VALUES_AT_ONCE // len(b))
    for start in range(0, len(a), rows):
        part = slice(start, start + rows)
        yield part, pairwise_distances(a[part] - middle, b - middle)


def nearest(queries: Floats, references: Floats | None, count: int) -> tuple[Floats, np.ndarray]:
    """Distances (N, count) and rows (N, count) of each query's nearest references, nearest first.

    Without references: among the queries themselves, each leaving itself out.
    """
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(queries if references is None else references)
    found, rows = index.kneighbors(None if references is None else queries)
    return found, rows
