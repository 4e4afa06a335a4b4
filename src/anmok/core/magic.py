"""What a file is by its first bytes, whatever its name says; only formats on the list ever reach a decoder."""

from __future__ import annotations

import os
import struct
from typing import IO

HEAD = 512  # bytes that `sniff` and `describe` look at

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "PPM")

_STARTS = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",  # BigTIFF
    b"MM\x00+": "TIFF",
}

_EXTENSIONS = {
    "JPEG": {".jpg", ".jpeg", ".jpe", ".jfif", ".mpo"},
    "PNG": {".png", ".apng"},
    "GIF": {".gif"},
    "BMP": {".bmp", ".dib"},
    "TIFF": {".tif", ".tiff"},
    "WEBP": {".webp"},
    "PPM": {".ppm", ".pgm", ".pbm", ".pnm", ".pfm"},
}
PICTURE_SUFFIXES: frozenset[str] = frozenset().union(*_EXTENSIONS.values())

_STRANGERS = {
    b"8BPS": "a Photoshop document",
    b"%!PS": "a PostScript document",
    b"\xc5\xd0\xd3\xc6": "an EPS document",
    b"%PDF": "a PDF document",
    b"SIMPLE  =": "a FITS file",
    b"\x93NUMPY": "a NumPy array",
    b"\x89HDF": "an HDF5 file",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip archive",
    b"Rar!": "a RAR archive",
    b"7z\xbc\xaf": "a 7z archive",
    b"\x00\x00\x00\x0cjP": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"\xff\x0a": "a JPEG XL picture",
    b"\x00\x00\x00\x0cJXL": "a JPEG XL picture",
    b"\x00\x00\x01\x00": "a Windows icon",
    b"v/1\x01": "an OpenEXR picture",
    b"#?RADIANCE": "a Radiance HDR picture",
    b"P7": "a PAM picture",
    b"\x00\x05\x16\x07": "an AppleDouble companion file of macOS, without pixels",
    b"version https://git-lfs": "a Git LFS pointer, not the picture itself (run `git lfs pull`)",
    b"\x7fELF": "a program",
    b"MZ": "a program",
}


def sniff(head: bytes) -> str | None:
    """The format's name in `FORMATS`, from the first bytes of a file, or None where it is none of them."""
    for start, name in _STARTS.items():
        if head.startswith(start):
            return name
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WEBP"
    # P1 … P6 and Pf (grey floats), each followed by white space or a comment.
    if head[:1] == b"P" and head[1:2] in b"123456f" and head[2:3] in b" \t\r\n#" and len(head) > 2:
        return "PPM"
    return None


def describe(head: bytes) -> str:
    """What a file that `sniff` does not know seems to be, in words that finish "this is …"."""
    if not head.strip(b"\x00"):
        return "only zero bytes"
    for start, words in _STRANGERS.items():
        if head.startswith(start):
            return words
    if head[4:8] == b"ftyp":
        return "a HEIC or AVIF picture, or a video"
    if head[128:132] == b"DICM":
        return "a DICOM file"
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return "an HTML page, as a failed download leaves behind"
    if text.startswith((b"<?xml", b"<svg")):
        return "XML or SVG text"
    if text.startswith((b"{", b"[")):
        return "JSON text"
    printable = sum(byte in b"\t\r\n" or 32 <= byte < 127 for byte in head)
    return "text" if printable > 0.95 * len(head) else f"unknown data starting with {head[:8]!r}"


def extension_fits(format_name: str, suffix: str) -> bool:
    """Whether a file's extension (".jpg") is one the format goes by; no extension at all is fine."""
    return not suffix or suffix.lower() in _EXTENSIONS[format_name]


def webp_size(head: bytes) -> tuple[int, int] | None:
    """Width and height that a WebP file declares, or None.

    Its decoder allocates the canvas as soon as it is made, so the size must be known before (layout: RFC 9649).
    """
    chunk, body = head[12:16], head[20:30]
    if len(body) < 10:
        return None
    if chunk == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if chunk == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if chunk == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    return None


def png_may_tell_orientation(file: IO[bytes]) -> bool:
    """Whether a PNG has a chunk that could hold EXIF. Found by skipping from chunk to chunk; pixels stay unread."""
    file.seek(len(b"\x89PNG\r\n\x1a\n"))
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        if kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
            return True
        file.seek(length + 4, os.SEEK_CUR)  # 4: the chunk's checksum
    return False
