"""What all tables have in common: where they lie, which of several make the data set, and what labels look like."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from anmok.core.errors import DataError
from anmok.data.formats._columns import Columns
from anmok.data.formats._rows import RowFault
from anmok.data.formats._text_table import SUFFIXES, Dialect
from anmok.data.names import split_in_file_name, split_named
from anmok.data.source import Source
from anmok.data.walk import readable

Cells = Sequence[str] | Mapping[int, str]
"""A row's cells by their column's position: all of them, or those that are not pixels."""


@dataclass(frozen=True)
class TextTable:
    """A text table: its path below the data's root, how it is written, and which column is which."""

    name: str
    file: Path
    dialect: Dialect
    columns: Columns
    split: str | None = None

    def __str__(self) -> str:
        words = f"table {readable(self.name)}: {self.columns.words}"
        return f"{words} ({self.dialect.words})" if self.dialect.words else words

    def check_width(self, cells: Cells) -> None:
        """Raises `RowFault` where a row has fewer cells than there are columns, or more that are not blank."""
        width = len(self.columns.names)
        if not isinstance(cells, Mapping) and (len(cells) < width or any(cell.strip() for cell in cells[width:])):
            fix = "quote cells that hold the delimiter, fill in what is missing, or remove the row"
            raise RowFault(f"{len(cells)} cells where the table has {width} columns", fix)

    def split_of(self, cells: Cells) -> str | None:
        """The split that a row names, else that of its table. Raises `RowFault` where it names none that is known."""
        at = self.columns.split
        if at is None or not cells[at].strip():
            return self.split
        split = split_named(cells[at])
        if split is None:
            raise RowFault(f"unknown split {cells[at]!r}", "write train, val or test")
        return split


AnyTable = TypeVar("AnyTable", bound=TextTable)


def table_names(source: Source) -> list[str]:
    """Paths below the root: the file given, or the tables at the top of the folder without samples of answers."""
    if not source.is_folder:
        return [source.path.name]
    names = [path for path in source.beside() if path.lower().endswith(SUFFIXES)]
    return [name for name in names if not re.search(r"submission", name, re.IGNORECASE)]


def choose(source: Source, tables: Sequence[AnyTable]) -> tuple[list[AnyTable], list[str]]:
    """The tables that make the data set, and what is to be said of the others.

    Raises:
        DataError: none; no telling which column holds labels; several that are not the parts of a split.
    """
    labelled = [table for table in tables if table.columns.labelled]
    chosen = list(labelled or tables)
    if not chosen:
        raise DataError("no table here names or holds pictures", path=source.path)
    doubtful = chosen[0].columns.doubtful
    if not labelled and doubtful:
        raise DataError(
            "which column holds the labels is not clear",
            path=chosen[0].file,
            got=f"columns {', '.join(map(repr, chosen[0].columns.names[:12]))}",
            fix=f"--label-column with one of {', '.join(map(repr, doubtful[:8]))}",
        )
    names = {table.name for table in chosen}
    if len(chosen) > 1:
        splits = [split_in_file_name(posixpath.basename(table.name)) for table in chosen]
        if None not in splits and len(set(splits)) == len(splits):
            chosen = [replace(table, split=split) for table, split in zip(chosen, splits, strict=True)]
        elif len({table.columns.names for table in chosen}) > 1:
            raise DataError(
                "several tables describe pictures, and they are not the parts of a split",
                path=source.path,
                got=", ".join(sorted(names)),
                fix="name the one table that holds the labels",
            )
    others = [table.name for table in tables if table.name not in names]
    return chosen, [f"{readable(name)} has no labels and was left out" for name in others]


def whole_numbers(labels: Sequence[str | None]) -> list[str | None]:
    """Labels such as "3.0", which tables with gaps turn whole numbers into, become whole again.

    >>> whole_numbers(["3.0", "10.0"]), whole_numbers(["3.0", "3.5"])
    (['3', '10'], ['3.0', '3.5'])
    """
    if all(label is not None and re.fullmatch(r"-?\d+\.0+", label) for label in labels):
        return [str(label).partition(".")[0] for label in labels]
    return list(labels)
