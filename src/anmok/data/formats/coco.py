"""COCO: one JSON file a split, of `images`, `annotations` and `categories`, with boxes, polygons and run lengths.

Lin et al. 2014, "Microsoft COCO: Common Objects in Context"; the fields are those of cocodataset.org's format page.
Boxes are x, y, width, height in pixels from the upper left corner, half-open, so that nothing is lost here. Ids may
have gaps, begin at 0 and be words. Rows are counted in each list from 1.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from anmok.core.errors import DataError
from anmok.core.registry import register
from anmok.core.types import Dataset, Quarantined, Skipped
from anmok.data.formats import _coco_write
from anmok.data.formats._assembly import Found, Labelled, assemble
from anmok.data.formats._coco_rows import key, read_annotation
from anmok.data.formats._finder import Finder, NotFound
from anmok.data.formats._json_stream import elements
from anmok.data.formats._rows import RowFault, RowLedger, Told
from anmok.data.formats._words import split_in_path
from anmok.data.names import class_name
from anmok.data.source import Recognition, Source
from anmok.data.walk import readable

_SNIFFED = 1 << 16  # bytes at either end of a file by which it is known
_KEYS = re.compile(rb'"(images|annotations|categories)"\s*:')
_OTHERS = re.compile(r"captions|keypoints|panoptic|stuff|image_info|unlabeled", re.IGNORECASE)


@register("format", name="coco")
class Coco:
    """Objects told in JSON."""

    tasks = ("detect", "segment")
    write = staticmethod(_coco_write.write)

    def recognise(self, source: Source) -> Recognition:
        """Sure where a JSON file has the lists of COCO."""
        names = _files(source)
        if not names:
            return Recognition(0.0, "no JSON file with images, annotations and categories")
        return Recognition(0.97, f"images and annotations in {', '.join(map(readable, names[:4]))}")

    def read(self, source: Source) -> Dataset:
        """Every picture of `images` that is there becomes an entry, with those of its annotations that hold.

        Raises:
            DataError: damaged JSON, categories that contradict each other, or nothing usable.
        """
        reading = _Reading(source)
        for name in _files(source):
            reading.take(name)
        return assemble(source, reading.found(self.recognise(source).why))


def _files(source: Source) -> list[str]:
    """Paths below the root of COCO's files, those of splits first; of several kinds only those with boxes."""
    if not source.is_folder:
        return [source.path.name] if _is_coco(source.path) else []
    names = [path for path in source.tree.files if path.lower().endswith(".json") and _is_coco(source.root / path)]
    names = [name for name in names if not _OTHERS.search(name.rpartition("/")[2])] or names
    return sorted(names, key=lambda name: split_in_path(name) is None)


def _is_coco(path: Path) -> bool:
    """Whether a file holds the lists of COCO, by its beginning and end: the middle may be gigabytes."""
    try:
        with path.open("rb") as file:
            ends = file.read(_SNIFFED)
            file.seek(max(0, file.seek(0, 2) - _SNIFFED))
            ends += file.read()
    except OSError:
        return False
    keys = set(_KEYS.findall(ends.replace(b"\0", b"")))  # UTF-16 has zeros between
    return b"images" in keys and len(keys) > 1


