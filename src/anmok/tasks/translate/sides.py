"""Pictures to be translated, with what each should become where that is known.

Pairs know it. Of unpaired pictures nobody does, but for the bundled domains, whose test part shows the same garments in
both: a hidden pairing, never learned from.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from anmok.core.types import Entry
from anmok.data.pixel_sources import PixelSource
from anmok.data.prepare_pictures import PreparedPictures
from anmok.tasks.translate.playing import AB, BA

HIDDEN = "domains"  # the format whose pictures of the same name in the test part show the same
PAIRED_PARTS = ("test",)
AT_ONCE = 256  # pictures


@dataclass(frozen=True)
class Side:
    """Pictures of one domain, read as they are needed.

    Args:
        way: in which they are translated.
        ids: of their entries.
        source: pixels by row.
        rows: of the pictures.
        meant: of what each should become, or None.
    """

    way: str
    ids: Sequence[str]
    source: PixelSource
    rows: np.ndarray
    meant: np.ndarray | None

    def __len__(self) -> int:
        return len(self.ids)

    def pictures(self, part: slice | list[int] = slice(None)) -> np.ndarray:
        """uint8 (N, S, S, C)."""
        return self.source.gather(self.rows[part])

    def partners(self, part: slice | list[int] = slice(None)) -> np.ndarray | None:
        """What each should become, likewise; None where nobody knows."""
        return None if self.meant is None else self.source.gather(self.meant[part])

    def parts(self) -> Iterator[slice]:
        """All of it, some pictures at a time."""
        return (slice(start, start + AT_ONCE) for start in range(0, len(self), AT_ONCE))


def sides(decoded: PreparedPictures, split: str | None, ways: Sequence[str], most: int | None = None) -> list[Side]:
    """The pictures of a split (None: all) that are translated in each of `ways`; of each side `most` evenly spread."""
    found = []
    for way in ways:
        ids, rows, partners = _paired(decoded, split, way) if decoded.partners is not None else _of_domain(
            decoded, split, way
        )  # fmt: skip
        keep = np.arange(len(ids))
        if most is not None and len(ids) > most:
            keep = np.linspace(0, len(ids) - 1, most).round().astype(int)
        if len(keep):
            meant = None if partners is None else partners[keep]
            found.append(Side(way, [ids[k] for k in keep.tolist()], decoded.source, rows[keep], meant))
    return found


def _paired(decoded: PreparedPictures, split: str | None, way: str) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    assert decoded.partners is not None
    places = [k for k, entry in enumerate(decoded.dataset.entries) if split is None or entry.split == split]
    ids, chosen = [decoded.dataset.entries[k].id for k in places], np.array(places, int)
    rows, partners = decoded.rows[chosen], decoded.partners[chosen]
    return (ids, rows, partners) if way == AB else (ids, partners, rows)


def _of_domain(
    decoded: PreparedPictures, split: str | None, way: str
) -> tuple[list[str], np.ndarray, np.ndarray | None]:
    entries, domain = decoded.dataset.entries, (AB, BA).index(way)
    places = [
        k for k, entry in enumerate(entries) if (split is None or entry.split == split) and entry.target == domain
    ]
    own = [entries[k] for k in places]
    partners = _hidden(decoded, own, domain)
    return [entry.id for entry in own], decoded.rows[np.array(places, int)], partners


def _hidden(decoded: PreparedPictures, own: Sequence[Entry], domain: int) -> np.ndarray | None:
    """Rows of the pictures of the other domain that show the same; None unless every one of `own` has one."""
    if decoded.dataset.format != HIDDEN or any(entry.split not in PAIRED_PARTS for entry in own):
        return None
    others = {
        (entry.split, PurePosixPath(entry.id).name): row
        for entry, row in zip(decoded.dataset.entries, decoded.rows.tolist(), strict=True)
        if entry.target == 1 - domain
    }
    wanted = [(entry.split, PurePosixPath(entry.id).name) for entry in own]
    return np.array([others[name] for name in wanted]) if all(name in others for name in wanted) else None
