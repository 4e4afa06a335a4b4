"""Pictures that occur more than once: the same pixels, or re-encoded, resized, mirrored, cropped a little.

Equal pixels are found by a hash. Near copies are looked for among each picture's nearest neighbours (by smoothed
thumbnails, as they are, mirrored, upside down and cropped) and then compared strictly: a copy must agree in its details
and be far nearer than neighbours that merely look alike, as garments or digits do. Memory does not grow with the square
of the number of pictures: a picture costs some two kilobytes.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch

from anmok.core.errors import PictureError
from anmok.core.types import Dataset
from anmok.data.alignment import SIDE, align, coarse, inset, resampled, tangent_distance
from anmok.data.likeness import agreement, evidence

ALIKE = 0.15  # aligned distance below which two pictures are copies, whatever else looks like them
LONELY_ALIKE = 0.35  # the same where nothing else comes near, as among photographs
NOISE = 1.2  # levels: what re-encoding may change, on average, even where there is little contrast
SMALL = 24  # pixels a side: smaller pictures have fewer ways to differ
NEIGHBOURS = 6
CROWD = 5  # neighbours that may all be copies: what is farther counts as the crowd around a picture
FLAT = 3.0  # levels: a picture whose pixels vary less shows nothing to compare
_VIEWS: dict[str, tuple[slice, slice]] = {
    "": (slice(None), slice(None)),
    "mirrored": (slice(None), slice(None, None, -1)),
    "upside down": (slice(None, None, -1), slice(None)),
}
_LOOKS = (("", 0.0), ("mirrored", 0.0), ("upside down", 0.0), ("", 0.05))  # and the margin that a copy may have lost
_COLOUR = 20.0  # levels by which the mean colours of copies may differ
_FAR = 0.7  # between smoothed thumbnails: beyond, no small move makes two pictures one
_AT_ONCE = 512  # pictures
_DIMENSIONS = 64  # of the smoothed thumbnails among which neighbours are looked for

Progress = Callable[[int, int], None]


class Gathers(Protocol):
    """Decoded pictures by row: all that looking at them needs."""

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Pictures uint8 (n, S, S, C) of the rows int (n,)."""


@dataclass(frozen=True)
class Copy:
    """Entries `first` < `second` of the data set (by position) that show one picture.

    `kind`: "same file", "same pixels" or "near". `view`: how the one must be turned, or "". `distance`: aligned, 0 for
    the same pixels.
    """

    first: int
    second: int
    kind: str
    view: str = ""
    distance: float = 0.0


@dataclass(frozen=True)
class Duplicates:
    """All copies found, and the groups that they make: positions of entries, in order."""

    copies: tuple[Copy, ...]
    groups: tuple[tuple[int, ...], ...]

    def torn(self, sides: Sequence[str | None]) -> list[tuple[int, ...]]:
        """Groups on more than one side of a split; `sides` by position, None for no side."""
        return [group for group in self.groups if len({sides[i] for i in group} - {None}) > 1]

    def contradicting(self, targets: Sequence[object]) -> list[tuple[int, ...]]:
        """Groups whose labels disagree; None is no label."""
        return [group for group in self.groups if len({targets[i] for i in group} - {None}) > 1]

    def leaked(self, sides: Sequence[str | None], judged: str, learned: Iterable[str] = ("train",)) -> list[int]:
        """Positions on the side `judged` that have a copy on one of the sides `learned`."""
        known = set(learned)
        return sorted(
            i for group in self.groups if any(sides[j] in known for j in group) for i in group if sides[i] == judged
        )


def find_duplicates(
    dataset: Dataset, source: Gathers, rows: np.ndarray, *, on_progress: Progress | None = None
) -> Duplicates:
    """All copies among the entries of a data set.

    Args:
        source, rows: decoded pictures: entry k is row `rows[k]` (see `anmok.data.cache.Built`).
        on_progress: called with (pictures looked at, pictures in all).
    """
    thumbnails, digests, colours, side = _look(source, rows, on_progress)
    flat = thumbnails.reshape(len(thumbnails), -1).std(1) < FLAT if len(rows) else np.zeros(0, bool)
    copies = list(_equal(dataset, digests, flat))
    again = {copy.second for copy in copies}
    single = np.array([i for i in range(len(rows)) if i not in again and not flat[i]], int)
    if len(single) > 1:
        copies += _near(thumbnails, colours, single, side)
    return Duplicates(tuple(copies), _groups(copies))


def _look(
    source: Gathers, rows: np.ndarray, on_progress: Progress | None
) -> tuple[np.ndarray, list[bytes], np.ndarray, int]:
    """Grey thumbnails uint8 (N, SIDE, SIDE), digests of the pixels, mean colours (N, 3), side in pixels: in one pass."""
    side = SIDE
    thumbnails = np.empty((len(rows), SIDE, SIDE), np.uint8)
    colours = np.empty((len(rows), 3), np.float32)
    digests: list[bytes] = []
    for start in range(0, len(rows), _AT_ONCE):
        pixels = source.gather(rows[start : start + _AT_ONCE])
        digests += [hashlib.blake2b(p.tobytes(), digest_size=16).digest() for p in pixels]
        here, side = slice(start, start + len(pixels)), min(pixels.shape[1:3])
        values = pixels.astype(np.float32)
        thumbnails[here] = np.rint(resampled(values.mean(-1), SIDE)).clip(0, 255)
        colours[here] = values.mean((1, 2))
        if on_progress is not None:
            on_progress(start + len(pixels), len(rows))
    return thumbnails, digests, colours, side