@dataclass
class _File:
    """One JSON file as it stands: rows of `images` by id, categories by id, annotations with their picture's id."""

    images: dict[Hashable, tuple[int, Mapping[str, Any]]] = field(default_factory=dict)
    categories: dict[Hashable, str] = field(default_factory=dict)
    annotations: list[tuple[Hashable, Told]] = field(default_factory=list)
    bad_images: list[tuple[int, RowFault]] = field(default_factory=list)
    bad_annotations: list[tuple[int, RowFault]] = field(default_factory=list)
    ids: set[Hashable] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> _File:
        """Raises `DataError` where the file is damaged."""
        found = cls()
        for name, number, value in elements(path):
            if name == "images" and number:
                found._image(number, value)
            elif name == "annotations" and number:
                found._annotation(number, value)
            elif name == "categories" and number:
                found._category(path, value)
        return found

    def _image(self, number: int, value: Any) -> None:
        fix = "correct the row of images, or remove it"
        told = value if isinstance(value, Mapping) else {}
        image, name = key(told.get("id")), told.get("file_name")
        if image is None or not isinstance(name, str) or not name.strip():
            self.bad_images.append((number, RowFault("a picture needs an id and a file_name", fix)))
        elif image in self.images:
            first = self.images[image][0]
            self.bad_images.append((number, RowFault(f"its id {image!r} is that of row {first} of images", fix)))
        else:
            self.images[image] = number, {name: told.get(name) for name in ("file_name", "width", "height")}

    def _annotation(self, number: int, value: Any) -> None:
        try:
            row = read_annotation(number, value)
            name = key(value.get("id"))
            if name is not None and name in self.ids:
                raise RowFault(f"there is another annotation of the id {name!r}", "give it an id of its own")
        except RowFault as fault:
            self.bad_annotations.append((number, fault))
            return
        self.ids.add(name)
        self.annotations.append(row)

    def _category(self, path: Path, value: Any) -> None:
        told = value if isinstance(value, Mapping) else {}
        category, name = key(told.get("id")), told.get("name")
        if category is None or name is None:
            return  # whoever names it is told so
        name = class_name(str(name).strip())
        if self.categories.setdefault(category, name) != name:
            both = f"{self.categories[category]!r} and {name!r}"
            raise DataError("two categories have one id", path=path, got=f"id {category!r} for {both}",
                            fix="give each an id of its own")  # fmt: skip


