"""The members of a .zip or .tar, one after the other, as the archive states them and before anything is believed."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import stat
import struct
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from anmok.core.errors import DataError

MOST_MEMBERS = 1_000_000
_LARGEST_READ = 16 * 2**20  # a header that asks for more at once is an attack on memory
_LARGEST_DIRECTORY = 256 * 2**20  # bytes of a .zip's table of contents
BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, struct.error, gzip.BadGzipFile)
_OPENERS: dict[bytes, Callable[[Path], object]] = {
    b"\x1f\x8b": gzip.open,
    b"\xfd7zXZ\0": lzma.open,
    b"BZh": bz2.open,
}


@dataclass(frozen=True)
class Member:
    """One entry of an archive. `kind` is "file", "folder", "link", "hard link" or the name of what is not allowed."""

    name: str
    kind: str
    size: int
    modified: float
    open: Callable[[], BinaryIO]
    target: str = ""


def is_tar(path: Path) -> bool:
    """Whether the (possibly compressed) file begins with a tar header."""
    try:
        with _decompressed(path) as file:
            block = file.read(512)
    except (OSError, *BROKEN):
        return False
    try:
        tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.TarError:
        return False
    return True


def is_zip(path: Path) -> bool:
    """Whether the file begins as a .zip does."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def zip_members(path: Path) -> Iterator[Member]:
    """The members of a .zip. Raises `DataError` for an encrypted one and what `BROKEN` lists for a torn one."""
    _refuse_huge_directory(path)
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            if info.flag_bits & 0x1:
                raise DataError("the archive is encrypted", path=path, got=info.filename, fix="extract it yourself")
            mode = info.external_attr >> 16
            kind = "folder" if info.is_dir() else _kind_of(mode)
            target = ""
            if kind == "link":
                with archive.open(info) as file:
                    target = os.fsdecode(file.read(4096))
            opener = cast(Callable[[], BinaryIO], lambda info=info: archive.open(info))
            yield Member(_zip_name(info), kind, info.file_size, _zip_time(info), opener, target)


def tar_members(path: Path) -> Iterator[Member]:
    """The members of a .tar, compressed or not. Raises what `BROKEN` lists for a torn one."""
    with _decompressed(path) as file:
        archive = tarfile.TarFile(fileobj=cast(BinaryIO, file))
        while (info := archive.next()) is not None:
            opener = cast(Callable[[], BinaryIO], lambda info=info: archive.extractfile(info))
            yield Member(info.name, _tar_kind(info), info.size, float(info.mtime), opener, info.linkname)
            archive.members.clear()  # type: ignore[attr-defined]  # what was handed out need not be kept
        # tarfile takes a torn header for the end as well; the true end is a block of zeros.
        if file.last != bytes(512):
            raise EOFError("its end mark is missing")
        while file.read(2**20):  # to the end, where a compressed stream keeps its checksum
            pass


class _Bounded(io.RawIOBase):
    """A file that refuses to be read in huge pieces, as forged headers make tarfile do."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.last = b""

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > _LARGEST_READ:
            raise tarfile.ReadError(f"a header asks for {size} bytes at once")
        self.last = self._file.read(size)
        return self.last

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def _decompressed(path: Path) -> Iterator[_Bounded]:
    with path.open("rb") as file:
        head = file.read(6)
    opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
    with cast(BinaryIO, opener(path) if opener else path.open("rb")) as file:
        yield _Bounded(file)


def _refuse_huge_directory(path: Path) -> None:
    """Look at the end record alone, before zipfile holds every entry in memory."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        start = file.seek(max(0, size - 66_000))
        tail = file.read()
        at = tail.rfind(b"PK\x05\x06")
        if at < 0 or len(tail) < at + 22:
            return  # zipfile says what is wrong
        count, directory = struct.unpack_from("<HI", tail, at + 10)
        locator = tail.rfind(b"PK\x06\x07", 0, at)
        if locator >= 0 and (count == 0xFFFF or directory == 0xFFFFFFFF):
            file.seek(min(struct.unpack_from("<Q", tail, locator + 8)[0], start + at))
            record = file.read(56)
            if record[:4] == b"PK\x06\x06" and len(record) == 56:
                count, directory = struct.unpack_from("<QQ", record, 32)
    if count >= MOST_MEMBERS or directory > _LARGEST_DIRECTORY:
        raise too_many(path, count)


def too_many(path: Path, count: int) -> DataError:
    """The error for an archive of more members than are read."""
    return DataError(
        "the archive has too many entries",
        path=path,
        got=f"{count:,}",
        allowed=f"fewer than {MOST_MEMBERS:,}",
        fix="extract it yourself and name the folder",
    )


def _zip_name(info: zipfile.ZipInfo) -> str:
    """The name as it was meant: without the UTF-8 flag, macOS still writes UTF-8 and Korean Windows EUC-KR."""
    name = info.orig_filename
    if not info.flag_bits & 0x800:
        raw = name.encode("cp437")
        for encoding in ("utf-8", "euc_kr"):
            try:
                return raw.decode(encoding)
            except UnicodeDecodeError:
                continue
    return name


def _zip_time(info: zipfile.ZipInfo) -> float:
    try:
        return time.mktime((*info.date_time, 0, 0, -1))
    except (ValueError, OverflowError):
        return 0.0


def _kind_of(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "link"
    return "file" if stat.S_IFMT(mode) in (0, stat.S_IFREG) else "device or FIFO"


def _tar_kind(info: tarfile.TarInfo) -> str:
    if info.issparse():
        return "sparse file"
    if info.isreg():
        return "file"
    if info.isdir():
        return "folder"
    if info.issym():
        return "link"
    return "hard link" if info.islnk() else "device or FIFO"
