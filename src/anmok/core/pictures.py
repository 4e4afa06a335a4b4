"""One decode path from file to pixels: training, prediction and the shipped model all read pictures here.

The rules, for every file of JPEG, PNG, GIF, BMP, TIFF, WebP or PPM (PBM, PGM, PFM). The first bytes decide what a file
is, its name never does; no other decoder is ever called.

- Orientation in EXIF is applied. Progressive and interlaced files need no rule.
- Grey stays one channel, all else becomes sRGB: palettes by their colours (a palette of greys gives grey), CMYK and
  others through the ICC profile where there is one, else by Pillow's plain formula.
- Transparency is composited on white.
- 1 bit becomes 0 and 255. 16 bits are scaled by the full range (65535 → 255), whatever values the picture happens to
  hold, so that pictures of one set stay comparable; 12 bits that the file declares (TIFF) by 4095. 12-bit data in
  undeclared 16-bit samples therefore comes out dark, and a note says so. Samples outside 0 … 65535 are stretched from
  their minimum and maximum, with a note.
- Floats: pictures within [0, 1] are scaled by 255, within [0, 255] rounded, within [0, 65535] scaled as 16 bits, others
  stretched with a note. NaN and infinity are refused.
- Animations and many pages: the first frame, with a note.
- A picture is decoded in full: a truncated file is refused. A missing end marker after complete data, and an extension
  that does not fit, give a note. A picture of one pixel shows nothing and is refused.
- A size declared above `max_pixels` is refused before anything is allocated.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from anmok.core.colour import NotAPictureError, channels_of, pixels_of, plain_picture
from anmok.core.errors import PictureError
from anmok.core.magic import FORMATS, HEAD, describe, extension_fits, png_may_tell_orientation, sniff, webp_size
from anmok.core.orientation import UPRIGHT, turn_array, upright_size
from anmok.core.preparation import Preparation, centre_crop, fit_picture
from anmok.core.seen import Seen
from anmok.core.targets import Frame

__all__ = ["MAX_PIXELS", "RULES", "Decoded", "Preparation", "centre_crop", "decode", "decode_with_notes", "fit_picture",
           "load_picture", "opened", "read_frame", "recognised"]  # fmt: skip

MAX_PIXELS = 200_000_000
RULES = 3  # version of the rules above: caches of pixels decoded by others are not used

# Constructors, not Image.open: the allow-list is these seven, and a declared size is judged by our limit alone.
_OPENERS: dict[str, Callable[[IO[bytes]], Image.Image]] = {
    "JPEG": JpegImagePlugin.jpeg_factory,
    "PNG": PngImagePlugin.PngImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "PPM": PpmImagePlugin.PpmImageFile,
}
_ORIENTATION = 0x0112
_END_MARKS = {"JPEG": b"\xff\xd9", "PNG": b"IEND", "GIF": b";"}
_DRAFT_FACTOR = 2  # JPEGs decoded at reduced size keep this many pixels for each one needed
_SAVE_AGAIN = "save it again as PNG or JPEG, or remove it"


@dataclass(frozen=True)
class Decoded:
    """A decoded picture: `pixels` uint8 (H, W, 1 or 3), `notes` for the user, `original_size` (height, width) upright.

    `channels` are those of the file: pixels that were fitted afterwards may have others.
    """

    pixels: np.ndarray
    notes: tuple[str, ...]
    original_size: tuple[int, int]
    channels: int
    orientation: int = UPRIGHT

    @property
    def frame(self) -> Frame:
        """Upright size and orientation, as masks and boxes need to know them."""
        return Frame(self.original_size, self.orientation, self.channels)


def decode(source: Path | str | bytes, *, at_least: int | None = None, max_pixels: int = MAX_PIXELS) -> np.ndarray:
    """Pixels uint8 (H, W, 1 or 3) of a picture file, or of its bytes, by the rules of this module.

    Args:
        source: path, or the file's content.
        at_least: JPEGs whose shorter side is much larger (4 times and more) are decoded at a half, quarter or eighth
            of their size, at no less than twice `at_least`. Small differences to full decoding remain, so training
            and prediction must ask alike: `load_picture` does.
        max_pixels: larger pictures are refused.

    Raises:
        PictureError: for whatever is wrong with the file, and nothing but this.
    """
    return decode_with_notes(source, at_least=at_least, max_pixels=max_pixels).pixels


def load_picture(
    source: Path | str | bytes, preparation: Preparation | Seen, *, max_pixels: int = MAX_PIXELS
) -> Decoded:
    """Decode and fit as every part of anmok does it: pixels of `preparation.shape`. Raises `PictureError`."""
    with opened(source) as (file, path):
        return _decode(file, path, preparation.at_least, max_pixels, preparation)


def read_frame(source: Path | str | bytes, *, max_pixels: int = MAX_PIXELS) -> Frame:
    """Upright size, orientation and channels from the file's header; nothing is decoded. Raises `PictureError`."""
    with opened(source) as (file, path):
        return _frame(file, path, max_pixels)


