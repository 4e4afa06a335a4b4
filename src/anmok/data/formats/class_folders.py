"""Class folders: `root/cat/1.jpg`, or `root/train/cat/1.jpg` with `val` and `test` beside `train`.

Folders nested inside a class belong to it. Where the root, or a split, holds nothing but one folder, that is stepped
into. `root/cat/train/1.jpg` is read as well.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from anmok.core.errors import DataError
from anmok.core.registry import register
from anmok.core.types import Dataset, Entry, Quarantined, Skipped
from anmok.data.formats._domains import sound_like_domains
from anmok.data.formats._mask_pairs import has_masks
from anmok.data.names import alike_warnings, class_name, class_order, split_named
from anmok.data.source import Recognition, Source
from anmok.data.stores import FilePictures
from anmok.data.walk import readable

OTHER_TASKS = frozenset(
    {"images", "labels", "masks", "annotations", "imgs", "jpegimages", "segmentationclass", "segmentationobject"}
    | {"imagesets", "img", "mask", "label"}
)


@dataclass(frozen=True)
class Layout:
    """Where class names stand in a path: below `prefix`; `split_at` and `class_at` are positions after it."""

    prefix: tuple[str, ...]
    split_at: int | None
    class_at: int

    def place(self, path: str) -> tuple[str | None, str | None]:
        """(split, class) of a picture; the class is None where the picture is in no class folder."""
        folders = path.split("/")[len(self.prefix) : -1]
        if tuple(path.split("/")[: len(self.prefix)]) != self.prefix or len(folders) <= self.class_at:
            return None, None
        split = None
        if self.split_at is not None:
            split = split_named(folders[self.split_at]) if len(folders) > self.split_at else None
            if split is None:
                return None, None
        return split, class_name(folders[self.class_at])


def find_layout(folders: Iterable[tuple[str, ...]]) -> Layout:
    """The layout that the folders holding pictures suggest, each folder given as its parts below the root."""
    places = set(folders)
    prefix: tuple[str, ...] = ()
    while True:
        tops = defaultdict(set)
        for place in places:
            tops[place[:1]].add(place[1:])
        splits = {top[0]: deeper for top, deeper in tops.items() if top and split_named(top[0])}
        with_classes = {name for name, deeper in splits.items() if any(deeper)}
        trains = any(split_named(name) == "train" for name in with_classes)
        if with_classes and (trains or len(splits) == len(tops)):
            return Layout(prefix, split_at=0, class_at=1)
        if len(tops) == 1 and () not in tops and () not in next(iter(tops.values())):
            (top,) = tops  # nothing but one folder that holds folders only
            prefix, places = (*prefix, *top), tops[top]
            continue
        inner = [deeper for top, deeper in tops.items() if top]
        if len(inner) > 1 and all(part and split_named(part[0]) for deeper in inner for part in deeper or {()}):
            return Layout(prefix, split_at=1, class_at=0)
        return Layout(prefix, split_at=None, class_at=0)


@register("format", name="class_folders")
class ClassFolders:
    """A folder a class, with or without folders for the parts of a split."""

    tasks = ("classify",)

    def recognise(self, source: Source) -> Recognition:
        """Sure where at least two class folders hold pictures."""
        if not source.is_folder:
            return Recognition(0.0, "a file, not a folder of class folders")
        pictures, _, _ = source.sorted_files
        layout = _layout_of(pictures)
        classes = {name for name in (layout.place(path)[1] for path in pictures) if name is not None}
        if len(classes) < 2:
            return Recognition(0.2 if classes else 0.0, f"{len(classes)} class folder{'s' * (len(classes) != 1)}")
        if all(split_named(name) for name in classes):
            return Recognition(0.1, f"folders for a split ({', '.join(sorted(classes))}) without class folders in them")
        if any(name.lower() in OTHER_TASKS for name in classes):
            return Recognition(0.2, f"folders {', '.join(sorted(classes)[:4])}, which do not sound like classes")
        if sound_like_domains(classes):
            return Recognition(0.6, f"two folders, {' and '.join(sorted(classes))}: rather to be translated")
        if has_masks(pictures):
            return Recognition(0.7, f"{len(classes)} folders, some of which sound like masks")
        if layout.split_at is not None:
            return Recognition(0.95, f"folders for a split, with {len(classes)} class folders in them")
        return Recognition(0.9, f"{len(classes)} class folders")

    def read(self, source: Source) -> Dataset:
        """Every picture in a class folder becomes an entry; the class is the folder's name.

        Raises:
            DataError: no picture lies in a class folder.
        """
        pictures, others, foreign = source.sorted_files
        layout = _layout_of(pictures)
        placed, unlabelled, astray = _place(pictures, layout)
        if not placed:
            raise DataError(
                "no picture lies in a class folder",
                path=source.path,
                got=f"{len(pictures)} pictures among {source.tree.seen} files",
                allowed="one folder a class, each with pictures in it",
                fix="make a folder for each class and move its pictures there",
            )
        classes = class_order(name for _, _, name in placed)
        number = {name: index for index, name in enumerate(classes)}
        entries = [Entry(readable(path), path, number[name], split) for path, split, name in placed]
        return Dataset(
            root=source.root,
            format="class_folders",
            task="classify",
            classes=classes,
            entries=entries,
            pictures=FilePictures(source.root),
            quarantined=(*source.tree.quarantined, *foreign, *astray),
            skipped=(*source.tree.skipped, *others, *unlabelled),
            warnings=tuple(_warnings(source, layout, entries, classes, unlabelled, astray)),
            seen=source.tree.seen,
            why=self.recognise(source).why,
        )


def _layout_of(pictures: list[str]) -> Layout:
    return find_layout({tuple(path.split("/")[:-1]) for path in pictures})


def _place(
    pictures: list[str], layout: Layout
) -> tuple[list[tuple[str, str | None, str]], list[Skipped], list[Quarantined]]:
    """Pictures as (path, split, class), those in a split but in no class, and those beside all class folders."""
    placed, unlabelled, astray = [], [], []
    for path in pictures:
        split, name = layout.place(path)
        if name is not None:
            placed.append((path, split, name))
        elif layout.split_at == 0 and split_named(path.split("/")[len(layout.prefix)]):
            unlabelled.append(Skipped(readable(path), "in a split but in no class folder: it has no label"))
        else:
            astray.append(Quarantined(readable(path), "in no class folder", "move it into its class's folder"))
    return placed, unlabelled, astray


def _warnings(
    source: Source,
    layout: Layout,
    entries: list[Entry],
    classes: tuple[str, ...],
    unlabelled: list[Skipped],
    astray: list[Quarantined],
) -> Iterable[str]:
    """What the person should hear although the data can be used."""
    holding = Counter((entry.split, entry.target) for entry in entries)
    number = {name: index for index, name in enumerate(classes)}
    for folder in source.tree.folders:
        parts = folder.split("/")[len(layout.prefix) :]
        depth = 1 + max(layout.class_at, -1 if layout.split_at is None else layout.split_at)
        if tuple(folder.split("/")[: len(layout.prefix)]) != layout.prefix or len(parts) != depth:
            continue
        split, name = layout.place(f"{folder}/x")
        if name is not None and not holding[(split, number.get(name))]:
            yield f"class folder {readable(folder)!r} holds no picture"
    if layout.split_at is not None and any(split == "train" for split, _ in holding):
        for name in classes:
            if not holding[("train", number[name])]:
                yield f"class {name!r} has no training picture"
    yield from alike_warnings(classes)
    if unlabelled:
        yield f"{len(unlabelled)} pictures lie in a split but in no class folder and were skipped"
    if astray:
        yield f"{len(astray)} pictures lie in no class folder and were set aside"
