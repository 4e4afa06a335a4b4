"""Large JSON read element by element: memory holds one element and what the reader keeps of it, whatever the size.

A label file of COCO is one object of long lists, on a single line of hundreds of megabytes.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from anmok.core.errors import DataError

LARGEST = 4 << 30  # bytes of a file
_LARGEST_ELEMENT = 256 << 20  # characters of one element of a list
_PIECE = 1 << 20  # bytes read at once
_NEAR = 64  # characters from the end of what was read within which an error may only mean that more must be read

_ENDS = frozenset(",:]} \t\r\n")

Element = tuple[str, int, Any]  # key at the top, place in its list from 1 (0 where it is no list), value


def elements(path: Path) -> Iterator[Element]:
    """The values at the top of a JSON object; lists element by element.

    Raises:
        DataError: the file cannot be read, is too large, no text, no JSON object, or damaged; names the place.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise DataError("the file is too large", path=path, got=f"{size / 2**30:.1f} GiB",
                            allowed=f"{LARGEST / 2**30:g} GiB", fix="split it by pictures")  # fmt: skip
        with path.open("rb") as file:
            yield from _Text(file, path).elements()
    except OSError as error:
        raise DataError("the file cannot be read", path=path, got=error.strerror, fix="check it") from error


class _Text:
    """What was read and not yet taken, and where in the file that is."""

    def __init__(self, file: IO[bytes], path: Path) -> None:
        self._file, self._path, self._json = file, path, json.JSONDecoder()
        head = file.read(4)
        file.seek(0)
        self._decoder = codecs.getincrementaldecoder(json.detect_encoding(head))()
        self._text, self._at, self._gone, self._whole = "", 0, 0, False

    def elements(self) -> Iterator[Element]:
        self._expect("{", "the file is no JSON object")
        while self._next() != "}":
            key = self._value()
            if not isinstance(key, str):
                raise self._damaged("a name should stand here")
            self._expect(":", "a colon is missing")
            if self._next() != "[":
                yield key, 0, self._value()
            else:
                yield from self._list(key)
            if self._next() != "}":
                self._expect(",", "a comma or a closing brace is missing")
        self._at += 1
        if self._next():
            raise self._damaged("there is something behind the end")

    def _list(self, key: str) -> Iterator[Element]:
        self._at += 1
        number = 0
        while self._next() != "]":
            number += 1
            yield key, number, self._value()
            if self._next() != "]":
                self._expect(",", "a comma or a closing bracket is missing")
        self._at += 1

    def _next(self) -> str:
        """The next character that is no space, not taken; "" at the end."""
        while True:
            rest = len(self._text)
            while self._at < rest and self._text[self._at] in " \t\r\n":
                self._at += 1
            if self._at < rest:
                return self._text[self._at]
            if self._whole:
                return ""
            self._more(_PIECE)

    def _expect(self, character: str, what: str) -> None:
        if self._next() != character:
            raise self._damaged(what)
        self._at += 1

    def _value(self) -> Any:
        self._next()
        while True:
            problem = None
            try:
                value, end = self._json.raw_decode(self._text, self._at)
                if self._whole or self._text[end : end + 1] in _ENDS:  # else a number may go on
                    self._at = end
                    return value
            except json.JSONDecodeError as error:
                problem = error
            except (RecursionError, ValueError) as error:  # brackets in thousands, numbers of thousands of digits
                raise self._damaged(str(error)) from None
            # A string that does not end is told where it begins: only more text can say whether it ends.
            inside = problem is not None and len(self._text) - problem.pos > _NEAR and "string" not in problem.msg
            if problem is not None and (self._whole or inside):
                raise self._damaged(problem.msg.lower(), problem.pos)
            if len(self._text) - self._at > _LARGEST_ELEMENT:
                raise self._damaged("an element too large to be one")
            self._more(max(_PIECE, len(self._text) - self._at))

    def _more(self, count: int) -> None:
        self._gone += self._at
        piece = self._file.read(count)
        self._whole = len(piece) < count
        try:
            self._text, self._at = self._text[self._at :] + self._decoder.decode(piece, self._whole), 0
        except UnicodeDecodeError as error:
            raise self._damaged(f"bytes that are no {error.encoding} text") from None

    def _damaged(self, what: str, at: int | None = None) -> DataError:
        here = self._at if at is None else at
        ended = self._whole and (here >= len(self._text.rstrip()) or what.startswith("unterminated"))
        return DataError(
            "the file ends in the middle: it is truncated" if ended else f"the JSON is damaged: {what}",
            path=self._path,
            got=f"{self._text[here : here + 20]!r} at character {self._gone + here + 1:,}" if not ended
            else f"the end at character {self._gone + len(self._text):,}",
            fix="export or download it again",
        )  # fmt: skip
