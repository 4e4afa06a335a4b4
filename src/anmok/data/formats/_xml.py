"""XML as plain elements: no entities, no depth, each element with its line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from anmok.core.errors import DataError

LARGEST = 64 << 20  # bytes: an annotated picture takes some thousand
_DEEPEST = 64


class XmlError(Exception):
    """The text is no XML, or more than plain XML. `line` is where."""

    def __init__(self, reason: str, line: int) -> None:
        super().__init__(reason)
        self.reason, self.line = reason, line


@dataclass
class Element:
    """An element: its name in lower case, the line it begins at, its own text, and what is inside."""

    name: str
    line: int
    text: str = ""
    inside: list[Element] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Element]:
        """The elements of this name directly inside."""
        return (element for element in self.inside if element.name == name)

    def first(self, name: str) -> Element | None:
        """The first element of this name directly inside, or None."""
        return next(self.all(name), None)

    def said(self, name: str) -> str:
        """The text of the first element of this name directly inside, without spaces around; "" where there is none."""
        found = self.first(name)
        return "" if found is None else found.text.strip()


def read_xml(path: Path) -> Element:
    """The outermost element of a file.

    Raises:
        XmlError: it is no XML, or deeper than any annotation.
        DataError: it declares entities, which can stand for gigabytes or for other files; or it is too large to be
            the labels of one picture.
    """
    try:
        size = path.stat().st_size
        if size > LARGEST:
            raise DataError(
                "the file is too large for the labels of one picture", path=path,
                got=f"{size / 2**20:.0f} MiB", allowed=f"{LARGEST / 2**20:g} MiB", fix="remove it",
            )  # fmt: skip
        return _parse(path.read_bytes(), path)
    except OSError as error:
        raise XmlError(f"the file cannot be read: {error.strerror}", 1) from error


def _parse(content: bytes, path: Path) -> Element:
    parser = expat.ParserCreate()
    outermost = Element("", 0)
    open_ones = [outermost]

    def start(name: str, attributes: dict[str, str]) -> None:
        if len(open_ones) > _DEEPEST:
            raise XmlError(f"more than {_DEEPEST} elements inside each other", parser.CurrentLineNumber)
        element = Element(name.rpartition(":")[2].lower(), parser.CurrentLineNumber)
        open_ones[-1].inside.append(element)
        open_ones.append(element)

    def end(name: str) -> None:
        open_ones.pop()

    def text(characters: str) -> None:
        open_ones[-1].text += characters

    def refuse(*_: object) -> None:
        raise DataError(
            "the file declares entities, which are not read: they can stand for gigabytes or for other files",
            path=path, line=parser.CurrentLineNumber, fix="remove what stands in <!DOCTYPE …>, or the file",
        )  # fmt: skip

    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler, parser.CharacterDataHandler = start, end, text
    parser.EntityDeclHandler = parser.ExternalEntityRefHandler = refuse  # type: ignore[assignment]
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise XmlError(f"the XML is damaged: {expat.errors.messages[error.code]}", error.lineno) from None
    except (LookupError, ValueError) as error:  # an encoding that is none
        raise XmlError(f"the XML is damaged: {error}", 1) from None
    return outermost.inside[0]
