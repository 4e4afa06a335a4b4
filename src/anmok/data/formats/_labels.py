"""What cells say of classes: one name, several names in one cell, or a column of zeros and ones for each class."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from anmok.data.formats._rows import RowFault
from anmok.data.walk import readable

Label = str | frozenset[str] | None
"""What a row says: one name, or a cell that may hold several; the names of the columns that say yes; nothing."""

ONE, ANY = "classify", "multilabel"  # tasks: a picture is of one class, or shows any number of them

MARKS: tuple[Mapping[str, bool], ...] = (  # ways to write that a class is there, and that it is not
    {"1": True, "0": False, "1.0": True, "0.0": False},
    {"1": True, "-1": False},
    {"true": True, "false": False},
    {"yes": True, "no": False},
    {"y": True, "n": False},
)
_ODD = 0.2  # of looked-at cells may hold no mark: they are faults, and the rows are set aside
# Share of the names in joined cells that must occur in other cells, too. Bars and semicolons hardly stand in names of
# classes; commas do ("tench, Tinca tinca"), and spaces all the time.
_SHARED = {"|": 0.0, ";": 0.0, ",": 0.5, " ": 0.8}
SEPARATOR_NAMES = {"|": "bars", ";": "semicolons", ",": "commas", " ": "spaces"}


@dataclass(frozen=True)
class Meaning:
    """How the labels of all rows are meant: for which `task`, `separator` between names, and in `words` why."""

    task: str
    separator: str | None = None
    words: str = ""

    def of(self, label: Label) -> Label:
        """One name for `ONE`, a set of them for `ANY`. Raises `RowFault` where the row does not say that."""
        if label is None or self.task == ANY:
            return names_in(label, self.separator) if isinstance(label, str) else label
        if isinstance(label, str):
            return label
        if len(label) != 1:
            raise RowFault(f"it is of {len(label)} classes, not of one", "mark one class, or --task multilabel")
        return next(iter(label))


def meaning_of(labels: Sequence[Label], task: str | None = None) -> Meaning:
    """What the labels of a data set are, all looked at together. `task`: the one asked for, if any.

    >>> meaning_of([frozenset({"a"}), frozenset({"b"})]).words
    'exactly one column says yes in every row, so each picture is of one class'
    """
    if marked := [label for label in labels if isinstance(label, frozenset)]:
        lone = sum(len(label) == 1 for label in marked)
        if task != ANY and lone == len(marked):
            return Meaning(ONE, words="exactly one column says yes in every row, so each picture is of one class")
        told = f"exactly one column says yes in {lone:,} of {len(marked):,} rows"
        several = Meaning(ANY, words=f"{told}, so a picture may show several classes, or none")
        return Meaning(ONE, words=told) if task == ONE else several
    separator = None if task == ONE else separator_of(label for label in labels if isinstance(label, str))
    if separator is not None:
        words = f"a label may name several classes with {SEPARATOR_NAMES[separator]} between them"
        return Meaning(ANY, separator, f"{words} (--task classify: each label is one name)")
    return Meaning(ANY if task == ANY else ONE)


def cleaned(cell: str) -> str:
    """A label as it is compared and shown: composed letters, no spaces around, nothing unprintable."""
    return readable(unicodedata.normalize("NFC", cell.strip()))


def mark_columns(columns: Sequence[Sequence[str]], rest: Sequence[int]) -> tuple[tuple[int, ...], Mapping[str, bool]]:
    """The columns among `rest` that say by one of `MARKS` whether a class is there, and how; none: fewer than two.

    >>> mark_columns([["a.png", "b.png"], ["0", "1"], ["1", "1"]], [0, 1, 2])[0]
    (1, 2)
    """
    best: tuple[int, ...] = ()
    how: Mapping[str, bool] = {}
    for marks in MARKS:
        found = tuple(at for at in rest if _is_marked(columns[at], marks))
        if len(found) > max(1, len(best)):
            best, how = found, marks
    return best, how


def _is_marked(cells: Sequence[str], marks: Mapping[str, bool]) -> bool:
    filled = [cell.strip().lower() for cell in cells if cell.strip()]
    odd = sum(cell not in marks for cell in filled)
    return bool(filled) and odd <= max(2, _ODD * len(filled)) and odd < len(filled) / 2


def separator_of(cells: Iterable[str]) -> str | None:
    """What parts the several names in cells of labels; None where each cell is one name.

    Names of several labels recombine: they stand in other cells, too, alone or beside others. Words of one name do so
    rarely; where a space parts, there must also be fewer names than cells, and cells of one name beside longer ones.

    >>> separator_of(["cat", "cat|dog"]), separator_of(["black cat", "white cat", "dog"])
    ('|', None)
    """
    distinct = {cleaned(cell) for cell in cells} - {""}
    for separator, least in _SHARED.items():
        sets = {cell: names_in(cell, separator) for cell in distinct}
        joined = [names for names in sets.values() if len(names) > 1]
        if not joined:
            continue
        spread = Counter(name for names in set(sets.values()) for name in names)
        shared = [spread[name] > 1 for names in joined for name in names]
        if not any(shared) or sum(shared) < least * len(shared):
            continue
        if separator == " " and not (len(spread) < len(sets) and any(len(names) == 1 for names in sets.values())):
            continue
        return separator
    return "," if any(_is_list(cell) for cell in distinct) else None


def names_in(cell: str, separator: str | None) -> frozenset[str]:
    """The names in one cell; a list as Python writes it is one, too.

    >>> sorted(names_in("cat | dog|", "|")), sorted(names_in("['cat', 'dog']", ",")), names_in("[]", ",")
    (['cat', 'dog'], ['cat', 'dog'], frozenset())
    """
    text = cleaned(cell)
    if _is_list(text):
        text, separator = text[1:-1], ","
        return frozenset(name for part in text.split(separator) if (name := part.strip().strip("'\"").strip()))
    parts = [text] if separator is None else text.split() if separator == " " else text.split(separator)
    return frozenset(name for part in parts if (name := part.strip()))


def _is_list(cell: str) -> bool:
    """`[]`, or a list with quotes, as tables hold them that Python wrote."""
    return re.fullmatch(r"\[\s*(['\"].*['\"])?\s*\]", cell) is not None