def decode_with_notes(
    source: Path | str | bytes, *, at_least: int | None = None, max_pixels: int = MAX_PIXELS
) -> Decoded:
    """As `decode`, with what the user should know about the file."""
    with opened(source) as (file, path):
        return _decode(file, path, at_least, max_pixels)


@contextmanager
def opened(source: Path | str | bytes) -> Iterator[tuple[IO[bytes], Path | None]]:
    """A picture's bytes to read from, and its path if it has one. Whatever fails inside becomes a `PictureError`."""
    path = None if isinstance(source, bytes) else Path(source)
    try:
        with _opened(source) as file:
            yield file, path
    except PictureError:
        raise
    # Decoders of hostile bytes raise whatever they like (struct.error, MemoryError, RecursionError, zlib.error …);
    # to the caller they all mean one thing.
    except Exception as error:
        raise _refusal(error, path) from error


@contextmanager
def _opened(source: Path | str | bytes) -> Iterator[IO[bytes]]:
    if isinstance(source, bytes):
        yield BytesIO(source)
        return
    # Without O_NONBLOCK, opening a FIFO would wait for a writer for ever.
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    handle = os.open(source, flags)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise PictureError("this is no regular file", path=str(source), fix="remove it from the pictures")
        # Windows would refuse to open a folder; elsewhere the check above did.
        with os.fdopen(handle, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(handle)


def _refusal(error: Exception, path: Path | None) -> PictureError:
    """The error, in words that lead on."""
    if isinstance(error, FileNotFoundError):
        what, fix = "there is no such file (any more)", "check the path; if it was moved or deleted, start again"
    elif isinstance(error, PermissionError):
        what, fix = "the file must not be read by this user", "change its permissions"
    elif isinstance(error, NotAPictureError):
        what, fix = str(error), "correct the pixels or remove the picture"
    elif isinstance(error, MemoryError):
        what, fix = "decoding it takes more memory than there is", "make the picture smaller or remove it"
    elif isinstance(error, OSError) and error.errno is not None:
        what, fix = f"the file cannot be read: {error.strerror}", "check the path and the disk"
    elif "truncated" in str(error).lower():
        what, fix = "the file is truncated: part of its pixels is missing", "copy or download it again, or remove it"
    else:
        what, fix = f"the file is damaged or of an unsupported kind ({_one_line(error)})", _SAVE_AGAIN
    return PictureError(what, path=path, fix=fix)


def _one_line(error: Exception) -> str:
    words = " ".join(str(error).split())[:120].rstrip(". ")
    return words or type(error).__name__


def _decode(
    file: IO[bytes], path: Path | None, at_least: int | None, max_pixels: int, fit: Preparation | Seen | None = None
) -> Decoded:
    kind, image = recognised(file, path, max_pixels)
    notes = []
    if path is not None and not extension_fits(kind, path.suffix):
        notes.append(f"the extension does not fit: this is {kind}")
    declared, turn = image.size, _orientation(image) if kind == "TIFF" else UPRIGHT
    _draft(image, at_least)
    try:
        image.load()
    except OSError:
        if kind != "JPEG":
            raise
        image = _without_end_mark(file, at_least)
    if not _has_end_mark(file, kind):
        notes.append("the end marker is missing; all pixels were there")
    width, height = declared if kind == "JPEG" else image.size
    picture, more = plain_picture(image)
    if kind != "TIFF":  # Pillow turns those, and only those, while it loads them
        turn = _orientation(image)
    left = UPRIGHT if kind == "TIFF" else turn
    size = upright_size((height, width), left)
    upright: Image.Image | np.ndarray = picture if left == UPRIGHT else turn_array(pixels_of(picture), left)
    if fit is not None:
        pixels = fit.fitted(upright, size)
    else:
        pixels = upright if isinstance(upright, np.ndarray) else pixels_of(upright)
    pixels = np.ascontiguousarray(pixels)
    notes += more
    if kind != "JPEG" and getattr(image, "is_animated", False):  # a second picture in a JPEG is a preview
        notes.append("only the first of several frames or pages is used")
    return Decoded(pixels, tuple(notes), size, len(picture.getbands()), turn)


def _frame(file: IO[bytes], path: Path | None, max_pixels: int) -> Frame:
    kind, image = recognised(file, path, max_pixels)
    # Pillow decodes a PNG in full to look for EXIF behind the pixels.
    turn = UPRIGHT if kind == "PNG" and not png_may_tell_orientation(file) else _orientation(image)
    size = (image.height, image.width)
    return Frame(size if kind == "TIFF" else upright_size(size, turn), turn, channels_of(image.mode))


def recognised(file: IO[bytes], path: Path | None, max_pixels: int) -> tuple[str, Image.Image]:
    """What kind of picture this is, and the picture with its header read and nothing decoded."""
    head = file.read(HEAD)
    kind = sniff(head)
    if kind is None:
        what = f"this is {describe(head)}, not a picture anmok reads" if head else "the file is empty"
        raise PictureError(what, path=path, allowed=", ".join(FORMATS), fix=_SAVE_AGAIN)
    size = webp_size(head) if kind == "WEBP" else None
    if size is not None:
        _check_size(size, max_pixels, path)
    image = _open(file, kind)
    _check_size(image.size, max_pixels, path)
    return kind, image


def _open(file: IO[bytes], kind: str) -> Image.Image:
    """The picture with its header read and nothing decoded."""
    file.seek(0)
    return _OPENERS[kind](file)


def _draft(image: Image.Image, at_least: int | None) -> None:
    if isinstance(image, JpegImagePlugin.JpegImageFile) and at_least is not None:
        side = _DRAFT_FACTOR * at_least
        image.draft(None, (side, side))


def _check_size(size: tuple[int, int], max_pixels: int, path: Path | None) -> None:
    width, height = size
    if width * height > max_pixels:
        got = f"{width} × {height} pixels"
        fix = "make the picture smaller, or raise max_pixels if you trust it"
        raise PictureError("the picture is too large", path=path, got=got, allowed=f"{max_pixels:,} pixels", fix=fix)
    if width * height == 1:
        raise PictureError("a picture of one pixel shows nothing", path=path, fix="remove it")


def _without_end_mark(file: IO[bytes], at_least: int | None) -> Image.Image:
    """A JPEG that ends without its marker, if all its pixels are there.

    libjpeg fills what is missing without a word. So decode with several endings: bytes that no pixel needed cannot make
    a difference. Raises `OSError` where they do.
    """
    file.seek(0)
    data = file.read().rstrip(b"\xff")
    endings = []
    for end in (b"", b"\xfe\xb6\x13" * 400, b"\x5a\xc3\x7e" * 400):
        image = _open(BytesIO(data + end + _END_MARKS["JPEG"]), "JPEG")
        _draft(image, at_least)
        image.load()
        endings.append(image)
    if len({image.tobytes() for image in endings}) > 1:
        raise OSError("image file is truncated")
    return endings[0]


def _has_end_mark(file: IO[bytes], kind: str) -> bool:
    mark = _END_MARKS.get(kind, b"")
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - 65536))  # tools append padding and metadata
    return mark in file.read()


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # EXIF is free text to many a tool; broken EXIF means no orientation
        return 1
