"""Graphs that want more than to compute: refused before ONNX Runtime or OpenVINO sees a byte of them.

An ONNX graph may say that a tensor's values lie in another file, anywhere on the machine; several published attacks
read files that way. A shipped model is one file, so no tensor may. An OpenVINO graph says at which offset of
`model.bin` each constant lies; one that lies outside would be read from foreign memory by a careless reader.

The ONNX side walks the protobuf wire format (protobuf.dev/programming-guides/encoding) with the field numbers of
onnx.proto, so that neither package is needed to judge a file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

from anmok.core.errors import ArtefactError

_DEEPEST = 64  # graphs within nodes within graphs
_VARINT, _EIGHT, _BYTES, _FOUR = 0, 1, 2, 5  # wire types
_GRAPH = 7  # field of the model that holds its graph

# Message → field → message of that field: every way from a model to a tensor.
_WAYS: dict[str, dict[int, str]] = {
    "model": {_GRAPH: "graph", 20: "training", 25: "function"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "function": {7: "node", 11: "attribute"},
    "training": {1: "graph", 2: "graph"},
    "tensor": {},
}
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # fields of a tensor


class _MalformedError(ValueError):
    """Bytes that are no protobuf message."""


def check_onnx(graph: bytes, path: Path | None = None) -> None:
    """Raise `ArtefactError` unless `graph` is an ONNX model of which every tensor lies within these bytes."""
    try:
        fields = _walk(memoryview(graph), "model", 0)
    except _MalformedError as error:
        raise ArtefactError(f"this is no ONNX graph: {error}", path=path) from error
    except _OutsideError as error:
        raise ArtefactError("the graph asks for data outside its file", path=path, got=str(error),
                            allowed="tensors within the graph", fix="export the run again") from error  # fmt: skip
    if _GRAPH not in fields:
        raise ArtefactError("this is no ONNX graph: it holds no graph", path=path)


class _OutsideError(Exception):
    """A tensor whose values lie in another file."""


def _walk(message: memoryview, kind: str, depth: int) -> set[int]:
    """The numbers of a message's fields; whatever may hold a tensor is walked in turn."""
    if depth > _DEEPEST:
        raise _MalformedError("graphs are nested too deeply")
    ways, seen = _WAYS[kind], set()
    for number, value in _fields(message):
        seen.add(number)
        if kind == "tensor" and number == _EXTERNAL_DATA and isinstance(value, memoryview):
            raise _OutsideError(ascii(bytes(value[:120]).decode("utf-8", "replace")))
        if kind == "tensor" and number == _DATA_LOCATION and value == 1:
            raise _OutsideError("a tensor declared external")
        if number in ways and isinstance(value, memoryview):
            _walk(value, ways[number], depth + 1)
    return seen


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Each field's number with its value: an integer, or the bytes it spans."""
    place, end = 0, len(message)
    while place < end:
        tag, place = _varint(message, place)
        number, wire = tag >> 3, tag & 7
        if number == 0:
            raise _MalformedError("a field without a number")
        if wire == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if wire == _BYTES:
            length, place = _varint(message, place)
        elif wire in (_EIGHT, _FOUR):
            length = 8 if wire == _EIGHT else 4
        else:
            raise _MalformedError(f"a field of unknown kind {wire}")
        if length > end - place:
            raise _MalformedError("a field is longer than the bytes that hold it")
        yield number, message[place : place + length]
        place += length


def _varint(message: memoryview, place: int) -> tuple[int, int]:
    """The number that starts at `place`, seven bits a byte, and the place after it."""
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            raise _MalformedError("it ends in the middle of a number")
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
    raise _MalformedError("a number is too long")


def check_ir(graph: bytes, weights: bytes, path: Path | None = None) -> None:
    """Raise `ArtefactError` unless `graph` is an OpenVINO graph whose constants all lie within `weights`."""
    if b"\0" in graph or re.search(rb"<!(DOCTYPE|ENTITY)", graph, re.IGNORECASE):
        raise ArtefactError("the graph defines XML entities or hides them, which no OpenVINO graph needs", path=path)
    try:
        root = ElementTree.fromstring(graph)
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ArtefactError(f"this is no OpenVINO graph: {error}", path=path) from error
    if root.tag != "net":
        raise ArtefactError("this is no OpenVINO graph", path=path, got=f"<{root.tag}>", allowed="<net>")
    for data in root.iterfind(".//layer[@type='Const']/data"):
        span = data.get("offset", ""), data.get("size", "")
        if not all(re.fullmatch(r"\d{1,15}", part) for part in span) or sum(map(int, span)) > len(weights):
            raise ArtefactError("a constant of the graph lies outside its file", path=path,
                                got=f"offset {span[0]!r}, size {span[1]!r}",
                                allowed=f"within {len(weights):,} bytes")  # fmt: skip
