"""Damage to pictures with boxes: coco, csv_boxes, voc, yolo. Rows of boxes go bad one by one, pictures as a whole."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.contracts.object_writers import CLASSES, OBJECT_WRITERS, Scene
from tests.contracts.test_formats import count_files
from tests.faults.ledger import Ledger, Told
from tests.faults.pictures import BROKEN

FOLDERS = {"coco": "{split}", "csv_boxes": "images", "voc": "JPEGImages", "yolo": "images/{split}"}

COCO: dict[str, Callable[[dict[str, Any]], object]] = {
    "three numbers": lambda row: row.update(bbox=row["bbox"][:3]),
    "a word": lambda row: row.update(bbox=["x", *row["bbox"][1:]]),
    "not a number": lambda row: row.update(bbox=[float("nan"), *row["bbox"][1:]]),
    "inside out": lambda row: row.update(bbox=[*row["bbox"][:2], -3, 4]),
    "far outside": lambda row: row.update(bbox=[500, 500, 20, 20]),
    "no such category": lambda row: row.update(category_id=7),
    "no such picture": lambda row: row.update(image_id=9999),
    "no box": lambda row: row.pop("bbox"),
}
CELLS: dict[str, dict[str, str]] = {
    "a word": {"xmin": "left"},
    "not a number": {"ymin": "nan"},
    "inside out": {"xmin": "30", "xmax": "10"},
    "far outside": {"xmin": "500", "xmax": "520"},
    "a blank label": {"class": " "},
    "a blank side": {"ymax": ""},
    "no such file": {"filename": "gone.png"},
}
TAGS: dict[str, tuple[str, str]] = {
    "a word": (r"<xmin>.*?</xmin>", "<xmin>left</xmin>"),
    "not a number": (r"<ymin>.*?</ymin>", "<ymin>nan</ymin>"),
    "no side": (r"<ymax>.*?</ymax>", ""),
    "far outside": (r"<xmin>.*?</xmin>(.*)<xmax>.*?</xmax>", r"<xmin>500</xmin>\1<xmax>520</xmax>"),
    "no name": (r"<name>.*?</name>", "<name> </name>"),
}
COLUMNS: dict[str, Callable[[list[str]], list[str]]] = {
    "four columns": lambda cells: cells[:4],
    "a class too many": lambda cells: ["9", *cells[1:]],
    "a class that is none": lambda cells: ["cup", *cells[1:]],
    "not a number": lambda cells: [cells[0], "nan", *cells[2:]],
    "pixels": lambda cells: [cells[0], "17", *cells[2:]],
    "no extent": lambda cells: [*cells[:3], "0", cells[4]],
    "a word": lambda cells: [*cells[:4], "wide"],
}


def build(root: Path, kind: str, rng: np.random.Generator) -> Ledger:
    """Write a damaged data set of this format and return what is true of it."""
    data = _scenes(rng)
    OBJECT_WRITERS[kind](root, data)
    ledger, bad, gone = Ledger(kind), set[tuple[str, int]](), set[str]()
    rows = [(scene, at) for scene in data for at in range(len(scene.boxes))]
    for number in rng.permutation(len(rows))[: int(rng.integers(0, 4))]:
        scene, at = rows[number]
        ledger.story.append(f"{scene.name}, box {at}: {_SPOIL[kind](root, scene, at, rng, data)}")
        bad.add((scene.name, at))
    for scene in data:
        path = root / FOLDERS[kind].format(split=scene.split) / f"{scene.name}.png"
        chance, key = rng.random(), path.relative_to(root).as_posix()
        left = tuple(sorted((scene.labels[at], tuple(map(float, scene.boxes[at]))) for at in range(len(scene.boxes))
                            if (scene.name, at) not in bad))  # fmt: skip
        ledger.good[key] = (left, scene.pixels)
        if chance < 0.15:
            what = str(rng.choice(list(BROKEN)))
            path.write_bytes(BROKEN[what](path.read_bytes(), rng))
            ledger.spoil(key, what)
            gone.add(scene.name)
        elif chance < 0.2:
            path.unlink()
            ledger.spoil(key, "gone")
            gone.add(scene.name)
    _nobody_can_know(ledger, data, bad)
    ledger.spoilt_rows = sum(scene not in gone for scene, _ in bad)
    # A table's row without a box is a row all the same.
    bare = [scene for scene in data if kind == "csv_boxes" and not scene.boxes]
    ledger.lost_rows = sum(scene.name in gone for scene in [*(scene for scene, _ in rows), *bare])
    ledger.may_refuse = len(ledger.bad) * 2 > len(data) or len(bad) * 2 >= len(rows)
    fatal = str(rng.choice(["", "", "", "", "", "", _FATAL[kind]]))
    if fatal:
        _BREAK[kind](root)
        ledger.fatal = fatal
        ledger.story.append(fatal)
    ledger.files = count_files(root)
    return ledger


def _nobody_can_know(ledger: Ledger, data: list[Scene], bad: set[tuple[str, int]]) -> None:
    """Items whose end is not for this ledger to say; that nothing is lost, the accounts say all the same.

    A table's picture is known by its rows alone, so it is none where all of these are bad; a text without a line of
    labels is no text of labels where its picture is missing; a COCO file is passed over as a whole where none of its
    pictures is there.
    """
    gone = {key for key in ledger.bad if f"{key}: gone" in ledger.story}
    for scene in data:
        key = FOLDERS[ledger.format].format(split=scene.split) + f"/{scene.name}.png"
        speechless = bool(scene.boxes) and all((scene.name, at) in bad for at in range(len(scene.boxes)))
        others = {
            FOLDERS["coco"].format(split=one.split) + f"/{one.name}.png" for one in data if one.split == scene.split
        }
        if (
            (ledger.format == "csv_boxes" and speechless)
            or (ledger.format == "yolo" and speechless and key in gone)
            or (ledger.format == "coco" and others <= gone)
        ):
            ledger.good.pop(key, None)
            ledger.bad.discard(key)
            ledger.doubtful.add(key)


def _scenes(rng: np.random.Generator) -> list[Scene]:
    found = []
    for i in range(int(rng.integers(5, 10))):
        height, width = (int(n) for n in rng.integers(20, 50, 2))
        boxes: set[tuple[int, int, int, int]] = set()
        for _ in range(int(rng.integers(0, 4)) if i else 3):
            left, top = int(rng.integers(0, width - 9)), int(rng.integers(0, height - 9))
            boxes.add((left, top, left + int(rng.integers(2, 9)), top + int(rng.integers(2, 9))))
        chosen = tuple(sorted(boxes))
        labels = tuple(CLASSES[(i + k) % 3] for k in range(len(chosen)))
        pixels = rng.integers(0, 256, (height, width), dtype=np.uint8)
        found.append(Scene(f"p{i}", "val" if i % 3 == 2 else "train", pixels, chosen, labels))
    return found


def _coco(root: Path, scene: Scene, at: int, rng: np.random.Generator, data: list[Scene]) -> str:
    path, what = root / "annotations" / f"instances_{scene.split}2017.json", str(rng.choice(list(COCO)))
    told = json.loads(path.read_text())
    before = [one for one in data if one.split == scene.split]
    COCO[what](told["annotations"][sum(len(one.boxes) for one in before[: before.index(scene)]) + at])
    path.write_text(json.dumps(told))
    return what


def _csv_boxes(root: Path, scene: Scene, at: int, rng: np.random.Generator, data: list[Scene]) -> str:
    path, what = root / "boxes.csv", str(rng.choice(list(CELLS)))
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    line = sum(max(1, len(one.boxes)) for one in data[: data.index(scene)]) + at
    rows[line] |= CELLS[what]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return what


def _voc(root: Path, scene: Scene, at: int, rng: np.random.Generator, data: list[Scene]) -> str:
    path, what = root / "Annotations" / f"{scene.name}.xml", str(rng.choice(list(TAGS)))
    lines = path.read_text().split("\n")
    where = [number for number, line in enumerate(lines) if "<object>" in line][at]
    lines[where] = re.sub(*TAGS[what], lines[where])
    path.write_text("\n".join(lines))
    return what


def _yolo(root: Path, scene: Scene, at: int, rng: np.random.Generator, data: list[Scene]) -> str:
    path, what = root / "labels" / scene.split / f"{scene.name}.txt", str(rng.choice(list(COLUMNS)))
    lines = path.read_text().splitlines()
    lines[at] = " ".join(COLUMNS[what](lines[at].split()))
    path.write_text("\n".join(lines) + "\n")
    return what


_SPOIL = {"coco": _coco, "csv_boxes": _csv_boxes, "voc": _voc, "yolo": _yolo}
_FATAL = {"coco": "the JSON ends early", "csv_boxes": "", "voc": "", "yolo": "a name too few"}


def _rewritten(name: str, change: Callable[[str], str]) -> Callable[[Path], object]:
    return lambda root: (root / name).write_text(change((root / name).read_text()))


_BREAK: dict[str, Callable[[Path], object]] = {
    "coco": _rewritten("annotations/instances_train2017.json", lambda text: text[: len(text) // 2]),
    "yolo": _rewritten("data.yaml", lambda text: text.replace("nc: 3", "nc: 4")),
}


def told(target: Any, classes: tuple[str, ...]) -> Told:
    """An entry's boxes as the ledger holds them."""
    pairs = zip(target.labels, target.boxes.astype(float).round(3).tolist(), strict=True)
    return tuple(sorted((classes[label], tuple(box)) for label, box in pairs))
