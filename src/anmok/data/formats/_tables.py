"""What all tables have in common: where they lie, which of several make the data set, and what labels look like."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

from anmok.core.errors import DataError
from anmok.data.formats._columns import Columns
from anmok.data.formats._text_table import Dialect
from anmok.data.names import split_in_file_name
from anmok.data.source import Source
from anmok.data.walk import readable


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


AnyTable = TypeVar("AnyTable", bound=TextTable)


def table_names(source: Source) -> list[str]:
    """Paths below the root: the file given, or the tables at the top of the folder without samples of answers."""
    if not source.is_folder:
        return [source.path.name]
    names = [path for path in source.beside() if path.lower().endswith((".csv", ".tsv"))]
    return [name for name in names if not re.search(r"submission", name, re.IGNORECASE)]


def choose(source: Source, tables: Sequence[AnyTable]) -> tuple[list[AnyTable], list[str]]:
    """The tables that make the data set, and what is to be said of the others.

    Raises:
        DataError: none; no telling which column holds labels; several that are not the parts of a split.
    """
    labelled = [table for table in tables if table.columns.label is not None]
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
