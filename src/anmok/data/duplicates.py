"""Pictures that occur more than once: the same pixels, or re-encoded, resized, mirrored, cropped a little.

Equal pixels are found by a hash. Near copies are looked for among each picture's nearest neighbours (by smoothed
thumbnails, as they are, mirrored, upside down and cropped) and then compared strictly: a copy must agree in its details
and be far nearer than neighbours that merely look alike, as garments or digits do. Memory does not grow with the square
of the number of pictures: a picture costs some two kilobytes.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from anmok.core.ahead import answers_ahead
from anmok.core.colour import channel_mean
from anmok.core.errors import PictureError
from anmok.core.processor import processors
from anmok.core.types import Dataset
from anmok.data.alignment import SIDE, resampled
from anmok.data.near_copies import Looks, near_copies
from anmok.data.pixel_sources import in_parts

FLAT = 3.0  # levels: a picture whose pixels vary less shows nothing to compare

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


def find_equal(dataset: Dataset, source: Gathers, rows: np.ndarray) -> Duplicates:
    """Copies of the same pixels only: a hash of each picture, whose cost grows no faster than their number.

    Args:
        source, rows: see `find_duplicates`.
    """
    digests: list[bytes] = []
    for _, pixels in in_parts(source.gather, rows):
        digests += _digests(pixels)
    again = {digest for digest, count in Counter(digests).items() if count > 1}
    flat = np.zeros(len(rows), bool)
    for at in [at for at, digest in enumerate(digests) if digest in again]:
        flat[at] = channel_mean(source.gather(rows[at : at + 1])).std() < FLAT
    copies = tuple(_equal(dataset, digests, flat))
    return Duplicates(copies, _groups(copies))


def find_duplicates(
    dataset: Dataset, source: Gathers, rows: np.ndarray, *, on_progress: Progress | None = None
) -> Duplicates:
    """All copies among the entries of a data set.

    Args:
        source, rows: decoded pictures: entry k is row `rows[k]` (see `anmok.data.cache.Built`).
        on_progress: called with (pictures looked at, pictures in all).
    """
    looks = _look(source, rows, on_progress)
    flat = looks.contrast < FLAT
    copies = list(_equal(dataset, _digests_of_alike(source, rows, looks), flat))
    again = {copy.second for copy in copies}
    single = np.array([i for i in range(len(rows)) if i not in again and not flat[i]], int)
    if len(single) > 1:
        found = near_copies(looks.of(single))
        copies += [Copy(int(single[a]), int(single[b]), "near", view, away) for (a, b), (view, away) in found.items()]
    return Duplicates(tuple(copies), _groups(copies))


def _look(source: Gathers, rows: np.ndarray, on_progress: Progress | None) -> Looks:
    """How pictures look at small size."""
    side, done = SIDE, 0
    thumbnails = np.empty((len(rows), SIDE, SIDE), np.uint8)
    colours = np.empty((len(rows), 3), np.float32)
    parts = (pixels for _, pixels in in_parts(source.gather, rows))
    for looks in answers_ahead(_looks, parts, processors()):
        here = slice(done, done + len(looks.thumbnails))
        thumbnails[here], colours[here], side, done = looks.thumbnails, looks.colours, looks.side, here.stop
        if on_progress is not None:
            on_progress(done, len(rows))
    return Looks(thumbnails, colours, side)


def _looks(pixels: np.ndarray) -> Looks:
    """The same of some decoded pictures, uint8 (n, S, S, C)."""
    thumbnails = np.rint(resampled(channel_mean(pixels), SIDE)).clip(0, 255).astype(np.uint8)
    colours = pixels.sum(1, dtype=np.uint32).sum(1) / math.prod(pixels.shape[1:3])
    return Looks(thumbnails, colours.astype(np.float32), min(pixels.shape[1:3]))


def _digests_of_alike(source: Gathers, rows: np.ndarray, looks: Looks) -> list[bytes]:
    """For each picture what only equal pixels share: they look the same at small size, so few need a digest."""
    looked = zip(looks.thumbnails, looks.colours, strict=True)
    found = [_digest(small.tobytes() + colour.tobytes()) for small, colour in looked]
    often = Counter(found)
    alike = [at for at, look in enumerate(found) if often[look] > 1]
    for here, pixels in in_parts(source.gather, rows[alike]):
        for at, digest in zip(alike[here], _digests(pixels), strict=True):
            found[at] = digest
    return found


def _digests(pixels: np.ndarray) -> list[bytes]:
    return [_digest(picture.tobytes()) for picture in pixels]


def _digest(content: bytes) -> bytes:
    return hashlib.blake2b(content, digest_size=16).digest()


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
        return None if path is None else _digest(path(entry.locator).read_bytes())
    except (OSError, PictureError):
        return None


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
