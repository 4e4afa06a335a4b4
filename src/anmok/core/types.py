"""The currency: what rooms hand to each other.

Conventions, everywhere: pictures are uint8 and channels last (height, width, channels) while they are NumPy arrays,
uint8 and channels first while they are tensors, until the batch is normalised. Boxes are xyxy in absolute pixels,
half-open, float32. Masks are int64 class ids with 255 = ignore.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import numpy as np
    import torch

    from anmok.core.targets import Masks

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, slots=True)
class Entry:
    """One usable picture of a data set, not yet decoded.

    `id` is unique in the data set and readable: the path below the root with forward slashes, or `file.csv:17`.
    `locator` is what the data set's `pictures` need to find the pixels: that path, or a row number.
    `target` is the task's answer: a class index, a mask's path, boxes, a partner picture, or None; which type it is
    for which task says `anmok.core.targets`.
    `group` names what must stay on one side of a split (a video, a patient, a burst), or None.
    `origin` is the row that named the picture (`labels.csv:17`) where `id` is its path, or None.
    """

    id: str
    locator: str | int
    target: Any = None
    split: str | None = None
    group: str | None = None
    origin: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """One item set aside, and why. `line` is the line or row in `path`, counted from 1, where the item is a row."""

    path: str
    reason: str
    fix: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that is no picture of the data set and was passed over: a thumbnail, a hidden file, a readme."""

    path: str
    reason: str
    line: int | None = None


