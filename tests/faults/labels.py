"""Damage to tables that name several classes, that hold whole pictures in cells, and that are compressed."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np

from tests.faults.ledger import Ledger, encoded, picture, write

KINDS = ("marks", "joined", "packed")
NAMES = ("bird", "cat", "dog")
SIDE = 8
Shown = dict[tuple[str, int], frozenset[str]]  # what the good rows say
_SAID = tuple(frozenset(names) for names in (["cat"], ["cat", "dog"], ["dog"], ["bird", "dog"], ["bird"], NAMES))


def build(root: Path, kind: str, rng: np.random.Generator) -> tuple[Ledger, Shown]:
    """A damaged data set of this kind, and which classes each of its good rows names."""
    name = f"labels.csv{'.gz' if rng.random() < 0.4 else ''}"
    ledger, shown = Ledger("csv_pixels" if kind == "packed" else "csv", files=1), Shown()
    header = {"marks": ["file", *NAMES], "joined": ["file", "labels"], "packed": ["emotion", "pixels", "Usage"]}[kind]
    rows = [header]
    for i in range(int(rng.integers(12, 20))):
        pixels, said, key = picture(rng, SIDE), _SAID[i % len(_SAID)], (name, len(rows) + 1)
        row = _row(kind, f"images/{i}.png", said, i, pixels)
        if kind != "packed":
            write(root / f"images/{i}.png", encoded(pixels))
            ledger.files = (ledger.files or 0) + 1
        ledger.good[key], shown[key] = (None, pixels), said
        if i > 5 and rng.random() < 0.25:
            what = str(rng.choice(FAULTS[kind]))
            row = spoilt(row, what, 1 + int(rng.integers(len(row) - 1)))
            ledger.spoil(key, what)
        rows.append(row)
    if kind != "packed" and rng.random() < 0.4:  # the first row is said again, or denied
        again = list(rows[1])
        if rng.random() < 0.5:
            again[1:] = rows[2][1:]
            ledger.spoil((name, 2), "contradicted")
            ledger.spoil((name, len(rows) + 1), "contradicts")
        rows.append(again)
    if kind != "packed":
        _lose_files(root, rows, ledger, rng, name)
    text = io.StringIO()
    csv.writer(text, lineterminator=str(rng.choice(["\n", "\r\n"]))).writerows(rows)
    content = text.getvalue().encode()
    stored = gzip.compress(content) if name.endswith(".gz") else content
    if name.endswith(".gz") and rng.random() < 0.15:
        stored, ledger.fatal = stored[: -int(rng.integers(5, 40))], "a torn gzip"
    write(root / name, stored)
    ledger.rows = len(rows) - 1
    return ledger, {key: shown[key] for key in ledger.good if isinstance(key, tuple)}


FAULTS = {
    "marks": ("another number", "a blank mark", "a word", "a cell too few", "a cell too many", "a path that leaves"),
    "joined": ("a blank label", "a cell too few", "a path that leaves"),
    "packed": ("too large", "negative", "a word", "a number too few", "a blank label", "an unknown split",
               "a cell too many", "no pixels"),
}  # fmt: skip


def _row(kind: str, path: str, said: frozenset[str], i: int, pixels: np.ndarray) -> list[str]:
    if kind == "marks":
        return [path, *(str(int(name in said)) for name in NAMES)]
    if kind == "joined":
        return [path, "|".join(sorted(said))]
    return [str(i % 3), " ".join(map(str, pixels.ravel())), "PublicTest" if i % 4 == 3 else "Training"]


def spoilt(row: list[str], what: str, at: int = 1) -> list[str]:
    """The row with one thing wrong; `at`: in which column, where that matters."""
    numbers = row[1].split(" ")
    if what in ("another number", "a blank mark"):
        return [*row[:at], "7" if what == "another number" else "", *row[at + 1 :]]
    changed = {
        "a blank label": [row[0], " "] if len(row) == 2 else ["", *row[1:]],
        "a cell too few": row[:-1],
        "a cell too many": [*row, "more"],
        "a path that leaves": ["../../etc/hostname", *row[1:]],
        "too large": [row[0], " ".join(["256", *numbers[1:]]), *row[2:]],
        "negative": [row[0], " ".join(["-1", *numbers[1:]]), *row[2:]],
        "a number too few": [row[0], " ".join(numbers[1:]), *row[2:]],
        "an unknown split": [*row[:2], "sometimes"],
        "no pixels": [row[0], "", *row[2:]],
    }
    word = [row[0], " ".join(["x", *numbers[1:]]) if len(numbers) > 1 else "x", *row[2:]]
    return word if what == "a word" else changed[what]


def _lose_files(root: Path, rows: list[list[str]], ledger: Ledger, rng: np.random.Generator, name: str) -> None:
    """Pictures that a row names and that are gone."""
    for line, row in enumerate(rows[1:], 2):
        path = root / row[0]
        if (name, line) in ledger.good and line > 3 and path.exists() and rng.random() < 0.05:
            path.unlink()
            ledger.files = (ledger.files or 0) - 1
            ledger.spoil((name, line), "its picture is gone")
