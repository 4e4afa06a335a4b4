"""One form of objects into another: pictures copied, labels written anew, all of it read back to prove it the same."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from anmok.core.errors import AnmokError, UsageError
from anmok.core.files import TEMPORARY, naming_the_cause
from anmok.core.targets import ObjectMasks, Objects
from anmok.core.types import Dataset, Entry
from anmok.data.formats._outgoing import Outgoing, new_names
from anmok.data.source import FORMATS, Source

_SAME = 1e-3  # pixels within which a box read back is the one written: YOLO's shares are rounded, the others exact
_MARKS: dict[str, tuple[Callable[[Objects], int], str]] = {
    "crowd": (lambda one: int(np.sum(one.crowd)) if one.crowd is not None else 0,
              "{n:,} groups marked as crowds: left out"),
    "difficult": (lambda one: int(np.sum(one.difficult)) if one.difficult is not None else 0,
                  "the mark `difficult` of {n:,} boxes"),
    "regions": (lambda one: sum(region is not None for region in one.regions or ()),
                "the outlines of {n:,} objects: only their boxes are kept"),
    "areas": (lambda one: len(one) if one.areas is not None else 0, "the areas stated for {n:,} objects"),
}  # fmt: skip


@dataclass(frozen=True)
class Written:
    """What was written, and in words what the format cannot hold of it."""

    path: str
    format: str
    pictures: int
    objects: int
    lost: tuple[str, ...]


def writable() -> tuple[str, ...]:
    """The formats that are written as well as read."""
    return tuple(name for name, kind in FORMATS.items() if hasattr(kind, "write"))


def write_data(dataset: Dataset, out: str | Path, format: str) -> Written:
    """Write a data set of objects in another form into the new folder `out`: whole, or not at all.

    Pictures are copied as they are. Boxes are written so that they read as the same float32 numbers (YOLO's within a
    thousandth of a pixel), which reading all of it back proves. Pictures that were set aside are not written.

    Raises:
        UsageError: the format is not written, the data has no objects, `out` exists already or lies inside the data.
        UnwrittenError: the disk refused.
    """
    out = Path(out).expanduser()
    _check(dataset, out, format)
    kind = FORMATS[format]
    classes = dataset.classes[dataset.masks.first :] if isinstance(dataset.masks, ObjectMasks) else dataset.classes
    partial = out.with_name(f"{TEMPORARY}{out.name}")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with naming_the_cause(out):
            partial.mkdir(parents=True)
            kept = kind().write(Outgoing(dataset, partial, classes, dataset.task == "segment"))  # type: ignore
            _prove(dataset, classes, partial, format, "crowd" in kept)
            if out.exists():
                out.rmdir()
            partial.rename(out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    counts = {mark: sum(count(entry.target) for entry in dataset.entries) for mark, (count, _) in _MARKS.items()}
    lost = [words.format(n=counts[mark]) for mark, (_, words) in _MARKS.items() if mark not in kept and counts[mark]]
    objects = sum(len(entry.target) for entry in dataset.entries) - (0 if "crowd" in kept else counts["crowd"])
    return Written(str(out), format, len(dataset), objects, tuple(lost))


def _check(dataset: Dataset, out: Path, format: str) -> None:
    if format not in writable():
        raise UsageError("this format is not written", got=format, allowed=", ".join(writable()))
    if not all(isinstance(entry.target, Objects) for entry in dataset.entries):
        raise UsageError(
            "only objects with boxes or outlines can be written in another form",
            got=f"{dataset.format}, for {dataset.task}", allowed="data read as " + ", ".join(writable()),
        )  # fmt: skip
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("there is something already", path=out, fix="name a new folder")
    if dataset.root.is_dir() and out.resolve().is_relative_to(dataset.root.resolve()):
        raise UsageError("the data is not written into", path=out, allowed=f"folders outside {dataset.root}")


def _prove(dataset: Dataset, classes: tuple[str, ...], folder: Path, format: str, crowds: bool) -> None:
    """Read what was written and compare object by object."""
    again = FORMATS[format]().read(Source(folder))
    found = {entry.id.rpartition("/")[2]: entry for entry in again.entries}
    written = dict(zip(new_names(dataset.entries), dataset.entries, strict=True))
    differ = [
        name for name, entry in written.items()
        if name not in found or entry.split != found[name].split
        or not _same(_told(entry, classes, crowds), _told(found[name], again.classes, crowds))
    ]  # fmt: skip
    if differ:
        raise AnmokError(
            f"what was written as {format} does not read as what it was written from", path=folder,
            got=f"{len(differ):,} of {len(written):,} pictures differ, the first {differ[0]}",
            fix="please report this, with one such picture and its labels",
        )  # fmt: skip


Told = list[tuple[str, np.ndarray]]


def _told(entry: Entry, classes: tuple[str, ...], crowds: bool) -> Told:
    """(class, box) of each object, in an order of their own."""
    one: Objects = entry.target
    told = [
        (classes[label], box) for place, (label, box) in enumerate(zip(one.labels, one.boxes, strict=True))
        if crowds or one.crowd is None or not one.crowd[place]
    ]  # fmt: skip
    return sorted(told, key=lambda item: (item[0], *np.round(item[1], 2)))


def _same(one: Told, two: Told) -> bool:
    return len(one) == len(two) and all(
        a == b and float(np.abs(box - other).max()) <= _SAME for (a, box), (b, other) in zip(one, two, strict=True)
    )