@dataclass(frozen=True, slots=True)
class FileAccount:
    """The files around a data set whose items are rows or pictures: `seen = used + quarantined + skipped`.

    `used` counts tables, files of labels and masks, and the pictures that at least one of these names.
    """

    seen: int
    used: int
    quarantined: tuple[Quarantined, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def account(self) -> dict[str, int]:
        """The sum that must come out: seen = used + quarantined + skipped."""
        return _balance("files", self.seen, self.used, len(self.quarantined), len(self.skipped))


@dataclass(frozen=True, slots=True)
class RowAccount:
    """The rows that name objects in pictures (boxes, outlines): used are those that the entries' targets hold."""

    seen: int
    quarantined: tuple[Quarantined, ...] = ()
    skipped: tuple[Skipped, ...] = ()

    def account(self, used: int) -> dict[str, int]:
        """The sum that must come out: seen = used + quarantined + skipped."""
        return _balance("rows", self.seen, used, len(self.quarantined), len(self.skipped))


class Pictures(Protocol):
    """Where the pixels of a data set come from. Implementations pickle, and never import torch."""

    def read(self, locator: str | int) -> np.ndarray:
        """Decoded picture: uint8, (height, width, 1 or 3). Raises `PictureError`."""

    def identity(self, locator: str | int) -> bytes:
        """Changes whenever the stored bytes may have changed (size and mtime of a file, digest of a table)."""


@dataclass(frozen=True)
class Dataset:
    """What a folder, table or archive was found to be. Files and rows are each accounted for to the last one.

    `seen`, `quarantined` and `skipped` count items of `unit`: "files"; "rows" of a table, each a picture; or "pictures"
    where other files say what is in them. Then `files` accounts for the files, and `rows` for the objects told.
    """

    root: Path
    format: str
    task: str
    classes: tuple[str, ...]
    entries: Sequence[Entry]
    pictures: Pictures
    quarantined: tuple[Quarantined, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
    seen: int = 0  # items of the unit named below: every one ends as an entry, quarantined or skipped
    unit: str = "files"  # "files", "rows" or "pictures": what `seen` counts
    files: FileAccount | None = None  # beside rows or pictures; None where the items are files themselves
    rows: RowAccount | None = None  # of objects; None where a picture has one target
    why: str = ""  # how the format was recognised, and where class names come from
    masks: Masks | None = None  # reads the class map that an entry's target stands for; None: the data has none

    def __len__(self) -> int:
        return len(self.entries)

    def some(self, count: int) -> list[Entry]:
        """At most so many entries, evenly spread over all of them."""
        return list(self.entries)[:: max(1, len(self) // count)][:count]

    def split(self, name: str) -> list[Entry]:
        """Entries of one split, in order."""
        return [entry for entry in self.entries if entry.split == name]

    @property
    def splits(self) -> dict[str, int]:
        """Entries a split, in the order train, val, test; `""` counts entries without a split."""
        counts = Counter(entry.split or "" for entry in self.entries)
        return {name: counts[name] for name in (*SPLITS, "") if counts[name]}

    def account(self) -> dict[str, int]:
        """The sum that must come out: seen = used + quarantined + skipped."""
        return _balance(str(self.root), self.seen, len(self.entries), len(self.quarantined), len(self.skipped))

    def accounts(self) -> dict[str, dict[str, int]]:
        """`account` by unit: of the items, and of files and rows where these are others."""
        accounts = {self.unit: self.account()}
        if self.rows is not None:
            accounts["rows"] = self.rows.account(sum(len(entry.target) for entry in self.entries))
        return accounts if self.files is None else {**accounts, "files": self.files.account()}

    @property
    def set_aside(self) -> tuple[Quarantined, ...]:
        """Everything quarantined: items, files and rows."""
        beside = (*(self.files.quarantined if self.files else ()), *(self.rows.quarantined if self.rows else ()))
        return (*self.quarantined, *beside)

    @property
    def passed_over(self) -> tuple[Skipped, ...]:
        """Everything skipped: items, files and rows."""
        beside = (*(self.files.skipped if self.files else ()), *(self.rows.skipped if self.rows else ()))
        return (*self.skipped, *beside)

    def without(self, bad: Sequence[Quarantined], ids: set[str]) -> Dataset:
        """The same data set with the entries `ids` moved to quarantine for the reasons `bad`."""
        kept = [entry for entry in self.entries if entry.id not in ids]
        rows = self.rows
        if rows is not None:
            told = [e for e in self.entries if e.id in ids for _ in range(len(e.target))]
            lost = (Skipped(entry.origin or entry.id, "its picture was set aside") for entry in told)
            rows = replace(rows, skipped=(*rows.skipped, *lost))
        return replace(self, entries=kept, quarantined=(*self.quarantined, *bad), rows=rows)


def _balance(what: str, seen: int, used: int, quarantined: int, skipped: int) -> dict[str, int]:
    account = {"seen": seen, "used": used, "quarantined": quarantined, "skipped": skipped}
    if seen != used + quarantined + skipped:
        raise AssertionError(f"{what}: items were lost: {account}")
    return account


@dataclass(frozen=True)
class Sample:
    """One decoded picture with its target, as augmentations see it: tv_tensors that move together."""

    picture: Any  # tv_tensors.Image, uint8 (C, H, W)
    target: Any
    id: str
    group: str | None = None


@dataclass(frozen=True)
class Batch:
    """Pictures that go through the network together.

    `pictures`: uint8 or float (N, C, H, W). `targets`: the task's own (class ids int64 (N,), masks, lists of boxes …).
    `ids`: the N entries' ids, in order: the sample log and every error about this batch are written from them.
    """

    pictures: torch.Tensor
    targets: Any
    ids: Sequence[str]
    extra: Mapping[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.ids)

    def to(self, device: torch.device | str) -> Batch:
        """The batch with its tensors on `device`."""
        return replace(self, pictures=_move(self.pictures, device), targets=_move(self.targets, device))


def _move(value: Any, device: Any) -> Any:
    if hasattr(value, "to"):
        return value.to(device, non_blocking=True)
    if isinstance(value, dict):
        return {key: _move(part, device) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return type(value)(_move(part, device) for part in value)
    return value


@dataclass(frozen=True)
class Prediction:
    """What a run answers for one picture. A task fills the fields it knows; the others stay None.

    `scores` are probabilities in [0, 1], sorted from the likeliest; `labels` the class names in the same order. Of a
    class map they are the classes found and each one's share of the pixels, sorted from the largest.
    """

    id: str
    labels: tuple[str, ...] | None = None
    scores: tuple[float, ...] | None = None
    boxes: Any = None  # float32 (M, 4), xyxy absolute pixels of the original picture
    mask: Any = None  # class ids, uint8 (H, W) of the original picture
    classes: tuple[str, ...] | None = None  # what the ids in `mask` stand for
    objects: Any = None  # which object each pixel belongs to, int32 (H, W), 0 = none
    picture: Any = None  # uint8 (H, W, C): what was generated, reconstructed or translated, or a mask to look at
    error: str | None = None  # why there is no answer
    found: tuple[str, ...] | None = None  # those of `labels` it is said to show, where that may be several, or none
    sure: bool | None = None  # False: below the run's threshold, where "I don't know" is the better answer


@dataclass(frozen=True)
class Report:
    """What an evaluation found: figures by name, tables by name (rows of plain values), and the predictions behind."""

    figures: Mapping[str, float]
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    predictions: Sequence[Prediction] = ()
