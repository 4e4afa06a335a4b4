"""Tables of paths and labels: one CSV, plain or .gz, or a folder of pictures with one table or one a split.

Columns go by any name; which is which is told from their content, or by the user. Paths may start from the table's
folder or anywhere below the root, may lack their suffix, and may carry Windows' slashes. A label is one name, several
with a separator, or a column of zeros and ones for each class.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field

from anmok.core.errors import DataError, UsageError
from anmok.core.registry import register
from anmok.core.types import Dataset, Entry
from anmok.data.formats import _text_table as text_table
from anmok.data.formats._assembly import account_files
from anmok.data.formats._claims import Claims, Settled
from anmok.data.formats._columns import decide
from anmok.data.formats._finder import Finder
from anmok.data.formats._tables import TextTable, choose, table_names
from anmok.data.source import Recognition, Source
from anmok.data.stores import FilePictures
from anmok.data.walk import readable


@dataclass(frozen=True)
class Table(TextTable):
    """A table that names pictures, and the finder that knows where they are."""

    finder: Finder = field(kw_only=True)


@register("format", name="csv")
class Csv:
    """Tables with a column of paths and, if not only for prediction, labels in one column or in one for each class."""

    tasks = ("classify", "multilabel")

    def recognise(self, source: Source) -> Recognition:
        """Sure where a table's column names files that exist."""
        try:
            tables = _tables(source)
        except UsageError as error:  # a column that is not there: `read` says so, unless another form is surer
            return Recognition(0.55, str(error))
        if not tables:
            return Recognition(0.0, "no table that names pictures")
        best = max(tables, key=lambda table: (table.columns.labelled, table.columns.share))
        why = f"table {readable(best.name)}: {best.columns.words}"
        if not best.columns.share:
            return Recognition(0.6 if not source.is_folder else 0.3, f"{why}, though no such picture was found")
        known = best.columns.labelled or not source.is_folder
        return Recognition((0.9 if known else 0.65) if best.columns.share >= 0.5 else 0.55, why)

    def read(self, source: Source) -> Dataset:
        """Every row whose picture exists becomes an entry, called by the picture's path.

        Raises:
            DataError: no usable row, no way to tell the label's column or the table, a table that is no text.
            UsageError: an option names a column that is not there.
        """
        tables, warnings = choose(source, _tables(source))
        claims, named = Claims(), set[str]()
        for table in tables:
            _read(table, claims, named)
        settled = claims.settle(source.options.task)
        if not settled.claims:
            raise _nothing_usable(source, tables[0], settled)
        classes, root = settled.classes, tables[0].finder.root
        targets = settled.targets({name: index for index, name in enumerate(classes)})
        entries = [
            Entry(readable(claim.picture), claim.picture, target, claim.split, claim.group,
                  origin=f"{claim.table}:{claim.line}")
            for claim, target in zip(settled.claims, targets, strict=True)
        ]  # fmt: skip
        files = account_files(source, named | {table.name for table in tables}, unnamed="no row names it")
        return settled.dataset(
            root, "csv", entries, FilePictures(root), files=files, classes=classes, warnings=warnings,
            why=map(str, tables),
        )  # fmt: skip


def _tables(source: Source) -> list[Table]:
    """The tables at the top of the folder, or the one given, that name pictures."""
    options = source.options
    found: list[Table] = []
    problem = None
    for name in table_names(source):
        start = text_table.head(source.root / name)
        if start is None:
            continue
        dialect, rows = start
        finder = Finder(source, source.root, name[: name.rfind("/") + 1])
        if options.pictures is not None:
            finder = Finder(Source(options.pictures, options), options.pictures)
        try:
            columns = decide(rows, finder, options)
        except UsageError as error:
            problem = error
            continue
        if columns.path is not None:
            found.append(Table(name, source.root / name, dialect, columns, finder=finder))
    if problem and not found:
        raise problem
    return found


def _read(table: Table, claims: Claims, named: set[str]) -> None:
    """All rows of a table; `named` is told of the pictures that exist."""
    _, rows = text_table.read(table.file)
    claims.set_aside(table.name, rows.torn, rows.blank)
    for line, cells in rows.rows[table.columns.has_header :]:

        def find(split: str | None, cells: list[str] = cells) -> str:
            path = table.finder.find(cells[table.columns.path or 0], split)
            named.add(path)
            return path

        claims.take(table, line, cells, find)


def _nothing_usable(source: Source, table: Table, settled: Settled) -> DataError:
    reasons = Counter(re.sub(r"'.*'", "…", item.reason) for item in settled.quarantined)
    first = next((f"line {item.line}: {item.reason}" for item in settled.quarantined), "no rows at all")
    return DataError(
        "no row of the table can be used",
        path=table.file,
        got=f"{sum(reasons.values())} rows set aside, the first in {first}",
        allowed=f"rows that name pictures below {table.finder.root}",
        fix="--pictures with the folder that the paths start from",
    )
