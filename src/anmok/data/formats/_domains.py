"""Two folders, or the halves of pictures, between which to translate: which is which, and in which part of a split."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from anmok.data.names import split_named

NAMED_PAIRS = (
    ("a", "b"), ("input", "target"), ("inputs", "targets"), ("source", "target"), ("low", "high"), ("lr", "hr"),
    ("noisy", "clean"), ("noise", "clean"), ("blur", "sharp"), ("rainy", "clear"), ("rain", "clear"), ("hazy", "clear"),
    ("hazy", "gt"), ("degraded", "clean"), ("raw", "reference"), ("sketch", "photo"), ("labels", "photos"),
)  # fmt: skip


@dataclass(frozen=True)
class Place:
    """Where a picture stands: domain 0 (to translate from) or 1, the part, and what is left of its path: its name."""

    domain: int
    split: str | None
    name: str


def two_folders(paths: Iterable[str], *, any_names: bool = False) -> tuple[dict[str, Place], tuple[str, str]] | None:
    """Of every picture in one of two sibling folders where it stands, and what the folders are called; else None.

    Args:
        paths: of the pictures.
        any_names: also folders whose names do not sound like a pair.
    """
    paths = list(paths)
    found: dict[str, dict[str, tuple[str | None, str]]] = defaultdict(dict)  # domain → path → split, name
    for path in paths:
        split, rest = None, []
        for part in path.split("/"):
            if (named := split_named(part)) is not None and split is None and part != path.split("/")[-1]:
                split = named
            else:
                rest.append(part)
        while len(rest) > 2 and rest[0].lower() not in _LONE:
            rest.pop(0)  # folders around everything
        if len(rest) > 1:
            found[rest[0].lower()][path] = split, "/".join(rest[1:])
    names = _pair_of(found, any_names)
    if names is None:
        return None
    shown = {domain: next(iter(found[domain])) for domain in names}
    called = [next(part for part in shown[domain].split("/") if part.lower() == domain) for domain in names]
    placed = {path: Place(k, *told) for k, domain in enumerate(names) for path, told in found[domain].items()}
    return placed, (called[0], called[1])


def sound_like_domains(names: Iterable[str]) -> bool:
    """Whether folders are called as those are between which to translate.

    >>> sound_like_domains(["B", "A"]), sound_like_domains(["cat", "dog"])
    (True, False)
    """
    lower = {name.lower() for name in names}
    return any(lower == set(pair) for pair in NAMED_PAIRS)


_LONE = {name for pair in NAMED_PAIRS for name in pair}


def _pair_of(found: dict[str, dict[str, tuple[str | None, str]]], any_names: bool) -> tuple[str, str] | None:
    for first, second in NAMED_PAIRS:
        if found.get(first) and found.get(second):
            return first, second
    if any_names and len(found) == 2:
        first, second = sorted(found)
        return first, second
    return None


_DOMAIN_FOLDER = re.compile(r"(train|val|valid|validation|test)[ _-]?([ab])", re.IGNORECASE)


def train_a_train_b(paths: Iterable[str]) -> dict[str, Place]:
    """Pictures in `trainA`, `trainB`, `testA`, `testB`, as CycleGAN's authors have them."""
    placed = {}
    for path in paths:
        folders = path.split("/")[:-1]
        for at, folder in enumerate(folders):
            if match := _DOMAIN_FOLDER.fullmatch(folder):
                name = "/".join([*folders[at + 1 :], path.rpartition("/")[2]])
                placed[path] = Place("ab".index(match[2].lower()), split_named(match[1]), name)
                break
    return placed


def halves(sizes: Sequence[tuple[int, int]]) -> bool:
    """Whether (height, width) of pictures are all those of two squares, or of two equal pictures, side by side."""
    return bool(sizes) and all(width == 2 * height for height, width in sizes)