class _Reading:
    """All files of one data set, taken one by one."""

    def __init__(self, source: Source) -> None:
        self.source, self.ledger = source, RowLedger()
        self.root = source.root
        self.classes: dict[str, None] = {}
        self.labelled: dict[str, Labelled] = {}
        self.used: set[str] = set()
        self.lost: list[Quarantined] = []
        self.skipped: list[Skipped] = []
        self.reasons: dict[str, str] = {}
        self.warnings: list[str] = []
        self.first_missing = ""

    def found(self, why: str) -> Found:
        """What `assemble` needs. Raises `DataError` where no picture at all is there."""
        if not self.used:
            raise DataError(
                "none of the pictures that it names is there",
                path=self.source.path,
                got=self.first_missing or "no picture is named",
                allowed=f"pictures below {self.root}",
                fix="--pictures with the folder that they lie in",
            )
        return Found(
            "coco", self.root, tuple(self.classes), list(self.labelled.values()), self.ledger, self.used, why,
            pictures_lost=self.lost, pictures_skipped=self.skipped, reasons=self.reasons, warnings=self.warnings,
        )  # fmt: skip

    def take(self, name: str) -> None:
        """Read one file. One whose pictures are all missing is passed over: people often have only a part of them."""
        file = _File.read(self.source.root / name)
        finder, paths = self._paths(name, file)
        if not any(isinstance(path, str) for path in paths.values()):
            self.reasons[name] = "none of its pictures is there"
            self.warnings.append(f"{readable(name)} was left out: none of its {len(paths):,} pictures is there")
            return
        self.root = finder.root
        self.used.add(name)
        shown = readable(name)
        self.ledger.seen += len(file.annotations) + len(file.bad_annotations)
        for number, fault in file.bad_annotations:
            self.ledger.set_aside(shown, number, fault)
        for number, fault in file.bad_images:
            self.lost.append(Quarantined(shown, f"row {number} of images: {fault.reason}", fault.fix, number))
        here = self._images(shown, file, paths)
        self._annotations(shown, file, here)

    def _paths(self, name: str, file: _File) -> tuple[Finder, dict[Hashable, str | NotFound]]:
        """Where the pictures lie; beside a lone file of `annotations/`, one folder up, too."""
        split = split_in_path(name)
        for finder in _finders(self.source, name):
            paths: dict[Hashable, str | NotFound] = {}
            for image, (_, row) in file.images.items():
                try:
                    paths[image] = _locate(finder, str(row["file_name"]), split)
                except NotFound as problem:
                    paths[image] = problem
                    self.first_missing = self.first_missing or problem.reason
            if any(isinstance(path, str) for path in paths.values()):
                break
        return finder, paths

    def _images(
        self, shown: str, file: _File, paths: Mapping[Hashable, str | NotFound]
    ) -> dict[Hashable, Labelled | None]:
        """By id, the pictures that are there; None for those that were set aside."""
        here: dict[Hashable, Labelled | None] = {}
        for image, (number, row) in file.images.items():
            path = paths[image]
            if isinstance(path, NotFound):
                self.lost.append(Quarantined(shown, f"row {number} of images: {path.reason}", path.fix, number))
                here[image] = None
            elif path in self.labelled and self.labelled[path].split and not split_in_path(shown):
                self.skipped.append(Skipped(shown, f"{readable(path)} is told by {self.labelled[path].file}", number))
                here[image] = None
            elif path in self.labelled:
                reason = f"row {number} of images names {readable(path)}, as a row of {self.labelled[path].file} does"
                self.lost.append(Quarantined(shown, reason, "keep one of them, and its annotations", number))
                here[image] = None
            else:
                split = split_in_path(shown) or split_in_path(path.rpartition("/")[0])
                here[image] = self.labelled[path] = Labelled(path, shown, [], _stated(row), split)
        return here

    def _annotations(self, shown: str, file: _File, here: Mapping[Hashable, Labelled | None]) -> None:
        if self.classes and set(file.categories.values()) != set(self.classes):
            self.warnings.append(f"{shown} has other categories than the files before it; all are taken together")
        self.classes |= dict.fromkeys(file.categories[one] for one in sorted(file.categories, key=_order))
        for image, row in file.annotations:
            if image not in here:
                fault = RowFault(f"{row.name or 'it'} names the picture {image!r}, which is not in images",
                                 "add the picture to images, or remove the annotation")  # fmt: skip
                self.ledger.set_aside(shown, row.line, fault)
            elif row.label not in file.categories:
                fault = RowFault(f"{row.name or 'it'} names the category {row.label!r}, which is not in categories",
                                 "add the category, or remove the annotation")  # fmt: skip
                self.ledger.set_aside(shown, row.line, fault)
            elif (labelled := here[image]) is None:
                self.ledger.skip(shown, row.line, "its picture was set aside, or is told by another file")
            else:
                row.label = file.categories[row.label]
                labelled.rows.append(row)


def _finders(source: Source, name: str) -> list[Finder]:
    """Where pictures may lie, the likeliest place first."""
    if source.options.pictures is not None:
        return [Finder(Source(source.options.pictures, source.options), source.options.pictures)]
    finders = [Finder(source, source.root, name[: name.rfind("/") + 1])]
    if not source.is_folder and source.root.name.lower() in ("annotations", "labels", "annotation"):
        above = source.root.absolute().parent
        finders.append(Finder(Source(above, source.options), above, source.root.name + "/"))
    return finders


def _locate(finder: Finder, name: str, split: str | None) -> str:
    """The picture's path; of a path on another machine, its last part counts. Raises `NotFound`."""
    try:
        return finder.find(name, split)
    except NotFound:
        last = re.split(r"[/\\]", name.strip())[-1]
        if last in ("", name.strip()):
            raise
        return finder.find(last, split)


def _stated(row: Mapping[str, Any]) -> tuple[int, int] | None:
    sides = row["height"], row["width"]
    known = all(isinstance(side, int | float) and 0 < side < 1 << 20 for side in sides)
    return (int(sides[0]), int(sides[1])) if known else None


def _order(category: Hashable) -> tuple[bool, int, str]:
    return not isinstance(category, int), category if isinstance(category, int) else 0, str(category)