def _equal(dataset: Dataset, digests: Sequence[bytes], flat: np.ndarray) -> Iterable[Copy]:
    """Each picture with the first of the same pixels. Flat ones count only where their files are the same, too."""
    first: dict[bytes, int] = {}
    for at, digest in enumerate(digests):
        if digest not in first:
            first[digest] = at
            continue
        file, other = _file_digest(dataset, first[digest]), _file_digest(dataset, at)
        same_file = file is not None and file == other
        if same_file or not flat[at]:
            yield Copy(first[digest], at, "same file" if same_file else "same pixels")


def _file_digest(dataset: Dataset, at: int) -> bytes | None:
    """Digest of the picture's file, or None where it has none of its own."""
    entry, path = dataset.entries[at], getattr(dataset.pictures, "path", None)
    try:
        return None if path is None else hashlib.blake2b(path(entry.locator).read_bytes(), digest_size=16).digest()
    except (OSError, PictureError):
        return None


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


def _near(thumbnails: np.ndarray, colours: np.ndarray, single: np.ndarray, side: int) -> list[Copy]:
    """Near copies among the pictures `single`, of `side` pixels a side as they were decoded."""
    contrast = thumbnails.reshape(len(thumbnails), -1).std(1)[single]
    looked = list(_looked_at(thumbnails[single]))
    crowds = _Crowds(looked, len(single))
    found: dict[tuple[int, int], Copy] = {}
    for pairs in looked:
        least = np.minimum(contrast[pairs.first], contrast[pairs.second])
        limit = _limits(pairs.room, least) * min(1.0, side / SMALL) ** 0.5
        near = np.flatnonzero(pairs.rough < limit)
        a, b, limit, least = pairs.first[near], pairs.second[near], limit[near], least[near]
        near = np.flatnonzero(_colour_away(colours[single[a]], colours[single[b]]) < _COLOUR)
        a, b, limit, least = a[near], b[near], limit[near], least[near]
        down, across = _VIEWS[pairs.view]
        aligned = align(thumbnails[single[a]][:, down, across], thumbnails[single[b]], pairs.margin)
        agrees, detail = agreement(aligned.first, aligned.second)
        sure = evidence(aligned.distance, agrees, detail, crowds.around(a, b), least, bool(pairs.view))
        for i in np.flatnonzero((aligned.distance < limit) & (sure > 0)):
            first, second = sorted((int(single[a[i]]), int(single[b[i]])))
            known = found.get((first, second))
            if known is None or aligned.distance[i] < known.distance:
                found[first, second] = Copy(first, second, "near", pairs.view, float(aligned.distance[i]))
    return [found[pair] for pair in sorted(found)]


def _looked_at(thumbnails: np.ndarray) -> Iterator[_Candidates]:
    """The nearest neighbours of every picture in each view."""
    rows = np.concatenate([coarse(thumbnails[s : s + 4096]) for s in range(0, len(thumbnails), 4096)])
    axes = _main_axes(rows[:: max(1, len(rows) // 8192)])
    known = rows @ axes
    crowd = np.zeros(len(rows), np.float32)  # distance of the last neighbour looked at: how crowded it is around here
    for view, margin in _LOOKS:
        down, across = _VIEWS[view]
        seen = rows
        if view or margin:
            parts = (thumbnails[s : s + 4096, down, across] for s in range(0, len(thumbnails), 4096))
            seen = np.concatenate([coarse(inset(part, margin) if margin else part) for part in parts])
        away, who = _neighbours(known, seen @ axes)
        if not (view or margin):
            crowd = away[:, -1]
        pairs = _pairs(np.where(away < _FAR, who, np.arange(len(who))[:, None]), ordered=bool(margin))
        rough = tangent_distance(seen, rows, pairs, axes)
        a, b = pairs.T
        # Many things look like their own mirror image, so turned copies get no extra room.
        room = np.zeros(len(a), np.float32) if view else np.minimum(crowd[a], crowd[b])
        yield _Candidates(view, margin, a, b, rough, room)


def _neighbours(known: np.ndarray, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distances and positions (N, k) in `known` of the rows nearest to each row of `asked`, the nearest first."""
    table = torch.from_numpy(known)
    # |a − b|² − |a|² = −2ab + |b|², in one product with a column more.
    table = torch.cat([-2 * table, (table**2).sum(1, keepdim=True)], dim=1).T.contiguous()
    away, who = [], []
    for start in range(0, len(asked), _AT_ONCE):
        rows = torch.from_numpy(asked[start : start + _AT_ONCE])
        product = torch.cat([rows, torch.ones(len(rows), 1)], dim=1) @ table
        near = product.topk(min(NEIGHBOURS + 1, len(known)), largest=False)
        away.append((near.values + (rows**2).sum(1, keepdim=True)).clamp_(min=0).sqrt_().numpy())
        who.append(near.indices.numpy())
    return np.concatenate(away), np.concatenate(who)


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


def _groups(copies: Sequence[Copy]) -> tuple[tuple[int, ...], ...]:
    leader: dict[int, int] = {}

    def lead(i: int) -> int:
        while leader.setdefault(i, i) != i:
            leader[i] = leader[leader[i]]
            i = leader[i]
        return i

    for copy in copies:
        a, b = sorted((lead(copy.first), lead(copy.second)))
        leader[b] = a
    members: dict[int, list[int]] = defaultdict(list)
    for i in sorted(leader):
        members[lead(i)].append(i)
    return tuple(tuple(group) for _, group in sorted(members.items()))
