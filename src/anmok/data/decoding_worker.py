"""The process that decodes: locators in by standard input, pixels out by standard output.

Run by `anmok.data.decoding`, never by hand. It imports NumPy, Pillow and the light parts of anmok, never torch. The
parent is trusted and writes pickles; the answers of a worker, whose decoder a hostile file may have taken over, are
plain JSON and raw bytes.
"""

from __future__ import annotations

import faulthandler
import json
import pickle
import struct
import time
import warnings
from collections.abc import Sequence
from dataclasses import replace
from typing import IO, Any

import numpy as np
from PIL import Image

from anmok.core.child import die_with_parent, private_pipes
from anmok.core.errors import PictureError
from anmok.core.pictures import Decoded
from anmok.core.preparation import Preparation
from anmok.core.seen import Seen
from anmok.core.types import Pictures
from anmok.data.records import Layout, decode_from

FRAME = struct.Struct("<IQ")  # bytes of JSON, bytes of pixels
REQUEST = struct.Struct("<Q")  # bytes of pickle
_FLUSH_EVERY = 0.005  # seconds: tiny pictures share a trip through the pipe


def decode_one(
    pictures: Pictures, locator: str | int, preparation: Preparation | Seen | Layout | None
) -> Decoded | PictureError:
    """One picture, fitted if there is a preparation, or why not. Raises nothing that a picture can cause."""
    load = getattr(pictures, "load", None)
    try:
        if load is not None and isinstance(preparation, (Preparation, Seen)):
            return load(locator, preparation)
        found = decode_from(pictures, locator, None if preparation is None else preparation.at_least)
        if preparation is None:
            return found
        if isinstance(preparation, Layout):
            return replace(found, pixels=pictures.fitted(locator, found, preparation))  # type: ignore[attr-defined]
        return replace(found, pixels=preparation.fitted(found.pixels, found.original_size))
    except PictureError as error:
        return error
    except Exception as error:  # a store written elsewhere: its failure concerns this picture only
        what = f"reading it failed ({type(error).__name__}: {error})"
        return PictureError(what, path=str(locator), fix="see the error in parentheses")


def send(pipe: IO[bytes], header: dict[str, Any], pixels: bytes | memoryview = b"") -> None:
    """One answer frame, which may stay in the pipe's buffer."""
    text = json.dumps(header).encode()
    pipe.write(FRAME.pack(len(text), len(pixels)) + text)
    pipe.write(pixels)


def as_header(error: PictureError) -> dict[str, Any]:
    """The error as plain values; the parent builds it anew from them."""
    fields = {name: getattr(error, name) for name in ("path", "got", "allowed", "fix")}
    plain = {name: None if value is None else str(value) for name, value in fields.items()}
    return {"error": {"what": error.what, "line": error.line, **plain}}


def main() -> None:
    """Answer requests until standard input ends, which it does as well when the parent dies."""
    requests, answers = private_pipes()
    die_with_parent()
    warnings.simplefilter("ignore")
    Image.MAX_IMAGE_PIXELS = None  # `core.pictures` judges the size before
    try:
        pictures, preparation, timeout = pickle.loads(_request(requests) or b"")
    except Exception as error:
        send(answers, {"fatal": f"{type(error).__name__}: {error}"})
        answers.flush()
        return
    send(answers, {"ready": True})
    answers.flush()
    while (request := _request(requests)) is not None:
        locators = pickle.loads(request)
        # A thread in C that needs no interpreter: ends even a decoder that loops after the parent was killed.
        faulthandler.dump_traceback_later(timeout * len(locators) + 5, exit=True)
        _answer(answers, pictures, locators, preparation)
        faulthandler.cancel_dump_traceback_later()


def _answer(
    answers: IO[bytes],
    pictures: Pictures,
    locators: Sequence[str | int],
    preparation: Preparation | Seen | Layout | None,
) -> None:
    flushed = time.monotonic()
    for locator in locators:
        if time.monotonic() - flushed > _FLUSH_EVERY:
            answers.flush()
            flushed = time.monotonic()
        found = decode_one(pictures, locator, preparation)
        if isinstance(found, PictureError):
            send(answers, as_header(found))
            continue
        header = {"shape": found.pixels.shape, "notes": found.notes, "size": found.original_size}
        pixels = np.ascontiguousarray(found.pixels)
        send(answers, {**header, "channels": found.channels}, pixels.reshape(-1).data)
    answers.flush()


def _request(requests: IO[bytes]) -> bytes | None:
    head = requests.read(REQUEST.size)
    if len(head) < REQUEST.size:
        return None
    (length,) = REQUEST.unpack(head)
    body = requests.read(length)
    return body if len(body) == length else None
