"""Text tables as people save them: any usual encoding and delimiter, with or without a header, torn rows set aside."""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from anmok.core.errors import DataError
from anmok.core.types import Quarantined, Skipped
from anmok.data.walk import readable

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")  # of tables that are looked for in folders
_HEAD = 2**18  # bytes looked at to tell encoding, delimiter and columns
_LARGEST = 2**31  # bytes of a table of paths; larger ones are held to be something else
_TORN = (OSError, EOFError, zlib.error)  # what reading a damaged file, compressed or not, may raise
_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars"}

Row = tuple[int, list[str]]  # the line it begins at, counted from 1, and its cells


@dataclass(frozen=True)
class Dialect:
    """How a table is written."""

    encoding: str
    delimiter: str
    first_line: int = 1  # 2 where Excel's "sep=;" stands before everything

    @property
    def words(self) -> str:
        """The dialect where it is worth telling, for people."""
        told = [] if self.delimiter == "," else [f"split by {_DELIMITERS[self.delimiter]}"]
        return ", ".join(told + ([] if self.encoding in ("utf-8", "utf-8-sig") else [f"read as {self.encoding}"]))


@dataclass(frozen=True)
class Rows:
    """The rows of a table, the lines that could not be read as rows, and the blank ones."""

    rows: list[Row]
    torn: tuple[Quarantined, ...]
    blank: tuple[Skipped, ...]


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The bytes of a table, unpacked where its name ends in .gz.

    Raises:
        DataError: they cannot be read, at the beginning or further on.
    """
    try:
        with gzip.open(path) if path.name.lower().endswith(".gz") else path.open("rb") as file:
            yield cast("BinaryIO", file)
    except _TORN as error:
        got = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise DataError("the table cannot be read", path=path, got=got, fix="restore it from a copy") from error


def head(path: Path, count: int = 200, limit: int = _HEAD) -> tuple[Dialect, list[Row]] | None:
    """The dialect and first rows of a text table, or None where the file is no text or cannot be read.

    `limit` is how many bytes are looked at.
    """
    try:
        content, whole = _start(path, limit)
    except (OSError, zlib.error):
        return None
    is_utf16 = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    if not content.strip() or (not is_utf16 and 100 * content.count(b"\0") > len(content)):
        return None  # a stray zero byte is damage, which `read` names; many are no text
    if not whole:  # end with a whole line, so that no character and no row is cut
        content = content[: content.rfind(b"\n") + 1] or content
    content = b"".join(content.splitlines(keepends=True)[: count + 2])
    dialect, text = decode(content)
    rows = _parse(text, dialect, path).rows[:count]
    return (dialect, rows) if rows else None


def _start(path: Path, limit: int) -> tuple[bytes, bool]:
    """The first bytes of a table, at most `limit`, and whether they are all; of a torn .gz what can be unpacked."""
    with path.open("rb") as file:
        content = file.read(limit)
        whole = not file.read(1)
    if not path.name.lower().endswith(".gz"):
        return content, whole
    unpacking = zlib.decompressobj(wbits=31)  # 31: a gzip header
    return unpacking.decompress(content, limit), unpacking.eof


def read(path: Path) -> tuple[Dialect, Rows]:
    """All rows of a table, its header among them where it has one.

    Raises:
        DataError: the file cannot be read, is too large or is no text.
    """
    with opened(path) as file:
        content = file.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise DataError("the table is too large", path=path, allowed=f"{_LARGEST / 2**30:g} GiB", fix="split it")
    dialect, text = decode(content)
    if "\0" in text:
        line = text.count("\n", 0, text.index("\0")) + 1
        raise DataError("a zero byte: this is no text, or a damaged one", path=path, line=line, fix="save it again")
    return dialect, _parse(text, dialect, path)


def decode(content: bytes) -> tuple[Dialect, str]:
    """The text of a table and the dialect it is written in."""
    encoding = _encoding_of(content)
    text = content.decode(encoding, "replace" if encoding.startswith("utf-16") else "strict")
    hint = re.match(r"sep=(.)\r?\n", text)
    if hint and hint[1] in _DELIMITERS:
        return Dialect(encoding, hint[1], first_line=2), text
    return Dialect(encoding, _delimiter_of(text)), text


def _encoding_of(content: bytes) -> str:
    """By byte order mark, else UTF-8, else the Korean encodings, else Western European, which takes anything."""
    if content.startswith(b"\xef\xbb\xbf") and _decodes(content, "utf-8-sig"):
        return "utf-8-sig"
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if _decodes(content, "utf-8"):
        return "utf-8"
    # Western letters stand alone between plain ones and so do not pair up as Korean bytes must.
    if _decodes(content, "euc_kr"):
        return "cp949"
    if _decodes(content, "cp949"):
        foreign = [c for c in content.decode("cp949") if ord(c) > 127]
        if sum(_decodes(c.encode("cp949"), "euc_kr") for c in foreign) > 0.9 * len(foreign):
            return "cp949"
    return "cp1252" if _decodes(content, "cp1252") else "latin-1"


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _delimiter_of(text: str) -> str:
    """The delimiter that gives most rows the same number of cells; among equals, the one that gives most cells."""
    lines = [line for line in text[:_HEAD].splitlines()[:50] if line.strip()]

    def score(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in csv.reader(lines, delimiter=delimiter))
        width, count = widths.most_common(1)[0] if widths else (1, 0)
        return (count / len(lines), width) if width > 1 else (0.0, 0)

    try:
        return max(_DELIMITERS, key=score)
    except csv.Error:
        return ","


def _parse(text: str, dialect: Dialect, path: Path) -> Rows:
    lines = io.StringIO(text, newline="")
    for _ in range(dialect.first_line - 1):
        next(lines)
    try:
        parsed = list(_numbered(csv.reader(lines, delimiter=dialect.delimiter, strict=True), dialect.first_line))
        torn: list[Quarantined] = []
    except csv.Error:
        parsed, torn = _line_by_line(text, dialect, path)
    blank = [
        Skipped(readable(path.name), "a blank line", line) for line, cells in parsed if not any(map(str.strip, cells))
    ]
    return Rows([row for row in parsed if any(map(str.strip, row[1]))], tuple(torn), tuple(blank))


def _numbered(reader: Iterator[list[str]], first_line: int) -> Iterator[Row]:
    """Rows with the line each begins at (a quoted cell may hold line breaks)."""
    line = first_line
    for cells in reader:
        yield line, cells
        line = first_line + reader.line_num  # type: ignore[attr-defined]


def _line_by_line(text: str, dialect: Dialect, path: Path) -> tuple[list[Row], list[Quarantined]]:
    """Where quotes do not match, every line is read on its own, so that one bad quote costs one row."""
    rows, torn = [], []
    for number, line in enumerate(io.StringIO(text, newline=""), start=1):
        if number < dialect.first_line:
            continue
        try:
            rows += [(number, cells) for cells in csv.reader([line], delimiter=dialect.delimiter, strict=True)]
        except csv.Error as error:
            reason = f"the row cannot be read: {error}"
            torn.append(Quarantined(readable(path.name), reason, "close the quotes in this line", number))
    return rows, torn
