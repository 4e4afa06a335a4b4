"""Damage to pictures stored as numbers: csv_pixels and idx."""

from __future__ import annotations

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tests.faults.ledger import Ledger, picture, write

SIDE = 8
ROW_FAULTS: dict[str, Callable[[list[str]], list[str]]] = {
    "too large": lambda cells: [*cells[:5], "256", *cells[6:]],
    "negative": lambda cells: [*cells[:5], "-1", *cells[6:]],
    "a word": lambda cells: [*cells[:5], "x", *cells[6:]],
    "a blank pixel": lambda cells: [*cells[:5], "", *cells[6:]],
    "not whole": lambda cells: [*cells[:5], "1.5", *cells[6:]],
    "not a number": lambda cells: [*cells[:5], "NaN", *cells[6:]],
    "a cell too few": lambda cells: cells[:-1],
    "a cell too many": lambda cells: [*cells, "7"],
    "a blank label": lambda cells: ["", *cells[1:]],
}


def build_csv_pixels(root: Path, rng: np.random.Generator) -> Ledger:
    """A table of pixels with some rows that are no pictures."""
    ledger, lines = Ledger("csv_pixels", files=1), [",".join(["label", *(f"pixel{i}" for i in range(SIDE**2))])]
    count = int(rng.integers(8, 16))
    for i in range(count):
        pixels, label = picture(rng, SIDE), str(i % 3)
        cells, key = [label, *map(str, pixels.ravel())], ("data.csv", len(lines) + 1)
        ledger.good[key] = (label, pixels)
        if rng.random() < 0.15:
            what = str(rng.choice(list(ROW_FAULTS)))
            cells = ROW_FAULTS[what](cells)
            ledger.spoil(key, what)
        lines.append(",".join(cells))
        if rng.random() < 0.05:
            lines.append("")
    end = str(rng.choice(["\n", "\r\n"]))
    mark = b"\xef\xbb\xbf" if rng.random() < 0.3 else b""
    write(root / "data.csv", mark + end.join(lines).encode() + (end.encode() if rng.random() < 0.8 else b""))
    ledger.rows = len(lines) - 1 - (not lines[-1])  # a break at the end starts no row
    if not lines[-1]:
        ledger.rows = None
    ledger.may_refuse = len(ledger.bad) > len(ledger.good)
    return ledger


def build_idx(root: Path, rng: np.random.Generator) -> Ledger:
    """IDX files, whole or damaged as a whole: there are no bad rows in them."""
    count = int(rng.integers(6, 14))
    pixels = np.stack([picture(rng, SIDE) for _ in range(count)])
    labels = bytes(i % 3 for i in range(count))
    pictures = struct.pack(">4i", 0x803, count, SIDE, SIDE) + pixels.tobytes()
    answers = struct.pack(">2i", 0x801, count) + labels
    ledger = Ledger("idx", files=2, rows=count)
    fault = str(
        rng.choice(["none", "none", "magic", "short", "long", "count", "fewer labels", "torn gzip", "no labels"])
    )
    zipped = rng.random() < 0.5 or fault == "torn gzip"
    if fault == "magic":
        pictures = b"\0\0\x07" + pictures[3:]
    elif fault == "short":
        pictures = pictures[: -int(rng.integers(1, SIDE**2))]
    elif fault == "long":
        pictures += bytes(int(rng.integers(1, 99)))
    elif fault == "count":
        pictures = struct.pack(">4i", 0x803, count + 1, SIDE, SIDE) + pictures[16:]
    elif fault == "fewer labels":
        answers = struct.pack(">2i", 0x801, count - 1) + labels[:-1]
    stored = gzip.compress(pictures) if zipped else pictures
    stored = stored[: len(stored) // 2] if fault == "torn gzip" else stored
    write(root / f"all-images-idx3-ubyte{'.gz' if zipped else ''}", stored)
    if fault == "no labels":
        ledger.files, ledger.may_refuse = 1, True
    else:
        write(root / "all-labels-idx1-ubyte", answers)
    if fault not in ("none", "no labels"):
        ledger.fatal = fault
    names = f"all-images-idx3-ubyte{'.gz' if zipped else ''}"
    for i in range(count):
        ledger.good[names, i + 1] = (None if fault == "no labels" else str(labels[i]), pixels[i])
    ledger.story.append(fault)
    return ledger
