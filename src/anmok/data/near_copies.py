"""Near copies: pictures that show one picture, re-encoded, resized, mirrored, upside down or cropped a little.

Candidates are each picture's nearest neighbours by smoothed thumbnails. A candidate is a copy where it is near after
alignment (`anmok.data.alignment`) and the evidence speaks for it (`anmok.data.likeness`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from anmok.data.alignment import align, coarse, inset, tangent_distance
from anmok.data.likeness import CROWDED, agreement, evidence

ALIKE = 0.15  # aligned distance below which two pictures may be copies, whatever else looks like them
LONELY_ALIKE = 0.28  # the same where nothing else comes near, as among photographs
NOISE = 1.2  # levels: what re-encoding may change, on average, even where there is little contrast
SMALL = 24  # pixels a side: smaller pictures have fewer ways to differ
NEIGHBOURS = 6
CROWD = 5  # neighbours that may all be copies: what is farther counts as the crowd around a picture
_VIEWS: dict[str, tuple[slice, slice]] = {
    "": (slice(None), slice(None)),
    "mirrored": (slice(None), slice(None, None, -1)),
    "upside down": (slice(None, None, -1), slice(None)),
}
_LOOKS = (("", 0.0), ("mirrored", 0.0), ("upside down", 0.0), ("", 0.05))  # and the margin that a copy may have lost
_NEARER = 0.9  # than the crowd, before alignment: what is worth aligning
_COLOUR = 20.0  # levels by which the mean colours of copies may differ
_FAR = 0.7  # between smoothed thumbnails: beyond, no small move makes two pictures one
_RUN = 32  # columns
_DIMENSIONS = 64  # of the smoothed thumbnails among which neighbours are looked for
_ASKED_AT_ONCE, _SMOOTHED_AT_ONCE, _PAIRS_AT_ONCE = 512, 4096, 2000  # bound the memory


@dataclass(frozen=True)
class Looks:
    """Pictures at small size: grey thumbnails uint8 (N, SIDE, SIDE) and mean colours float32 (N, 3).

    `side`: of the pictures as they were decoded, in pixels.
    """

    thumbnails: np.ndarray
    colours: np.ndarray
    side: int

    @cached_property
    def contrast(self) -> np.ndarray:
        """Standard deviation of each thumbnail, in levels (N,)."""
        return self.thumbnails.reshape(len(self.thumbnails), -1).std(1) if len(self.thumbnails) else np.zeros(0)

    def of(self, positions: np.ndarray) -> Looks:
        """Some of them."""
        return Looks(self.thumbnails[positions], self.colours[positions], self.side)


@dataclass(frozen=True)
class _Candidates:
    """Pairs that may be copies: positions `first`, `second` (n,) with the first seen in a `view`, less a `margin`.

    `rough`: their tangent distance. `room`: how far the neighbours of both are, where that gives a pair more room.
    """

    view: str
    margin: float
    first: np.ndarray
    second: np.ndarray
    rough: np.ndarray
    room: np.ndarray


def near_copies(looks: Looks) -> dict[tuple[int, int], tuple[str, float]]:
    """Pairs of positions, the smaller first and in order → how the one must be turned, or "", and the distance."""
    candidates = list(_looked_at(looks.thumbnails))
    crowds = _Crowds(candidates, len(looks.thumbnails))
    found: dict[tuple[int, int], tuple[str, float]] = {}
    for pairs in candidates:
        limit = _limits(pairs.room, np.minimum(looks.contrast[pairs.first], looks.contrast[pairs.second]))
        limit *= min(1.0, looks.side / SMALL) ** 0.5
        chroma = _colour_away(looks.colours[pairs.first], looks.colours[pairs.second])
        nearer = pairs.rough < _NEARER * np.maximum(crowds.around(pairs.first, pairs.second), CROWDED)
        near = np.flatnonzero((pairs.rough < limit) & nearer & (chroma < _COLOUR))
        for start in range(0, len(near), _PAIRS_AT_ONCE):
            some = near[start : start + _PAIRS_AT_ONCE]
            for a, b, away in _copies(looks, crowds, pairs, some, limit[some]):
                pair = (min(a, b), max(a, b))
                if pair not in found or away < found[pair][1]:
                    found[pair] = (pairs.view, away)
    return dict(sorted(found.items()))


def _copies(
    looks: Looks, crowds: _Crowds, pairs: _Candidates, some: np.ndarray, limit: np.ndarray
) -> Iterator[tuple[int, int, float]]:
    """Those among some candidates that are copies, and how near they are."""
    a, b = pairs.first[some], pairs.second[some]
    down, across = _VIEWS[pairs.view]
    aligned = align(looks.thumbnails[a][:, down, across], looks.thumbnails[b], pairs.margin)
    agrees, detail = agreement(aligned.first, aligned.second)
    contrast = np.minimum(looks.contrast[a], looks.contrast[b])
    sure = evidence(aligned.distance, agrees, detail, crowds.around(a, b), contrast, bool(pairs.view))
    for i in np.flatnonzero((aligned.distance < limit) & (sure > 0)):
        yield int(a[i]), int(b[i]), float(aligned.distance[i])


def _looked_at(thumbnails: np.ndarray) -> Iterator[_Candidates]:
    """The nearest neighbours of every picture in each view."""
    rows = _smoothed(thumbnails)
    axes = _main_axes(rows[:: max(1, len(rows) // 8192)])
    known = rows @ axes
    crowd = np.zeros(len(rows), np.float32)  # distance of the last neighbour looked at: how crowded it is around here
    for view, margin in _LOOKS:
        seen = _smoothed(thumbnails, view, margin) if view or margin else rows
        away, who = _neighbours(known, seen @ axes)
        if not (view or margin):
            crowd = away[:, -1]
        pairs = _pairs(np.where(away < _FAR, who, np.arange(len(who))[:, None]), ordered=bool(margin))
        rough = tangent_distance(seen, rows, pairs, axes)
        a, b = pairs.T
        # Many things look like their own mirror image, so turned copies get no extra room.
        room = np.zeros(len(a), np.float32) if view else np.minimum(crowd[a], crowd[b])
        yield _Candidates(view, margin, a, b, rough, room)


def _smoothed(thumbnails: np.ndarray, view: str = "", margin: float = 0.0) -> np.ndarray:
    """Smoothed, levelled rows of all thumbnails as they look in a view, less a margin."""
    down, across = _VIEWS[view]
    starts = range(0, len(thumbnails), _SMOOTHED_AT_ONCE)
    parts = (thumbnails[start : start + _SMOOTHED_AT_ONCE, down, across] for start in starts)
    return np.concatenate([coarse(inset(part, margin) if margin else part) for part in parts])


def _neighbours(known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances and positions (N, k) in `known` of the rows nearest to each row of `asked`, the nearest first."""
    count, table = min(NEIGHBOURS + 1, len(known)), torch.from_numpy(known)
    # |a − b|² − |a|² = −2ab + |b|², in one product with a column more.
    table = torch.cat([-2 * table, (table**2).sum(1, keepdim=True)], dim=1).T.contiguous()
    away, who = [], []
    for start in range(0, len(asked), _ASKED_AT_ONCE):
        rows = torch.from_numpy(asked[start : start + _ASKED_AT_ONCE])
        values, places = _smallest(torch.cat([rows, torch.ones(len(rows), 1)], dim=1) @ table, count)
        away.append((values + (rows**2).sum(1, keepdim=True)).clamp_(min=0).sqrt_().numpy())
        who.append(places.numpy())
    return np.concatenate(away), np.concatenate(who)


