"""Pairs to translate between: folders `A/` and `B/` with pictures of the same names, or A|B side by side in one.

Isola et al. 2017, "Image-to-Image Translation with Conditional Adversarial Networks" (pix2pix), has them side by side.
Parts of a split may lie above or below `A` and `B`. One translates from A, or the left half, to B, or the right one.
"""

from __future__ import annotations

import posixpath
from collections import defaultdict
from dataclasses import dataclass

from anmok.core.errors import DataError, PictureError
from anmok.core.registry import register
from anmok.core.targets import Frame, Partner
from anmok.core.types import Dataset, Entry, Quarantined
from anmok.data.formats._assembly import account_files, read_frames
from anmok.data.formats._domains import Place, halves, two_folders
from anmok.data.formats._layout import stem
from anmok.data.formats._words import split_in_path
from anmok.data.names import split_named
from anmok.data.side_by_side import SideBySide, half
from anmok.data.source import Recognition, Source
from anmok.data.stores import FilePictures
from anmok.data.walk import readable

_SAMPLED = 40  # pictures whose sizes are looked at to recognise halves
_ALIKE = 0.5  # share of names that two folders must have in common to be pairs
_ALONE = 0.75  # share of pictures that must be in them: A and B beside C are classes, numbered alike


@dataclass(frozen=True)
class _Matched:
    """Pairs of paths by (split, name), and those without a partner."""

    pairs: dict[tuple[str | None, str], tuple[str, str]]
    alone: list[str]
    names: tuple[str, str]


@register("format", name="pairs")
class Pairs:
    """Pictures with the picture that each is to become."""

    tasks = ("translate",)

    def recognise(self, source: Source) -> Recognition:
        """Sure where two folders of a usual pair of names hold pictures of the same names."""
        if not source.is_folder:
            return Recognition(0.0, "a file, not a folder of pairs")
        pictures = source.sorted_files[0]
        asked = source.options.task == "translate"
        if matched := _match(pictures, any_names=asked):
            paired, placed = 2 * len(matched.pairs), 2 * len(matched.pairs) + len(matched.alone)
            if paired > _ALIKE * placed and (asked or placed > _ALONE * len(pictures)):
                a, b = matched.names
                told = "" if asked else "; if these are classes: --format class_folders"
                return Recognition(1.0, f"{len(matched.pairs)} pictures of the same names in {a} and {b}{told}")
        if pictures and _in_one_place(pictures) and halves(_sizes(source, pictures[:: len(pictures) // _SAMPLED + 1])):
            in_parts = all(split_named(path.split("/")[-2]) for path in pictures if "/" in path)
            sure = 0.9 if asked else 0.7 if in_parts and "/" in pictures[0] else 0.5
            return Recognition(sure, f"{len(pictures)} pictures twice as wide as high, as pairs side by side are")
        return Recognition(0.0, "no folders of the same pictures, and no pictures of two halves")

    def read(self, source: Source) -> Dataset:
        """Every pair becomes an entry: the picture of A with that of B as its target.

        Raises:
            DataError: there is no pair.
        """
        pictures, _, _ = source.sorted_files
        matched = _match(pictures, any_names=True)
        if matched is not None and matched.pairs:
            return self._folders(source, matched)
        return self._halves(source)

    def _folders(self, source: Source, matched: _Matched) -> Dataset:
        entries = [
            Entry(readable(first), first, Partner(second), split, origin=readable(second))
            for (split, _), (first, second) in matched.pairs.items()
        ]
        a, b = matched.names
        fix = f"put a picture of the same name into {a} and {b}, or remove it"
        alone = [Quarantined(readable(path), "it has no partner of its name", fix) for path in matched.alone]
        used = {path for pair in matched.pairs.values() for path in pair} | set(matched.alone)
        why = f"pairs of the same names in {a} and {b}"
        return _dataset(source, entries, FilePictures(source.root), alone, used, why)

    def _halves(self, source: Source) -> Dataset:
        pictures = source.sorted_files[0]
        frames = read_frames(FilePictures(source.root), pictures)
        entries, lost = [], []
        for path in pictures:
            frame = frames[path]
            if isinstance(frame, PictureError):
                lost.append(Quarantined(readable(path), frame.what, frame.fix or "correct or remove it"))
            elif frame.size[1] % 2 or frame.size[1] < 2:
                sides = f"{frame.size[1]} × {frame.size[0]} pixels are no two halves"
                lost.append(Quarantined(readable(path), sides, "make both sides equally wide, or remove it"))
            else:
                left, right = half(path, 0), half(path, 1)
                split = split_in_path(path.rpartition("/")[0])
                entries.append(Entry(readable(path), left, Partner(right), split))
        if not entries:
            raise DataError(
                "there are no pairs", path=source.path, got=f"{len(pictures)} pictures",
                allowed="folders A and B with pictures of the same names, or pictures of two halves side by side",
            )  # fmt: skip
        store = SideBySide(FilePictures(source.root))
        return _dataset(source, entries, store, lost, set(pictures), "pairs side by side: left to right")


def _match(pictures: list[str], *, any_names: bool) -> _Matched | None:
    """Pairs by their names in two folders; names without suffix, as a photograph and a drawing may be JPEG and PNG."""
    found = two_folders(pictures, any_names=any_names)
    if found is None:
        return None
    placed, names = found
    sides: dict[tuple[str | None, str], dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    for path, place in placed.items():
        sides[place.split, _key(place)][place.domain].append(path)
    pairs, alone = {}, []
    for key, by_domain in sides.items():
        if len(by_domain[0]) == 1 == len(by_domain[1]):
            pairs[key] = by_domain[0][0], by_domain[1][0]
        else:
            alone += [*by_domain[0], *by_domain[1]]
    return _Matched(pairs, alone, names)


def _key(place: Place) -> str:
    """A name as it is compared: without its suffix, and without an A or B at its end."""
    folder = posixpath.dirname(place.name)
    name = stem(place.name)
    for end in ("ab"[place.domain],):
        for mark in ("_", "-"):
            name = name.removesuffix(f"{mark}{end}")
    return f"{folder}/{name}"


def _in_one_place(pictures: list[str]) -> bool:
    """Whether pictures lie in one folder, or in the parts of a split."""
    folders = {path.rpartition("/")[0] for path in pictures}
    return len(folders) == 1 or all(split_named(folder.rpartition("/")[2]) for folder in folders)


def _sizes(source: Source, paths: list[str]) -> list[tuple[int, int]]:
    frames = read_frames(FilePictures(source.root), paths).values()
    return [frame.size for frame in frames if isinstance(frame, Frame)]


def _dataset(
    source: Source, entries: list[Entry], store: FilePictures | SideBySide, lost: list[Quarantined], used: set[str],
    why: str,
) -> Dataset:  # fmt: skip
    return Dataset(
        root=source.root, format="pairs", task="translate", classes=(), entries=entries, pictures=store,
        quarantined=tuple(lost), seen=len(entries) + len(lost), unit="pictures",
        files=account_files(source, used, reasons=dict.fromkeys(source.sorted_files[0], "in neither of two folders")),
        why=why,
    )  # fmt: skip
