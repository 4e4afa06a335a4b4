"""From pictures with their rows to a data set of objects: frames read, boxes judged, files and rows accounted for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from anmok.core.errors import DataError, PictureError
from anmok.core.pictures import read_frame
from anmok.core.targets import Frame, ObjectMasks, Objects
from anmok.core.types import Dataset, Entry, FileAccount, Quarantined, Skipped
from anmok.data.formats._rows import LOST, RowLedger, Told, objects_of
from anmok.data.names import alike_warnings
from anmok.data.source import Source
from anmok.data.stores import FilePictures
from anmok.data.walk import readable

BACKGROUND = "background"
_READERS = 4  # threads that read headers: opening files is waiting
_FEW = 200  # pictures for which threads are not worth starting
_SIZES_FIX = "check that these are the pictures that were labelled"


@dataclass
class Labelled:
    """A picture and what its label file says of it.

    `path` is the picture's, below the root; `file` the label file's, readable; `rows` have labels that `Found.number`
    knows. `stated` is the (height, width) that the labels were made for, where the file says so. `shares`:
    coordinates are shares of the picture's sides.
    """

    path: str
    file: str
    rows: list[Told]
    stated: tuple[int, int] | None = None
    split: str | None = None
    shares: bool = False


@dataclass
class Found:
    """What a reader of objects found before any picture was opened.

    `label_files` are paths below the root; `reasons` say of files why they are passed over, by path; `pictures_lost`
    are those that labels name and that are not there; `root` is where the pictures' paths start. `number`: class
    numbers by what rows call them, where that is not the class's name.
    """

    format: str
    root: Path
    classes: tuple[str, ...]
    labelled: list[Labelled]
    ledger: RowLedger
    label_files: set[str]
    why: str
    pictures_lost: list[Quarantined] = field(default_factory=list)
    pictures_skipped: list[Skipped] = field(default_factory=list)
    files_lost: list[Quarantined] = field(default_factory=list)
    reasons: dict[str, str] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    number: Mapping[Hashable, int] | None = None


def assemble(source: Source, found: Found) -> Dataset:
    """The data set; for segmentation, where that is asked for, its class maps are drawn from the outlines.

    Raises:
        DataError: no picture can be used, or segmentation is asked for and there are no outlines.
    """
    store = FilePictures(found.root)
    frames = read_frames(store, [one.path for one in found.labelled])
    number = found.number or {name: index for index, name in enumerate(found.classes)}
    entries, lost, sizes = [], list(found.pictures_lost), _Sizes()
    for one in found.labelled:
        frame = frames[one.path]
        if isinstance(frame, PictureError):
            lost.append(Quarantined(readable(one.path), frame.what, frame.fix or "correct or remove it"))
            found.ledger.skip_all(one.file, one.rows)
            continue
        rows = [replace(row, label=number[row.label]) for row in one.rows]
        stored = sizes.stored(one, frame)
        target = objects_of(one.file, rows, frame, found.ledger, stored=stored, shares=one.shares)
        entries.append(Entry(readable(one.path), one.path, target, one.split, origin=one.file))
    if not entries:
        raise _nothing_usable(source, found, lost)
    dataset = Dataset(
        root=found.root,
        format=found.format,
        task="detect",
        classes=found.classes,
        entries=entries,
        pictures=store,
        quarantined=tuple(lost),
        skipped=tuple(found.pictures_skipped),
        warnings=(*found.warnings, *sizes.warnings(), *found.ledger.warnings(), *alike_warnings(found.classes)),
        seen=len(entries) + len(lost) + len(found.pictures_skipped),
        unit="pictures",
        files=account_files(source, found.label_files | {one.path for one in found.labelled}, found.files_lost,
                            found.reasons),
        rows=found.ledger.account(),
        why=found.why,
    )  # fmt: skip
    return _segments(dataset) if source.options.task == "segment" else dataset


def read_frames(store: FilePictures, paths: Sequence[str]) -> dict[str, Frame | PictureError]:
    """Size and orientation of every picture from its header, or why there are none."""

    def read(path: str) -> Frame | PictureError:
        try:
            return read_frame(store.path(path), max_pixels=store.max_pixels)
        except PictureError as error:
            return error

    distinct = list(dict.fromkeys(paths))
    if len(distinct) < _FEW:
        return {path: read(path) for path in distinct}
    with ThreadPoolExecutor(_READERS) as threads:
        return dict(zip(distinct, threads.map(read, distinct), strict=True))


def account_files(
    source: Source, used: set[str], lost: Iterable[Quarantined] = (), reasons: Mapping[str, str] | None = None,
    unnamed: str = "no label names it",
) -> FileAccount:  # fmt: skip
    """Every file below the root: used, set aside (`lost`, and kinds that are not read), or passed over and why.

    `unnamed`: why pictures are passed over of which `reasons` say nothing.
    """
    lost = list(lost)
    if not source.is_folder or source.options.pictures is not None:
        return FileAccount(len(used) + len(lost), len(used), tuple(lost))
    tree, (_, others, foreign) = source.tree, source.sorted_files
    told = {readable(path): reason for path, reason in (reasons or {}).items()}
    reason_of = {item.path: item.reason for item in others} | told
    shown = {readable(path) for path in used}
    aside = [*lost, *(item for item in foreign if item.path not in shown)]
    gone = {item.path for item in aside}
    passed = [
        Skipped(name, reason_of.get(name, unnamed))
        for name in map(readable, tree.files)
        if name not in shown and name not in gone
    ]
    return FileAccount(
        tree.seen, len(used & set(tree.files)), (*tree.quarantined, *aside), (*tree.skipped, *passed)
    )  # fmt: skip


@dataclass
class _Sizes:
    """Sizes that label files state against those that the pictures have."""

    other: int = 0
    turned: int = 0
    first: str = ""

    def stored(self, one: Labelled, frame: Frame) -> bool:
        """Whether the labels were made on the pixels as they are stored, before EXIF turned them."""
        if one.stated is None or one.stated == frame.size:
            return False
        if one.stated == frame.stored:
            self.turned += 1
            return True
        (height, width), (own_height, own_width) = one.stated, frame.size
        self.other += 1
        self.first = (
            self.first or f"{readable(one.path)}, labelled at {width} × {height}, is {own_width} × {own_height}"
        )
        return False

    def warnings(self) -> list[str]:
        told = []
        if self.other:
            told.append(f"{self.other:,} pictures have another size than their labels state "
                        f"(first: {self.first}): {_SIZES_FIX}")  # fmt: skip
        if self.turned:
            told.append(f"the labels of {self.turned:,} pictures were made before EXIF turned them, and were turned")
        return told


def _segments(dataset: Dataset) -> Dataset:
    """The same data for segmentation: class 0 is the background."""
    outlined: list[Objects] = [entry.target for entry in dataset.entries]
    if all(target.regions is None for target in outlined):
        raise DataError(
            "there are boxes only: segmentation needs outlines or masks",
            path=dataset.root,
            got=f"{sum(map(len, outlined)):,} boxes in {len(outlined):,} pictures",
            fix="--task detect, or label outlines",
        )
    boxes = sum(1 for target in outlined for region in target.regions or [None] * len(target) if region is None)
    warnings = [f"{boxes:,} objects have no outline: their boxes are taken"] if boxes else []
    return replace(dataset, task="segment", classes=(BACKGROUND, *dataset.classes), masks=ObjectMasks(first=1),
                   warnings=(*dataset.warnings, *warnings))  # fmt: skip


def _nothing_usable(source: Source, found: Found, lost: Sequence[Quarantined]) -> DataError:
    reasons: Counter[Any] = Counter(item.reason for item in lost)
    first = f"; first {lost[0].path}: {lost[0].reason}" if lost else ""
    return DataError(
        "no labelled picture can be used",
        path=source.path,
        got=f"{len(found.labelled) + len(found.pictures_lost)} pictures named in {len(found.label_files)} files of "
        f"labels, {sum(reasons.values())} set aside{first}",
        allowed="labels with the pictures they name beside them",
        fix="put the pictures beside their labels, or --pictures with the folder they lie in",
    )


__all__ = ["BACKGROUND", "LOST", "Found", "Labelled", "account_files", "assemble", "read_frames"]