def _smallest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The `count` smallest values of each row (n, N) and where they stand, the smallest first.

    They lie in the `count` runs of columns with the smallest minima: minima are found many times faster than places.
    """
    runs = values.shape[1] // _RUN
    if runs <= count:
        found = values.topk(count, largest=False)
        return found.values, found.indices
    head, tail = values[:, : runs * _RUN].unflatten(1, (runs, _RUN)), values[:, runs * _RUN :]
    best = head.amin(2).topk(count, largest=False).indices
    inside = head.gather(1, best[..., None].expand(-1, -1, _RUN)).flatten(1)
    places = (best[..., None] * _RUN + torch.arange(_RUN)).flatten(1)
    rest = torch.arange(runs * _RUN, values.shape[1]).expand(len(values), -1)
    found = torch.cat([inside, tail], dim=1).topk(count, largest=False)
    return found.values, torch.cat([places, rest], dim=1).gather(1, found.indices)


class _Crowds:
    """How near other pictures come to each: the `CROWD`-th smallest rough distance, whatever the view."""

    def __init__(self, looked: Sequence[_Candidates], count: int) -> None:
        one = np.concatenate([part for pairs in looked for part in (pairs.first, pairs.second)])
        other = np.concatenate([part for pairs in looked for part in (pairs.second, pairs.first)])
        rough = np.concatenate([part for pairs in looked for part in (pairs.rough, pairs.rough)])
        order = np.lexsort((rough, other, one))
        one, other, rough = one[order], other[order], rough[order]
        nearest = (np.diff(one, prepend=-1) != 0) | (np.diff(other, prepend=-1) != 0)  # of each pair, over all views
        one, rough = one[nearest], rough[nearest]
        order = np.lexsort((rough, one))
        one, rough = one[order], rough[order]
        place = np.arange(len(one)) - np.searchsorted(one, one)
        self._nearest = np.full((count, CROWD + 1), np.inf, np.float32)
        kept = place <= CROWD
        self._nearest[one[kept], place[kept]] = rough[kept]

    def around(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Of the pictures around either of a pair, the other one of the pair left out, (n,)."""
        return np.minimum(self._nearest[first, CROWD], self._nearest[second, CROWD])


def _limits(crowd: np.ndarray, contrast: np.ndarray) -> np.ndarray:
    """The distance below which pictures may be copies: larger where neighbours are far, or contrast is small."""
    return np.clip(np.maximum(LONELY_ALIKE * crowd**2, NOISE / contrast), ALIKE, LONELY_ALIKE)


def _colour_away(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """How far mean colours (n, 3) are apart in levels (n,), once both are equally bright: hue may not differ."""
    bright = np.maximum((first.mean(1) + second.mean(1)) / 2, 1.0)[:, None]
    first, second = (part / np.maximum(part.mean(1, keepdims=True), 1.0) * bright for part in (first, second))
    return np.abs(first - second).max(1)


def _main_axes(rows: np.ndarray) -> np.ndarray:
    """Orthonormal columns (values, dimensions) that keep most of what tells the rows apart."""
    _, axes = np.linalg.eigh(rows.T @ rows)  # rows are levelled already
    return axes[:, -_DIMENSIONS:]


def _pairs(who: np.ndarray, ordered: bool = False) -> np.ndarray:
    """Each pair (n, 2) of a row and one of its neighbours once; a picture is no copy of itself, however it is turned.

    `ordered`: (a, b) and (b, a) are two.
    """
    pairs = np.stack([np.repeat(np.arange(len(who)), who.shape[1]), who.ravel()], axis=1)
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    return np.unique(pairs if ordered else np.sort(pairs, axis=1), axis=0)
