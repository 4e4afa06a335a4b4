"""YOLO: beside each picture a text of `class x y width height` lines, or `class x y x y …` around an outline.

All numbers but the class are shares of the upright picture's width and height; x and y of a box are its centre. A
`data.yaml` (or `classes.txt`, `obj.names`) names the classes and may name the parts of a split. A picture without a
text shows nothing, as trainers of this format take it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

from anmok.core.errors import DataError
from anmok.core.registry import register
from anmok.core.types import Dataset, Quarantined
from anmok.data.formats import _yolo_write
from anmok.data.formats._assembly import Found, Labelled, assemble
from anmok.data.formats._layout import LABEL_WORDS, Pictures, words
from anmok.data.formats._rows import RowFault, RowLedger, Told, outline
from anmok.data.formats._words import split_in_path
from anmok.data.formats._yolo_names import NAME_FILES, Description, describe
from anmok.data.source import Recognition, Source
from anmok.data.walk import readable

_LARGEST = 64 << 20  # bytes of a text: the labels of one picture take some thousand
_FIX = "write class, then shares from 0 to 1 of width and height, or remove the line"
_SAMPLED = 50  # texts looked at to recognise them
_MOST_CLASSES = 1000  # where nothing says how many there are: one damaged number must not make thousands


@register("format", name="yolo")
class Yolo:
    """Objects told in a text a picture."""

    tasks = ("detect", "segment")
    write = staticmethod(_yolo_write.write)

    def recognise(self, source: Source) -> Recognition:
        """Sure where a description names classes, or texts beside pictures hold such lines."""
        try:
            described = describe(source)
        except DataError as error:
            return Recognition(0.9, str(error))
        if not source.is_folder and (described is None or not described.is_yaml):
            return Recognition(0.0, "a file, not a description of YOLO")
        texts = [path for path, found in _texts(source).items() if found]
        if described is not None and described.is_yaml:
            sure = 0.96 if texts or not source.is_folder else 0.6
            return Recognition(sure, f"{readable(described.file)} names {len(described.names)} classes")
        sampled = texts[:: len(texts) // _SAMPLED + 1]
        told = [path for path in sampled if _looks_like_labels(source.root / path)]
        if not told or 2 * len(told) < len(sampled):
            return Recognition(0.0, "no texts beside pictures with lines of class and box")
        return Recognition(0.93, f"lines of class and box in {readable(told[0])}, beside its picture")

    def read(self, source: Source) -> Dataset:
        """Every picture becomes an entry with the lines of its text that hold.

        Raises:
            DataError: a description that contradicts itself, or nothing usable.
        """
        why = self.recognise(source).why
        described = describe(source)
        if described is not None and described.source is not None:
            source = described.source
        return assemble(source, _Reading(source, described).found(why))


def _texts(source: Source) -> dict[str, list[str]]:
    """Texts that may hold labels, each with the pictures that it belongs to."""
    pictures = Pictures(source.sorted_files[0])
    return {
        path: pictures.of(path)
        for path in source.tree.files
        if path.lower().endswith(".txt") and path.rpartition("/")[2].lower() not in NAME_FILES
    }


def _looks_like_labels(path: Path) -> bool:
    """Whether one of the first lines could be one of labels; a text of nothing could be, too."""
    try:
        with path.open("rb") as file:
            start = file.read(4096).split(b"\n")
    except OSError:
        return False
    rows = [cells for line in start if (cells := line.split())]
    return not rows or any(_could_be_a_row(cells) for cells in rows)


def _could_be_a_row(cells: list[bytes]) -> bool:
    try:
        numbers = [float(cell) for cell in cells]
    except ValueError:
        return False
    return len(cells) >= 5 and math.isfinite(numbers[0]) and numbers[0] == int(numbers[0])


class _Reading:
    """All texts of a data set."""

    def __init__(self, source: Source, described: Description | None) -> None:
        self.source, self.described = source, described
        self.ledger = RowLedger()
        self.names = described.names if described else ()
        self.highest = -1
        self.lost: list[Quarantined] = []
        self.files_lost: list[Quarantined] = []
        self.warnings = list(described.warnings) if described else []

    def found(self, why: str) -> Found:
        """What `assemble` needs."""
        text_of: dict[str, str] = {}
        used, dangling = set(), []
        for path, pictures in _texts(self.source).items():
            if not pictures:
                dangling.append(path)
                continue
            used.add(path)
            text_of[pictures[0]] = path
            self.lost += [
                Quarantined(readable(other), f"called as {readable(pictures[0])} is, which has the labels", "rename it")
                for other in pictures[1:]
            ]
        doubled = {item.path for item in self.lost}
        pictures = [path for path in self.source.sorted_files[0] if readable(path) not in doubled]
        splits = self.described.splits(pictures) if self.described else {}
        labelled = [self._labelled(path, text_of.get(path), splits.get(path)) for path in pictures]
        for path in dangling:
            self._dangling(path, used)
        empty = len(pictures) - len(text_of)
        if empty:
            self.warnings.append(f"{empty:,} pictures have no text of labels: they count as showing nothing")
        if self.described and self.described.file in self.source.tree.files:
            used.add(self.described.file)
        classes = self.names or tuple(str(number) for number in range(self.highest + 1))
        return Found(
            "yolo", self.source.root, classes, labelled, self.ledger, used, why,
            pictures_lost=self.lost, files_lost=self.files_lost, warnings=self.warnings,
            number={number: number for number in range(len(classes))},
        )  # fmt: skip

    def _labelled(self, picture: str, text: str | None, split: str | None) -> Labelled:
        split = split or split_in_path(picture.rpartition("/")[0])
        if text is None:
            return Labelled(picture, readable(picture), [], split=split, shares=True)
        return Labelled(picture, readable(text), list(self._rows(text)), split=split, shares=True)

    def _rows(self, text: str) -> Iterator[Told]:
        shown = readable(text)
        for number, line in enumerate(self._lines(text), 1):
            self.ledger.seen += 1
            if not line.split():
                self.ledger.skip(shown, number, "a blank line")
                continue
            try:
                row = self._row(number, line.split())
            except RowFault as fault:
                self.ledger.set_aside(shown, number, fault)
                continue
            yield row

    def _row(self, number: int, cells: list[str]) -> Told:
        """What a line tells. Raises `RowFault`."""
        try:
            told, *numbers = map(float, cells)
        except ValueError:
            raise RowFault(f"{' '.join(cells)[:60]!r} is not all numbers", _FIX) from None
        if not all(map(math.isfinite, (told, *numbers))):
            raise RowFault("it holds what is no number (nan, inf)", _FIX)
        if told != int(told) or told < 0:
            raise RowFault(f"the class must be a whole number from 0, got {cells[0]}", _FIX)
        if self.names and told >= len(self.names):
            raise RowFault(f"class {int(told)} where there are {len(self.names)}, the last of them "
                           f"{len(self.names) - 1}", "correct the class, or name it in the description")  # fmt: skip
        if told >= _MOST_CLASSES:
            raise RowFault(f"class {int(told)}, and no description names so many", _FIX)
        points = self.described.keypoints if self.described else 0
        if points and len(numbers) == 4 + points:
            numbers = numbers[:4]  # of a pose, the box
        if len(numbers) != 4 and (len(numbers) < 6 or len(numbers) % 2):
            raise RowFault(f"{len(cells)} numbers; a box takes 5, an outline 7, 9, 11 …", _FIX)
        if max(map(abs, numbers)) > 1.5:
            raise RowFault(f"{max(numbers, key=abs):g} is no share of the picture's side: not normalised?", _FIX)
        self.highest = max(self.highest, int(told))
        if len(numbers) > 4:
            return Told(number, int(told), region=outline([numbers]))
        x, y, width, height = numbers
        if width <= 0 or height <= 0:
            raise RowFault(f"a box of width {width:g} and height {height:g}", _FIX)
        return Told(number, int(told), (x - width / 2, y - height / 2, x + width / 2, y + height / 2))

    def _lines(self, path: str) -> list[str]:
        file = self.source.root / path
        try:
            if file.stat().st_size > _LARGEST:
                raise OSError(0, "too large for the labels of one picture")
            content = file.read_bytes()
        except OSError as error:
            reason = f"the text cannot be read: {error.strerror}"
            self.files_lost.append(Quarantined(readable(path), reason, "check it, or remove it"))
            return []
        text = content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")
        return text.removesuffix("\n").split("\n") if text else []

    def _dangling(self, path: str, used: set[str]) -> None:
        """A text without a picture: set aside where it holds labels, by its folder and its lines."""
        folder = path.rpartition("/")[0]
        at_home = any(other.rpartition("/")[0] == folder for other in used) or set(words(folder)) & LABEL_WORDS
        if not at_home or not _looks_like_labels(self.source.root / path):
            return
        shown = readable(path)
        self.files_lost.append(Quarantined(shown, "no picture is called as this text of labels is",
                                           "restore the picture, or remove the text"))  # fmt: skip
        for number, _ in enumerate(self._lines(path), 1):
            self.ledger.seen += 1
            self.ledger.skip(shown, number, "its picture is not there")
