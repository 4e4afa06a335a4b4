"""Which column of a table of paths is which, by name and by content."""

from __future__ import annotations

import posixpath
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from anmok.core.errors import UsageError, nearest
from anmok.core.magic import PICTURE_SUFFIXES
from anmok.data.formats._finder import Finder, NotFound
from anmok.data.formats._labels import MARKS, mark_columns
from anmok.data.formats._text_table import Row
from anmok.data.kinds import FOREIGN_SUFFIXES
from anmok.data.names import split_named
from anmok.data.source import ReadOptions

LABEL_NAMES = frozenset(
    {"label", "labels", "class", "classes", "class_name", "category", "target", "y", "breed", "species", "tag"}
    | {"diagnosis", "dx", "label_name", "classname", "category_name", "ground_truth", "gt", "answer", "라벨", "분류"}
    | {"tags", "categories", "attributes", "emotion", "emotions", "genre", "genres"}
)
_FAR_MORE = 3  # times as many columns of marks as others that look like labels are not about something else
NUMBERING = frozenset({"id", "imageid", "image_id", "index", "idx", "unnamed:_0"})
SPLIT_NAMES = frozenset({"split", "set", "subset", "partition", "usage", "phase", "data_set", "dataset", "fold_name"})
GROUP_NAMES = frozenset(
    {"group", "group_id", "patient", "patient_id", "patientid", "subject", "subject_id", "video", "video_id"}
    | {"lesion_id", "burst", "burst_id", "scene_id", "person_id", "location", "sequence"}
)


@dataclass(frozen=True)
class Columns:
    """The names of a table's columns (made up where it has no header) and what each is for, by position.

    Labels stand in the column `label`, or in `marked`, a column a class; `marks` then says which cells mean yes and no.
    """

    names: tuple[str, ...]
    has_header: bool
    path: int | None
    label: int | None = None
    split: int | None = None
    group: int | None = None
    doubtful: tuple[str, ...] = ()  # columns of which any could be the label
    share: float = 0.0  # of looked-at cells in the path column that name a file
    marked: tuple[int, ...] = ()
    marks: Mapping[str, bool] = field(default_factory=dict)

    @property
    def labelled(self) -> bool:
        """Whether rows say what pictures show."""
        return self.label is not None or bool(self.marked)

    @property
    def words(self) -> str:
        """Which column is which, for people."""
        named = {"paths": self.path, "labels": self.label, "splits": self.split, "groups": self.group}
        told = [f"{what} in {self.names[at]!r}" for what, at in named.items() if at is not None]
        if self.marked:
            first, last = self.names[self.marked[0]], self.names[self.marked[-1]]
            told.insert(bool(self.path is not None), f"labels in {len(self.marked)} columns, {first!r} to {last!r}")
        return ", ".join(told)


def decide(rows: Sequence[Row], finder: Finder, options: ReadOptions) -> Columns:
    """Which column is which, from some rows of a table of which the first may be its header.

    Raises:
        UsageError: an option names a column that is not there.
    """
    has_header = not any(_names_picture(cell, finder) for cell in rows[0][1])
    width = len(rows[0][1]) if has_header else Counter(len(cells) for _, cells in rows).most_common(1)[0][0]
    first = [cell.strip() for cell in rows[0][1]] if has_header else [""] * width
    names = tuple(name or f"column {at + 1}" for at, name in enumerate(first))
    body = [cells for _, cells in rows[has_header:] if len(cells) >= width]
    columns = [[cells[at].strip() for cells in body] for at in range(width)]

    path, share = _path_column(columns, finder, asked(options.path_column, names))
    taken = {path}
    split = asked(options.split_column, names)
    if split is None:
        split = next((i for i in range(width) if i not in taken and is_split(names[i], columns[i])), None)
    group = asked(options.group_column, names)
    if group is None:
        group = next((i for i in range(width) if i not in taken and plain(names[i]) in GROUP_NAMES), None)
    rest = [i for i in range(width) if i not in {path, split, group} and any(columns[i])]
    found = Columns(names, has_header, path, None, split, group, share=share)
    return with_labels(found, columns, rest, options.label_column)


def with_labels(columns: Columns, cells: Sequence[list[str]], rest: Sequence[int], wanted: str | None) -> Columns:
    """The same with the columns of labels: those the user named, else found among `rest`.

    Args:
        cells: some of each column.
        wanted: one column, several with commas between, or "" for none; None: not said.
    """
    if wanted == "":
        return columns
    if wanted is not None:
        several = _several(wanted, columns.names)
        label, marked = (asked(wanted, columns.names), ()) if not several else (None, several)
        marks = mark_columns(cells, marked)[1] if marked else {}
        return replace(columns, label=label, marked=marked, marks=marks or MARKS[0])
    label, doubtful = label_column(columns.names, cells, rest)
    named = label is not None and _called_label(columns.names[label])
    marked, marks = ((), {}) if named or not columns.has_header else _marked(columns.names, cells, rest)
    if marked:
        return replace(columns, marked=marked, marks=marks)
    return replace(columns, label=label, doubtful=doubtful)


