"""One IDX file, plain or gzip: magic number, sizes, then big-endian numbers (yann.lecun.com/exdb/mnist)."""

from __future__ import annotations

import gzip
import math
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np

from anmok.core.errors import DataError

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_RATIO = 1032  # deflate cannot shrink by more, so a header that promises more is wrong
_LARGEST = 32 * 2**30  # bytes of pictures held in memory at most


@dataclass(frozen=True)
class IdxHeader:
    """What the first bytes say: the numbers' type and the array's shape."""

    dtype: np.dtype
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes of the header itself."""
        return 4 + 4 * len(self.shape)

    @property
    def bytes(self) -> int:
        """Bytes of numbers that must follow."""
        return math.prod(self.shape) * self.dtype.itemsize


def is_gzip(path: Path) -> bool:
    """Whether the file is gzip by its first bytes, whatever its name."""
    with path.open("rb") as file:
        return file.read(2) == b"\x1f\x8b"


def sniff(path: Path) -> IdxHeader | None:
    """The header of an IDX file, or None where the file is none or cannot be read."""
    try:
        return read_header(path)
    except (DataError, OSError):
        return None


def read_header(path: Path) -> IdxHeader:
    """The header of an IDX file.

    Raises:
        DataError: a bad magic number, or a file too short for its header.
    """
    with _open(path) as file:
        return _header(path, file)


def read_idx(path: Path) -> np.ndarray:
    """The array of an IDX file, read-only, in its stored (big-endian) type.

    Raises:
        DataError: bad magic number, more or fewer bytes than the header promises, a torn gzip stream.
    """
    with _open(path) as file:
        header = _header(path, file)
        _refuse_impossible(path, header)
        content = bytearray()
        try:
            while len(content) <= header.bytes and (block := file.read(2**20)):
                content += block
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise _size_error(path, header, len(content), f"the gzip stream is torn ({error})") from error
    if len(content) != header.bytes:
        more = "more than " if len(content) > header.bytes else ""
        problem = "the file does not hold what its header promises"
        raise _size_error(path, header, min(len(content), header.bytes), problem, more)
    array = np.frombuffer(content, header.dtype).reshape(header.shape)
    array.flags.writeable = False
    return array


def _open(path: Path) -> BinaryIO:
    try:
        return cast(BinaryIO, gzip.open(path)) if is_gzip(path) else path.open("rb")
    except OSError as error:
        raise DataError("the file cannot be read", path=path, got=error.strerror) from error


def _header(path: Path, file: BinaryIO) -> IdxHeader:
    try:
        magic = file.read(4)
        if len(magic) < 4 or magic[:2] != b"\0\0" or magic[2] not in _TYPES or not 1 <= magic[3] <= 4:
            raise DataError(
                "not an IDX file: its magic number is wrong",
                path=path,
                got=f"0x{magic.hex() or ' (an empty file)'}",
                allowed="0x00000801 (labels) or 0x00000803 (pictures), or another type and 1 to 4 dimensions",
                fix="download the file again",
            )
        sizes = file.read(4 * magic[3])
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError("the gzip stream is torn", path=path, got=str(error), fix="download the file again") from error
    if len(sizes) < 4 * magic[3]:
        raise DataError(
            "the file ends inside its header",
            path=path,
            got=f"{4 + len(sizes)} bytes",
            allowed=f"at least {4 + 4 * magic[3]} bytes",
            fix="download the file again",
        )
    return IdxHeader(np.dtype(_TYPES[magic[2]]), tuple(int(n) for n in np.frombuffer(sizes, ">u4")))


def _refuse_impossible(path: Path, header: IdxHeader) -> None:
    """Refuse before anything is allocated what the file's own size already contradicts."""
    stored = path.stat().st_size
    if not is_gzip(path):
        if stored != header.size + header.bytes:
            more = "" if stored < header.size + header.bytes else "more than "
            actual = min(stored - header.size, header.bytes)
            raise _size_error(path, header, actual, "the file does not hold what its header promises", more)
    elif header.bytes > stored * _GZIP_RATIO:
        raise _size_error(path, header, stored * _GZIP_RATIO, "the gzip stream is too short", "less than ")
    if header.bytes > _LARGEST:
        raise DataError(
            "the file is too large to be held in memory",
            path=path,
            got=f"{header.bytes / 2**30:.0f} GiB",
            allowed=f"at most {_LARGEST / 2**30:.0f} GiB",
            fix="store the pictures as files in class folders",
        )


def _size_error(path: Path, header: IdxHeader, actual: int, problem: str, more: str = "") -> DataError:
    shape = " x ".join(map(str, header.shape))
    return DataError(
        problem,
        path=path,
        got=f"{more}{actual} bytes of numbers",
        allowed=f"{header.bytes} bytes, as its header says ({shape})",
        fix="download the file again",
    )
