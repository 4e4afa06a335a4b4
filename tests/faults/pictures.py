"""Damage to folders of pictures and to tables of paths: class_folders, flat_folder, csv."""

from __future__ import annotations

import csv
import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from tests.faults.ledger import Ledger, encoded, picture, write


def _bomb() -> bytes:
    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk)) + bytes(50)


def _nan() -> bytes:
    stream = io.BytesIO()
    Image.fromarray(np.full((8, 8), np.nan, np.float32)).save(stream, "TIFF")
    return stream.getvalue()


BROKEN: dict[str, Callable[[bytes, np.random.Generator], bytes]] = {
    "zero bytes": lambda content, rng: b"",
    "cut short": lambda content, rng: content[: int(rng.integers(9, len(content) - 20))],
    "an HTML page": lambda content, rng: b"<!DOCTYPE html><html>404</html>",
    "a Photoshop file": lambda content, rng: b"8BPS\0\1" + bytes(60),
    "a bomb": lambda content, rng: _bomb(),
    "noise": lambda content, rng: rng.bytes(int(rng.integers(1, 200))),
    "one pixel": lambda content, rng: encoded(np.zeros((1, 1), np.uint8)),
    "not a number": lambda content, rng: _nan(),
    "a program": lambda content, rng: b"\x7fELF" + bytes(90),
    "a FITS table": lambda content, rng: b"SIMPLE  =                    T" + bytes(90),
    "an EPS drawing": lambda content, rng: b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "an SVG drawing": lambda content, rng: b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "its pixels flipped": lambda content, rng: _flipped(content),
}
HARMLESS: dict[str, Callable[[np.ndarray], bytes]] = {
    "BMP inside": lambda pixels: encoded(pixels, "BMP"),
    "WebP inside": lambda pixels: encoded(pixels, "WEBP", lossless=True),
    "TIFF inside": lambda pixels: encoded(pixels, "TIFF"),
    "trailing bytes": lambda pixels: encoded(pixels) + b"\0trailer",
    "a comment": lambda pixels: encoded(pixels, "PPM"),
}
STRANGE_NAMES = ("새 사진", "a b  c", "x'y\"z", "UPPER.lower", "-rf", "%41", "naïve", "(1)", "a,b;c")


def _flipped(content: bytes) -> bytes:
    at = content.index(b"IDAT") + 12
    return content[:at] + bytes([content[at] ^ 0x55]) + content[at + 1 :]


def build(root: Path, kind: str, rng: np.random.Generator) -> Ledger:
    """Write a damaged data set of this format and return what is true of it."""
    ledger = Ledger(kind)
    labels = [f"class{i % 3}" for i in range(int(rng.integers(6, 13)))]
    table = [["picture", "label"]]
    for i, label in enumerate(labels):
        pixels = picture(rng)
        content, name = encoded(pixels), f"{i}.png"
        if rng.random() < 0.15:
            name = f"{rng.choice(STRANGE_NAMES)}{i}.png"
        path = {"class_folders": f"{label}/{name}", "flat_folder": name, "csv": f"images/{name}"}[kind]
        key = path if kind != "csv" else ("labels.csv", len(table) + 1)
        ledger.good[key] = (label if kind != "flat_folder" else None, pixels)
        ledger.files = (ledger.files or 0) + 1
        chance = rng.random()
        if chance < 0.2:
            what = str(rng.choice(list(BROKEN)))
            content = BROKEN[what](content, rng)
            ledger.spoil(key, what)
        elif chance < 0.3:
            content = HARMLESS[str(rng.choice(list(HARMLESS)))](pixels)
        write(root / path, content)
        table.append([path, label])
    if kind == "csv":
        _write_table(root, table, ledger, rng)
    for _ in range(int(rng.integers(0, 4))):
        _stray(root, kind, ledger, rng)
    return ledger


def _write_table(root: Path, table: list[list[str]], ledger: Ledger, rng: np.random.Generator) -> None:
    """Rows that say too little, too much, or the opposite of each other."""
    for _ in range(int(rng.integers(0, 4))):
        line, fault = len(table) + 1, str(rng.choice(["missing", "blank", "leaves", "short", "repeat", "contradicts"]))
        key, first = ("labels.csv", line), table[1]
        if fault == "missing":
            table.append([f"images/gone{line}.png", "class0"])
        elif fault == "blank":
            table.append([table[2][0], " "])
        elif fault == "leaves":
            table.append(["../../etc/hostname", "class0"])
        elif fault == "short":
            table.append(["images/1.png"])
        elif fault == "repeat":
            table.append(list(first))
            if ("labels.csv", 2) in ledger.bad:
                ledger.doubtful.add(key)
            continue
        else:
            table.append([first[0], "another class"])
            others = [at + 1 for at, row in enumerate(table) if at and row[0] == first[0] and len(row) == 2]
            for other in others:
                ledger.spoil(("labels.csv", other), "contradicted")
            continue
        ledger.spoil(key, fault)
    _repeats_of_contradictions(table, ledger)
    delimiter = str(rng.choice([",", ";", "\t"]))
    stream = io.StringIO()
    csv.writer(stream, delimiter=delimiter, lineterminator=str(rng.choice(["\n", "\r\n"]))).writerows(table)
    mark = b"\xef\xbb\xbf" if rng.random() < 0.3 else b""
    write(root / "labels.csv", mark + stream.getvalue().encode())
    ledger.files, ledger.rows = (ledger.files or 0) + 1, len(table) - 1


def _repeats_of_contradictions(table: list[list[str]], ledger: Ledger) -> None:
    told: dict[str, set[str]] = {}
    for row in table[1:]:
        if len(row) == 2 and row[1].strip():
            told.setdefault(row[0], set()).add(row[1])
    for at, row in enumerate(table[1:], 2):
        if len(row) == 2 and row[1].strip() and len(told[row[0]]) > 1:
            ledger.spoil(("labels.csv", at), "contradicted")


def _stray(root: Path, kind: str, ledger: Ledger, rng: np.random.Generator) -> None:
    """What lies about in folders and is no picture of the data set."""
    fault, number = int(rng.integers(0, 9)), int(rng.integers(10**6))
    folder = root / {"class_folders": "class0", "flat_folder": "", "csv": "images"}[kind]
    folder.mkdir(exist_ok=True)
    named = folder / f"s{number}"
    prefix = named.relative_to(root).as_posix()
    if named.exists() or any(named.parent.glob(f"s{number}*")):
        return
    ledger.files = (ledger.files or 0) + 1
    if fault == 0:
        write(named.with_name(f".hidden{number}.png"), b"x")
    elif fault == 1:
        write(named.with_suffix(".txt"), b"notes")
    elif fault == 2:
        os.mkfifo(named.with_suffix(".png"))
    elif fault == 3:
        named.with_suffix(".png").symlink_to(named.with_suffix(".png").name)  # leads back to itself
    elif fault == 4:
        named.with_suffix(".png").symlink_to("/nowhere/at/all")
        ledger.bad.add(f"{prefix}.png")
    elif fault == 5:
        named.with_suffix(".png").symlink_to("/etc/hostname")
        ledger.bad.add(f"{prefix}.png")
    elif fault == 6:
        write(named.with_suffix(".heic"), b"\0\0\0\x18ftypheic")
        ledger.bad.add(f"{prefix}.heic")
    elif fault == 7:
        write(folder / ".ipynb_checkpoints" / f"{number}.png", b"x")
    else:
        write(folder / f"._{number}.png", b"\0\5\x16\7")
    ledger.story.append(f"stray {fault} {prefix}")