def _several(wanted: str, names: Sequence[str]) -> tuple[int, ...]:
    """Positions of the columns that the user named with commas between; none where it is one column."""
    if "," not in wanted or wanted in names:
        return ()
    return tuple(at for part in wanted.split(",") if (at := asked(part.strip(), names)) is not None)


def _marked(
    names: Sequence[str], cells: Sequence[list[str]], rest: Sequence[int]
) -> tuple[tuple[int, ...], Mapping[str, bool]]:
    """Columns of marks, unless others look like labels and are not far fewer: then it is not clear which are meant."""
    rest = [at for at in rest if plain(names[at]) not in NUMBERING]
    marked, marks = mark_columns(cells, rest)
    others = [at for at in rest if at not in marked and _looks_like_labels(cells[at])]
    return (marked, marks) if len(marked) > _FAR_MORE * len(others) else ((), {})


def asked(wanted: str | None, names: Sequence[str]) -> int | None:
    """The position of the column the user named, or None. Raises `UsageError` where there is none of this name."""
    if wanted is None:
        return None
    for at, name in enumerate(names):
        if wanted in (name, f"column {at + 1}"):
            return at
    for at, name in enumerate(names):
        if plain(wanted) == plain(name):
            return at
    guess = nearest(wanted, names)
    raise UsageError(
        "there is no such column", got=repr(wanted), allowed=", ".join(map(repr, names)), fix=guess and f"{guess!r}"
    )


def plain(name: str) -> str:
    """A column's name as it is compared: lower case, words joined by underscores."""
    return re.sub(r"[\s_-]+", "_", name.strip()).lower()


def _names_picture(cell: str, finder: Finder) -> bool:
    return posixpath.splitext(cell.strip())[1].lower() in PICTURE_SUFFIXES or _found(cell, finder)


def _found(cell: str, finder: Finder) -> bool:
    try:
        finder.find(cell)
    except NotFound as problem:
        return problem.reason.startswith("several")
    return True


def _path_column(columns: Sequence[list[str]], finder: Finder, wanted: int | None) -> tuple[int | None, float]:
    """The column most of whose cells name files, else one whose cells look like names of pictures."""
    best, best_found, best_score = None, 0.0, 0.0
    for at, cells in enumerate(columns):
        filled = [cell for cell in cells if cell]
        if not filled or (wanted is not None and at != wanted):
            continue
        if wanted is None and not any(_names_picture(cell, finder) for cell in filled[:: 1 + len(filled) // 25]):
            continue  # tables of hundreds of columns of numbers should cost little
        found = sum(_found(cell, finder) for cell in filled) / len(filled)
        suffixes = PICTURE_SUFFIXES | FOREIGN_SUFFIXES
        looks = sum(posixpath.splitext(cell)[1].lower() in suffixes for cell in filled) / len(filled)
        # A number may be a label and a file's name, and one bad row must not make the label's column the better one:
        # what names pictures varies, and mostly looks like it.
        score = 2 * found + looks + len(set(filled)) / len(filled)
        if score > best_score and (found > 0.1 or looks > 0.5 or wanted is not None):
            best, best_found, best_score = at, found, score
    return (best if wanted is None else wanted), best_found


def is_split(name: str, cells: list[str]) -> bool:
    """Whether a column tells train from val and test, by its name or by all it says."""
    values = {cell for cell in cells if cell}
    known = {split_named(value) for value in values} - {None}
    if plain(name) in SPLIT_NAMES:
        return bool(known)
    return "train" in known and len(known) > 1 and all(split_named(value) for value in values)


def label_column(
    names: Sequence[str], columns: Sequence[list[str]], rest: Sequence[int]
) -> tuple[int | None, tuple[str, ...]]:
    """The label's column, or None and the columns that could be it."""
    called = [i for i in rest if _called_label(names[i])]
    likely = called or [i for i in rest if _looks_like_labels(columns[i])] or (list(rest) if len(rest) == 1 else [])
    if len(likely) > 1:
        pairs = set(zip(*(columns[i] for i in likely), strict=True))
        if all(len({pair[k] for pair in pairs}) == len(pairs) for k in range(len(likely))):  # number and name of one
            words = [i for i in likely if not all(re.fullmatch(r"-?\d*", cell) for cell in columns[i])]
            return (words or likely)[0], ()
        exact = [i for i in likely if plain(names[i]) == "label"]
        likely = exact or likely
    if len(likely) == 1:
        return likely[0], ()
    return None, tuple(names[i] for i in likely or rest)


def _called_label(name: str) -> bool:
    return plain(name) in LABEL_NAMES or re.search(r"(label|class)s?$", plain(name)) is not None


def _looks_like_labels(cells: list[str]) -> bool:
    """Few distinct values, none of them a fraction."""
    values = {cell for cell in cells if cell}
    fractions = any(re.fullmatch(r"-?\d*\.\d+(e-?\d+)?", value, re.IGNORECASE) for value in values)
    return bool(values) and len(values) <= max(2, len(cells) / 2) and not fractions
