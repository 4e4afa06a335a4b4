"""Legal oddities of pictures with boxes, masks or partners, and of archives: all are used with what belongs to them."""

from __future__ import annotations

import json
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests.contracts.object_writers import OBJECT_WRITERS, Scene, scenes
from tests.contracts.test_formats import count_files
from tests.faults.judge import judge
from tests.faults.ledger import Ledger, Told, encoded, write
from tests.faults.objects import FOLDERS

Write = Callable[[Path], Ledger]
SIZE = (24, 36)


def _boxes(scene: Scene) -> Told:
    return tuple(sorted((label, tuple(map(float, box))) for label, box in zip(scene.labels, scene.boxes, strict=True)))


def _objects(kind: str, change: Callable[[Path], object]) -> Write:
    def build(root: Path) -> Ledger:
        data = scenes()
        OBJECT_WRITERS[kind](root, data)
        change(root)
        ledger = Ledger(kind, spoilt_rows=0)
        for scene in data:
            place = FOLDERS[kind].format(split=scene.split)
            ledger.good[f"{place}/{scene.name}.png"] = (_boxes(scene), scene.pixels)
        ledger.files = count_files(root)
        return ledger

    return build


def _coco(change: Callable[[dict[str, Any]], object]) -> Write:
    def both(root: Path) -> None:
        for path in (root / "annotations").iterdir():
            told = json.loads(path.read_text())
            change(told)
            path.write_text(json.dumps(told))

    return _objects("coco", both)


def _each(told: dict[str, Any], part: str, change: Callable[[dict[str, Any]], object]) -> None:
    for row in told[part]:
        change(row)


def _text(pattern: str, change: Callable[[str], str], encoding: str = "utf-8") -> Callable[[Path], None]:
    def every(root: Path) -> None:
        for path in sorted(root.glob(pattern)):
            path.write_bytes(change(path.read_text()).encode(encoding))

    return every


