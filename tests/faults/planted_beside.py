"""Faults to plant into pictures with boxes, masks, partners, and into archives: what each is told by."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.contracts.object_writers import OBJECT_WRITERS, Scene
from tests.faults import beside
from tests.faults.ledger import encoded, write

Plant = Callable[[Path], object]
TORN = b"\x89PNG\r\n\x1a\n"


def clean(kind: str, root: Path) -> Path:
    """Twelve pictures of soft shapes, none like another, with what belongs to them."""
    rng = np.random.default_rng(3)
    if kind in OBJECT_WRITERS:
        return OBJECT_WRITERS[kind](root, [_scene(i, rng) for i in range(12)])
    folders = {"masks": ("images", "masks"), "pairs": ("A", "B"), "unpaired": ("trainA", "trainB")}[kind]
    for i in range(12):
        first, second = _soft(rng), _soft(rng)
        if kind == "masks":
            second = rng.integers(0, 3, (4, 6), dtype=np.uint8).repeat(8, 0).repeat(8, 1)
        for folder, pixels in zip(folders, (first, second), strict=True):
            write(root / folder / f"{i}.png", encoded(pixels))
    return root


def _soft(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 256, (4, 6, 3), dtype=np.uint8).repeat(8, 0).repeat(8, 1)


def _scene(i: int, rng: np.random.Generator) -> Scene:
    boxes = ((2, 2, 14, 14), (20, 10, 40, 30))
    labels = (("cup", "boot"), ("boot", "bag"), ("bag", "cup"))[i % 3]
    return Scene(f"p{i}", "val" if i % 4 == 3 else "train", _soft(rng)[..., 0], boxes, labels)


def _text(name: str, old: str, new: str) -> Plant:
    def plant(root: Path) -> None:
        content = (root / name).read_text()
        assert old in content
        (root / name).write_text(content.replace(old, new, 1))

    return plant


def _coco(change: Callable[[dict[str, Any]], object]) -> Plant:
    def plant(root: Path) -> None:
        path = root / "annotations" / "instances_train2017.json"
        told = json.loads(path.read_text())
        change(told)
        path.write_text(json.dumps(told))

    return plant


def _zipped(name: str) -> Plant:
    def plant(root: Path) -> None:
        with zipfile.ZipFile(root / "data.zip", "w") as archive:
            archive.writestr(name, b"x")

    return plant


_TRAIN = "annotations/instances_train2017.json"
_FIRST = "<xmin>3</xmin>"
FAULTS: list[tuple[str, str, Plant, str]] = [  # reader, fault, how it is planted, what must be told
    ("coco", "a box inside out", _coco(lambda t: t["annotations"][1].update(bbox=[9, 9, -3, 4])), "negative width"),
    ("coco", "a box outside", _coco(lambda t: t["annotations"][1].update(bbox=[400, 9, 3, 4])), "outside"),
    ("coco", "no such category", _coco(lambda t: t["annotations"][1].update(category_id=5)), "not in categories"),
    ("coco", "an id twice", _coco(lambda t: t["annotations"][1].update(id=t["annotations"][0]["id"])), "the id"),
    ("coco", "a missing picture", lambda r: (r / "train/p0.png").unlink(), "p0.png"),
    ("coco", "a file that ends early", lambda r: (r / _TRAIN).write_text((r / _TRAIN).read_text()[:900]), _TRAIN),
    ("csv_boxes", "a blank label", _text("boxes.csv", ",boot,", ",,"), '"line": 3'),
    ("csv_boxes", "a word for a side", _text("boxes.csv", "boot,20,", "boot,left,"), '"line": 3'),
    ("csv_boxes", "a box outside", _text("boxes.csv", "boot,20,10,40,", "boot,200,10,240,"), "outside"),
    ("voc", "a word for a side", _text("Annotations/p0.xml", _FIRST, "<xmin>left</xmin>"), "p0.xml"),
    ("voc", "a box without a name", _text("Annotations/p1.xml", "<name>boot</name>", ""), "p1.xml"),
    ("voc", "a picture too few", lambda r: (r / "JPEGImages/p0.png").unlink(), "p0"),
    ("voc", "an entity bomb", _text("Annotations/p2.xml", "<annotation>",
     '<!DOCTYPE a [<!ENTITY b "cc"><!ENTITY d "&b;&b;">]><annotation>'), "p2.xml"),
    ("yolo", "a class too many", _text("labels/train/p0.txt", "0 ", "7 "), "p0.txt"),
    ("yolo", "pixels for shares", _text("labels/train/p0.txt", "0 0.", "0 40."), "p0.txt"),
    ("yolo", "a name too few", _text("data.yaml", "nc: 3", "nc: 4"), "data.yaml"),
    ("yolo", "a text without its picture", lambda r: (r / "images/train/p0.png").unlink(), "p0.txt"),
    ("masks", "a torn mask", lambda r: (r / "masks/1.png").write_bytes(TORN), "1.png"),
    ("masks", "a mask too few", lambda r: (r / "masks/2.png").unlink(), "images/2.png"),
    ("masks", "a mask of another size", lambda r: write(r / "masks/3.png", encoded(np.zeros((8, 8), np.uint8))),
     "3.png"),
    ("pairs", "a picture without a partner", lambda r: (r / "B/2.png").unlink(), "A/2.png"),
    ("pairs", "a torn partner", lambda r: (r / "B/3.png").write_bytes(TORN), "3.png"),
    ("unpaired", "a torn picture", lambda r: (r / "trainB/1.png").write_bytes(TORN), "trainB/1.png"),
    ("unpaired", "an HTML page", lambda r: (r / "trainA/1.png").write_bytes(b"<html></html>"), "HTML"),
    ("masks", "an archive that leaves its folder", _zipped("../escape.png"), "data.zip"),
    ("masks", "an archive of an absolute path", _zipped("/etc/escape.png"), "data.zip"),
]  # fmt: skip

READERS = (*OBJECT_WRITERS, *beside.KINDS)
