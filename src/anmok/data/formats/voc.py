"""Pascal VOC: one XML a picture with named boxes, beside the pictures or in `Annotations/` with `JPEGImages/`.

Everingham et al. 2010, "The Pascal Visual Object Classes (VOC) Challenge". Its pixels are counted from 1 and both
corners belong to the box, so [xmin, ymin, xmax, ymax] covers [xmin - 1, xmax) × [ymin - 1, ymax). Many tools that write
this form count from 0 instead, up to and without xmax: taken to be so where more boxes begin at 0 than at 1.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from anmok.core.registry import register
from anmok.core.types import Dataset, Quarantined, Skipped
from anmok.data.formats import _voc_write
from anmok.data.formats._assembly import LOST, Found, Labelled, assemble
from anmok.data.formats._class_map import listed_classes
from anmok.data.formats._image_sets import ImageSets, read_image_sets
from anmok.data.formats._layout import Pictures, stem
from anmok.data.formats._rows import RowFault, RowLedger, Told
from anmok.data.formats._words import split_in_path
from anmok.data.formats._xml import Element, XmlError, read_xml
from anmok.data.names import class_name
from anmok.data.source import Recognition, Source
from anmok.data.walk import readable

_SAMPLED = 50  # files looked at to recognise them
_FIX = "correct the object, or remove it"


@register("format", name="voc")
class Voc:
    """Objects told in an XML a picture."""

    tasks = ("detect",)
    write = staticmethod(_voc_write.write)

    def recognise(self, source: Source) -> Recognition:
        """Sure where XML files are annotations."""
        if not source.is_folder:
            return Recognition(0.0, "a file, not a folder of annotations")
        files = _files(source)
        sampled = files[:: len(files) // _SAMPLED + 1]
        told = [path for path in sampled if _begins_as_annotation(source, path)]
        if not told or 2 * len(told) < len(sampled):
            return Recognition(0.0, "no XML files of annotations")
        return Recognition(0.94, f"{len(files)} XML files of annotations, such as {readable(told[0])}")

    def read(self, source: Source) -> Dataset:
        """Every picture with an annotation becomes an entry with those of its objects that hold.

        Raises:
            DataError: an annotation that declares entities, or nothing usable.
        """
        return assemble(source, _Reading(source).found(self.recognise(source).why))


def _files(source: Source) -> list[str]:
    return [path for path in source.tree.files if path.lower().endswith(".xml")]


def _begins_as_annotation(source: Source, path: str) -> bool:
    try:
        with (source.root / path).open("rb") as file:
            return b"<annotation" in file.read(4096).replace(b"\0", b"").lower()
    except OSError:
        return False


@dataclass
class _Reading:
    """All annotations of a data set."""

    source: Source
    ledger: RowLedger = field(default_factory=RowLedger)
    lost: list[Quarantined] = field(default_factory=list)
    files_lost: list[Quarantined] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    def found(self, why: str) -> Found:
        """What `assemble` needs."""
        sets = read_image_sets(self.source, ("Main", "", "Layout"))
        pictures = Pictures(self.source.sorted_files[0])
        by_picture: dict[str, Labelled] = {}
        touched: set[str] = set()  # pictures with an annotation, be it a bad one
        for path in _files(self.source):
            self._take(path, pictures, sets, by_picture, touched)
        alone = [path for path in self.source.sorted_files[0] if path not in touched]
        reasons = dict.fromkeys(alone, "no annotation tells what is in it")
        if alone:
            self.warnings.append(f"{len(alone):,} pictures have no annotation and were passed over")
        labelled = list(by_picture.values())
        from_zero = _count_from_zero(labelled)
        if not from_zero:
            for row in (row for one in labelled for row in one.rows):
                left, top, right, bottom = row.box  # type: ignore[misc]
                row.box = left - 1, top - 1, right, bottom
        classes, listed = listed_classes(self.source, {str(row.label) for one in labelled for row in one.rows})
        self.used |= {*sets.files, *([listed] if listed else [])}
        why += ", pixels counted from 0" if from_zero else ", pixels counted from 1"
        return Found(
            "voc", self.source.root, classes, labelled, self.ledger, self.used, why,
            pictures_lost=self.lost, pictures_skipped=self.skipped, files_lost=self.files_lost, reasons=reasons,
            warnings=self.warnings,
        )  # fmt: skip

    def _take(
        self, path: str, pictures: Pictures, sets: ImageSets, by_picture: dict[str, Labelled], touched: set[str]
    ) -> None:
        """Read one annotation and find its picture."""
        shown, fix = readable(path), "repair the XML, or remove it and its picture"
        try:
            told = read_xml(self.source.root / path)
        except XmlError as error:
            self.files_lost.append(Quarantined(shown, error.reason, fix, error.line))
            for picture in pictures.of(path):
                touched.add(picture)
                self.skipped.append(Skipped(readable(picture), f"its annotation {shown} was set aside"))
            return
        if told.name != "annotation":
            return  # an XML about something else, passed over with the other files
        rows = list(self._rows(shown, told))
        found = pictures.of(path) or pictures.of(path, told.said("filename") or None)
        if len(found) != 1 or found[0] in by_picture:
            what = "no picture is called as it is"
            if found:
                what = (
                    f"{len(found)} pictures are called as it is" if len(found) > 1 else "another tells of its picture"
                )
            self.files_lost.append(Quarantined(shown, what, "restore or rename the picture, or remove the annotation"))
            self.ledger.skip_all(shown, rows, "its annotation was set aside")
            return
        picture = found[0]
        self.used.add(path)
        touched.add(picture)
        split, name = split_in_path(picture.rpartition("/")[0]), stem(picture)
        if sets and (name in sets.torn or name not in sets.split_of):
            self._not_in_one_list(picture, shown, rows, name in sets.torn)
            return
        split = sets.split_of[name] if sets else split
        by_picture[picture] = Labelled(picture, shown, rows, _stated(told), split)

    def _not_in_one_list(self, picture: str, shown: str, rows: list[Told], torn: bool) -> None:
        if torn:
            reason = "ImageSets lists it on two sides of the split"
            self.lost.append(Quarantined(readable(picture), reason, "take it out of one of the lists"))
        else:
            self.skipped.append(Skipped(readable(picture), "no list of ImageSets names it"))
        self.ledger.skip_all(shown, rows, LOST if torn else "no list of ImageSets names its picture")

    def _rows(self, shown: str, told: Element) -> list[Told]:
        rows = []
        for number, element in enumerate(told.all("object"), 1):
            self.ledger.seen += 1
            try:
                rows.append(_row(number, element))
            except RowFault as fault:
                where = RowFault(f"object {number}: {fault.reason}", fault.fix)
                self.ledger.set_aside(shown, element.line, where)
        return rows


def _row(number: int, element: Element) -> Told:
    """What an <object> tells, its line that of the element. Raises `RowFault`."""
    name = class_name(element.said("name"))
    box = element.first("bndbox")
    if not name:
        raise RowFault("it has no name", _FIX)
    if box is None:
        raise RowFault("it has no box (bndbox)", _FIX)
    corners = [box.said(corner) for corner in ("xmin", "ymin", "xmax", "ymax")]
    try:
        numbers = [float(corner) for corner in corners]
    except ValueError:
        raise RowFault(f"its box [{', '.join(corners)}] is not four numbers", _FIX) from None
    difficult, crowd = (element.said(flag) in ("1", "true", "True") for flag in ("difficult", "iscrowd"))
    return Told(element.line, name, numbers, crowd=crowd, difficult=difficult, name=f"object {number}")


def _stated(told: Element) -> tuple[int, int] | None:
    """(height, width) of <size>; None where it says nothing, as labels made without looking at the file do."""
    size = told.first("size")
    if size is None:
        return None
    try:
        height, width = int(float(size.said("height"))), int(float(size.said("width")))
    except (ValueError, OverflowError):
        return None
    return (height, width) if height > 0 and width > 0 else None


def _count_from_zero(labelled: list[Labelled]) -> bool:
    """Whether more boxes begin at 0 than at 1."""
    begins: Counter[float] = Counter()
    for one in labelled:
        for row in one.rows:
            begins.update(value for value in row.box[:2] if value in (0, 1))  # type: ignore[index]
    return begins[0] > begins[1]