def _masks(code: Callable[[np.ndarray], np.ndarray | Image.Image], names: int = 4, suffix: str = "png") -> Write:
    """Six pictures with maps of numbers below `names`, written in some way that means these numbers."""

    def build(root: Path) -> Ledger:
        ledger = Ledger("masks")
        for i in range(6):
            rng = np.random.default_rng(i)
            pixels = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
            shown = rng.integers(0, names, (6, 9), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
            write(root / "images" / f"{i}.png", encoded(pixels))
            write(root / "masks" / f"{i}.{suffix}", encoded(code(shown), "TIFF" if suffix == "tif" else "PNG"))
            ledger.good[f"images/{i}.png"] = (shown, pixels)
        ledger.files = count_files(root)
        return ledger

    return build


def _partners(kind: str, first: str, second: str, seconds: int = 5) -> Write:
    def build(root: Path) -> Ledger:
        ledger = Ledger(kind)
        for i in range(5):
            for name in (first, second)[: 1 + (i < seconds)]:
                pixels = np.random.default_rng([i, len(name), ord(name[-1])]).integers(0, 256, (*SIZE, 3), np.uint8)
                path = name.format(i)
                write(root / path, encoded(pixels))
                if kind == "unpaired" or name == first:
                    ledger.good[path] = (None, pixels)
        ledger.files = count_files(root)
        return ledger

    return build


def _archive(name: str, kind: str, around: str = "", junk: bool = False) -> Write:
    """The data set of `kind` in an archive, perhaps inside a folder and among what systems leave behind."""

    def build(root: Path) -> Ledger:
        inner = root / "inner"
        ledger = _objects(kind, lambda _: None)(inner) if kind in OBJECT_WRITERS else _masks(lambda m: m)(inner)
        files = {f"{around}{file.relative_to(inner).as_posix()}": file.read_bytes()
                 for file in sorted(inner.rglob("*")) if file.is_file()}  # fmt: skip
        if junk:
            files |= {"__MACOSX/._x.png": b"\0\5\x16\7", ".DS_Store": b"x"}
        ledger.path = root / name
        if name.endswith(".zip"):
            with zipfile.ZipFile(ledger.path, "w", zipfile.ZIP_DEFLATED) as archive:
                for path, content in files.items():
                    archive.writestr(path, content)
        else:
            with tarfile.open(ledger.path, "w:" + name.rpartition(".")[2].replace("tar", "")) as archive:
                for file in sorted(inner.rglob("*")):
                    if file.is_file():
                        archive.add(file, around + file.relative_to(inner).as_posix())
        ledger.good = {f"{around}{key}": value for key, value in ledger.good.items()}
        ledger.files = None
        return ledger

    return build


def _ids_as_text(told: dict[str, Any]) -> None:
    _each(told, "images", lambda row: row.update(id=str(row["id"])))
    _each(told, "annotations", lambda row: row.update(image_id=str(row["image_id"])))


def _more_fields(told: dict[str, Any]) -> None:
    _each(told, "annotations", lambda row: row.update(score=1, keypoints=[]))
    told |= {"licenses": [], "extra": {"a": [1, {"b": None}]}}


def _no_sizes(told: dict[str, Any]) -> None:
    _each(told, "images", lambda row: [row.pop("width"), row.pop("height")])


def _from_windows(told: dict[str, Any]) -> None:
    _each(told, "images", lambda row: row.update(file_name=f"some\\where\\{row['file_name']}"))


def _without_empty_texts(root: Path) -> None:
    for path in root.glob("labels/*/*.txt"):
        if not path.read_text():
            path.unlink()


_SHORT = "train: images/train\nval: images/val\nnames: [cup, boot, bag]\n"
_COLUMNS = ("filename,width,height,class,xmin,ymin,xmax,ymax", "image,width,height,label,x1,y1,x2,y2")


def oddities() -> Iterator[tuple[str, Write]]:
    """What, and how it is written."""
    yield "COCO: ids as text", _coco(_ids_as_text)
    yield "COCO: more fields", _coco(_more_fields)
    yield "COCO: no sizes told", _coco(_no_sizes)
    yield "COCO: folders in names", _coco(_from_windows)
    yield "COCO: a mark before the text", _objects("coco", _text("annotations/*.json", lambda s: s, "utf-8-sig"))
    texts = "Annotations/*.xml"
    yield "VOC: decimals", _objects("voc", _text(texts, lambda s: s.replace("</xmin>", ".0</xmin>")))
    yield "VOC: other line ends", _objects("voc", _text(texts, lambda s: s.replace("\n", "\r\n")))
    yield "VOC: a declaration", _objects("voc", _text(texts, lambda s: '<?xml version="1.0"?>\n' + s))
    texts = "labels/*/*.txt"
    yield "YOLO: other line ends", _objects("yolo", _text(texts, lambda s: s.replace("\n", "\r\n")))
    yield "YOLO: blank lines and spaces", _objects("yolo", _text(texts, lambda s: s.replace(" ", "  ") + "\n\n"))
    yield "YOLO: names in a list", _objects("yolo", _text("data.yaml", lambda s: _SHORT))
    yield "YOLO: no text where nothing is shown", _objects("yolo", _without_empty_texts)
    yield "CSV: semicolons", _objects("csv_boxes", _text("boxes.csv", lambda s: s.replace(",", ";")))
    yield "CSV: a mark before the text", _objects("csv_boxes", _text("boxes.csv", lambda s: s, "utf-8-sig"))
    yield "CSV: other names of columns", _objects("csv_boxes", _text("boxes.csv", lambda s: s.replace(*_COLUMNS)))
    yield "masks of 16 bits", _masks(lambda m: m.astype(np.uint16))
    yield "masks in TIFF", _masks(lambda m: m, suffix="tif")
    yield "masks of equal colours", _masks(lambda m: m[..., None].repeat(3, 2))
    yield "masks with a palette", _masks(_with_palette)
    yield "pairs inside a split", _partners("pairs", "train/A/{}.png", "train/B/{}.png")
    yield "pairs by their ends", _partners("pairs", "input/{}_a.png", "target/{}_b.png")
    yield "domains of unlike size", _partners("unpaired", "trainA/{}.png", "trainB/x{}.png", 2)
    yield "a zip of masks", _archive("data.zip", "masks")
    yield "a zip from a Mac, a folder around", _archive("data.zip", "coco", "my data/", junk=True)
    yield "a tar of VOC", _archive("data.tar", "voc")
    yield "a packed tar of YOLO", _archive("data.tar.gz", "yolo", "set/")
    yield "an xz of CSV", _archive("data.tar.xz", "csv_boxes")


def _with_palette(shown: np.ndarray) -> Image.Image:
    image = Image.frombytes("P", shown.shape[::-1], shown.tobytes())
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
    return image


def run(folder: Path) -> tuple[int, list[str]]:
    """(oddities, complaints): each in a folder of its own; nothing may be set aside."""
    complaints, count = [], 0
    for count, (what, build) in enumerate(oddities(), 1):
        root = folder / f"beside{count}"
        ledger = build(root)
        found, outcome, _ = judge(root, ledger)
        complaints += [f"{what}: {line}" for line in found]
        complaints += [] if outcome == "used" else [f"{what}: {outcome}"]
    return count, complaints
