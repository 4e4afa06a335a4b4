"""Faults planted one at a time into clean data of every form: `anmok check` must find each and name it.

The oracle is the place and the word that each fault must be told by; on the clean data nothing may be told.
"""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

from anmok.core.errors import AnmokError
from anmok.data.load import load_data
from anmok.verbs.check import check
from tests.contracts.format_writers import WRITERS, Item
from tests.faults import planted_beside
from tests.faults.pictures import BROKEN

Plant = Callable[[Path], object]
_RNG = np.random.default_rng(40)


def garments(count: int = 36) -> list[Item]:
    """Three classes of real garments, two thirds to learn from."""
    data = load_data("samples")
    classes = [data.classes.index(name) for name in ("Ankle boot", "Dress", "Bag")]
    found = []
    for label, target in enumerate(classes):
        own = [entry for entry in data.entries if entry.target == target][: count // 3]
        found += [
            Item(data.pictures.read(e.locator)[..., 0], str(label), "test" if i % 3 == 0 else "train")
            for i, e in enumerate(own)
        ]
    return found


def _first(root: Path, pattern: str = "train/0/*.png", at: int = 0) -> Path:
    return sorted(root.glob(pattern))[at]


def _breaks(what: str) -> Plant:
    def plant(root: Path) -> None:
        path = _first(root)
        path.write_bytes(BROKEN[what](path.read_bytes(), _RNG))

    return plant


def _copies(source: str, to: str, change: Callable[[Image.Image], Image.Image] | None = None) -> Plant:
    def plant(root: Path) -> None:
        with Image.open(_first(root, source)) as image:
            (change(image) if change else image).save(root / to, quality=85)

    return plant


def _lone(root: Path) -> None:
    (root / "train" / "9").mkdir()
    shutil.move(_first(root), root / "train" / "9" / "x.png")


def _spelt(root: Path) -> None:
    """A second class for one: its name with a space behind."""
    (root / "train" / "0 ").mkdir()
    for path in sorted((root / "train" / "0").iterdir())[:3]:
        shutil.move(path, root / "train" / "0 " / path.name)


def _uneven(root: Path) -> None:
    for path in sorted((root / "train" / "2").iterdir())[1:] + sorted((root / "test" / "2").iterdir())[1:]:
        path.unlink()
    data = load_data("samples")
    for entry in [e for e in data.entries if data.classes[e.target] == "Trouser"][:30]:
        Image.fromarray(data.pictures.read(entry.locator)[..., 0]).save(root / "train" / "1" / f"{entry.locator}.png")


def _line(change: Callable[[list[str]], list[str] | None], table: str = "labels.csv") -> Plant:
    """Row 5 of the table (line 5 with its header) becomes something else, or one more row after it."""

    def plant(root: Path) -> None:
        path = root / table
        with path.open(newline="") as file:
            rows = list(csv.reader(file))
        rows[4] = change(rows[4]) or rows[4]
        with path.open("w", newline="") as file:
            csv.writer(file).writerows(rows)

    return plant


def _contradicts(root: Path) -> None:
    path = root / "labels.csv"
    first = path.read_text().splitlines()[4].split(",")
    with path.open("a") as file:
        file.write(f"{first[0]},another,{first[2]}\n")


def _bytes(name: str, change: Callable[[bytes], bytes]) -> Plant:
    def plant(root: Path) -> None:
        (root / name).write_bytes(change((root / name).read_bytes()))

    return plant


FAULTS: list[tuple[str, str, Plant, str]] = [  # reader, fault, how it is planted, what must be told
    *[("class_folders", what, _breaks(what), "train/0/") for what in BROKEN],
    ("class_folders", "a dangling link", lambda r: (r / "train/0/l.png").symlink_to("/nowhere"), "train/0/l.png"),
    ("class_folders", "a link outside", lambda r: (r / "train/0/l.png").symlink_to("/etc/hostname"),
     "train/0/l.png"),
    ("class_folders", "a foreign kind", lambda r: (r / "train/0/x.heic").write_bytes(b"ftyp"), "x.heic"),
    ("class_folders", "an exact leak", _copies("train/0/*.png", "test/0/leak.png"), "leak.png"),
    ("class_folders", "a resized leak", _copies("train/1/*.png", "test/1/leak.jpg", lambda i: i.resize((40, 40))),
     "leak.jpg"),
    ("class_folders", "a mirrored leak", _copies("train/0/*.png", "test/0/leak.jpg", lambda i: i.transpose(
        Image.Transpose.FLIP_LEFT_RIGHT)), "leak.jpg"),
    ("class_folders", "a copy", _copies("train/0/*.png", "train/0/again.bmp"), "again.bmp"),
    ("class_folders", "a copy of another class", _copies("train/0/*.png", "train/1/again.png"), "contradiction"),
    ("class_folders", "a class of one picture", _lone, "lone picture"),
    ("class_folders", "a class spelt in two ways", _spelt, "alike classes"),
    ("class_folders", "uneven classes", _uneven, "uneven classes"),
    ("class_folders", "a class missing from test", lambda r: shutil.rmtree(r / "test/2"), "classes missing from test"),
    ("class_folders", "a class missing from train", lambda r: shutil.rmtree(r / "train/2"),
     "classes missing from train"),
    ("class_folders", "a flat picture", lambda r: Image.new("L", (28, 28), 9).save(r / "train/0/flat.png"), "flat.png"),
    ("csv", "a missing file", _line(lambda row: ["images/gone.png", *row[1:]]), "gone.png"),
    ("csv", "a blank label", _line(lambda row: [row[0], "", row[2]]), '"line": 5'),
    ("csv", "a path that leaves", _line(lambda row: ["../../x.png", *row[1:]]), "leaves"),
    ("csv", "an unknown split", _line(lambda row: [*row[:2], "sometimes"]), "sometimes"),
    ("csv", "a short row", _line(lambda row: row[:1]), '"line": 5'),
    ("csv", "a contradiction", _contradicts, "two labels"),
    ("csv", "a torn picture", lambda r: _first(r, "images/*.png").write_bytes(b"\x89PNG\r\n\x1a\n"), '"line"'),
    ("csv_pixels", "a pixel too large", _line(lambda row: [row[0], "999", *row[2:]], "train.csv"), '"line": 5'),
    ("csv_pixels", "a word for a pixel", _line(lambda row: [row[0], "x", *row[2:]], "train.csv"), '"line": 5'),
    ("csv_pixels", "a cell too few", _line(lambda row: row[:-1], "train.csv"), '"line": 5'),
    ("csv_pixels", "a blank label", _line(lambda row: ["", *row[1:]], "train.csv"), '"line": 5'),
    ("idx", "a bad magic number", _bytes("t10k-labels-idx1-ubyte", lambda c: b"\7" + c[1:]), "t10k"),
    ("idx", "a short file", _bytes("t10k-labels-idx1-ubyte", lambda c: c[:-1]), "bytes"),
    ("idx", "a torn gzip", _bytes("train-images-idx3-ubyte.gz", lambda c: c[: len(c) // 2]), "gzip"),
    ("flat_folder", "a torn picture", lambda r: _first(r, "*.png").write_bytes(b"\x89PNG\r\n\x1a\n"), ".png"),
    ("flat_folder", "an HTML page", lambda r: _first(r, "*.png").write_bytes(b"<html></html>"), "HTML"),
]  # fmt: skip


def told(root: Path) -> str:
    """Everything that check has to say of a data set's faults, or the error that refuses it."""
    archive = root / "data.zip"
    try:
        found = check(archive if archive.exists() else root, labels=False, workers=0)
    except AnmokError as error:
        return str(error)
    faults = [found.problems, found.quarantined, found.warnings]
    return json.dumps(faults, ensure_ascii=False) if any(faults) else ""


def run(folder: Path) -> tuple[int, int, list[str]]:
    """(faults planted, faults found and named, complaints), the clean data of every reader included."""
    found, complaints = 0, []
    data = garments()
    for reader in (*WRITERS, *planted_beside.READERS):
        place = folder / reader / "clean"
        clean = WRITERS[reader](place, data) if reader in WRITERS else planted_beside.clean(reader, place)
        if words := told(clean):
            complaints.append(f"{reader}, clean: {words[:200]}")
    faults = [*FAULTS, *planted_beside.FAULTS]
    for number, (reader, what, plant, expected) in enumerate(faults):
        root = folder / reader / f"fault{number}"
        shutil.copytree(folder / reader / "clean", root, symlinks=True)
        plant(root)
        words = told(root)
        if expected in words:
            found += 1
        else:
            complaints.append(f"{reader}, {what}: {expected!r} is not in {words[:300]!r}")
    return len(faults), found, complaints
