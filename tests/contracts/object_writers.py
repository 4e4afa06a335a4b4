"""Writers of small data sets of objects in every format, independent of anmok: json, csv, f-strings and Pillow."""

import csv
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Scene:
    """A picture and what is in it: boxes are whole numbers, xyxy, half-open."""

    name: str
    split: str
    pixels: np.ndarray  # uint8 (H, W)
    boxes: tuple[tuple[int, int, int, int], ...]
    labels: tuple[str, ...]


CLASSES = ("cup", "boot", "bag")


def scenes(count: int = 10) -> list[Scene]:
    rng, found = np.random.default_rng(7), []
    for i in range(count):
        height, width = int(rng.integers(20, 50)), int(rng.integers(20, 50))
        boxes = []
        for _ in range(i % 4):
            left, top = int(rng.integers(0, width - 9)), int(rng.integers(0, height - 9))
            boxes.append((left, top, left + int(rng.integers(2, 9)), top + int(rng.integers(2, 9))))
        labels = tuple(str(rng.choice(CLASSES)) for _ in boxes)
        pixels = rng.integers(0, 256, (height, width), dtype=np.uint8)
        found.append(Scene(f"p{i}", "val" if i % 3 == 2 else "train", pixels, tuple(boxes), labels))
    return found


def write_coco(root: Path, data: list[Scene]) -> Path:
    ids = {"cup": 0, "boot": 17, "bag": 90}
    for split in ("train", "val"):
        (root / split).mkdir(parents=True)
        images, annotations = [], []
        for scene in (scene for scene in data if scene.split == split):
            Image.fromarray(scene.pixels).save(root / split / f"{scene.name}.png")
            height, width = scene.pixels.shape
            images.append({"id": 100 + len(images), "file_name": f"{scene.name}.png", "height": height, "width": width})
            for (left, top, right, bottom), label in zip(scene.boxes, scene.labels, strict=True):
                annotations.append(
                    {"id": len(annotations), "image_id": images[-1]["id"], "category_id": ids[label],
                     "bbox": [left, top, right - left, bottom - top], "iscrowd": 0, "segmentation": []}
                )  # fmt: skip
        categories = [{"id": number, "name": name} for name, number in ids.items()]
        (root / "annotations").mkdir(exist_ok=True)
        told = {"info": {}, "images": images, "annotations": annotations, "categories": categories}
        (root / "annotations" / f"instances_{split}2017.json").write_text(json.dumps(told))
    return root


def write_voc(root: Path, data: list[Scene]) -> Path:
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True)
    for scene in data:
        Image.fromarray(scene.pixels).save(root / "JPEGImages" / f"{scene.name}.png")
        height, width = scene.pixels.shape
        objects = "".join(
            f"<object><name>{label}</name><difficult>0</difficult><bndbox><xmin>{x1 + 1}</xmin><ymin>{y1 + 1}</ymin>"
            f"<xmax>{x2}</xmax><ymax>{y2}</ymax></bndbox></object>\n"
            for (x1, y1, x2, y2), label in zip(scene.boxes, scene.labels, strict=True)
        )
        (root / "Annotations" / f"{scene.name}.xml").write_text(
            f"<annotation>\n<filename>{scene.name}.png</filename>\n<size><width>{width}</width>"
            f"<height>{height}</height><depth>1</depth></size>\n{objects}</annotation>\n"
        )
        with (root / "ImageSets" / "Main" / f"{scene.split}.txt").open("a") as file:
            file.write(f"{scene.name}\n")
    return root


def write_yolo(root: Path, data: list[Scene]) -> Path:
    for scene in data:
        for folder in ("images", "labels"):
            (root / folder / scene.split).mkdir(parents=True, exist_ok=True)
        Image.fromarray(scene.pixels).save(root / "images" / scene.split / f"{scene.name}.png")
        height, width = scene.pixels.shape
        lines = [
            f"{CLASSES.index(label)} {(x1 + x2) / 2 / width:.8f} {(y1 + y2) / 2 / height:.8f} "
            f"{(x2 - x1) / width:.8f} {(y2 - y1) / height:.8f}\n"
            for (x1, y1, x2, y2), label in zip(scene.boxes, scene.labels, strict=True)
        ]
        (root / "labels" / scene.split / f"{scene.name}.txt").write_text("".join(lines))
    names = "\n".join(f"  {number}: {name}" for number, name in enumerate(CLASSES))
    (root / "data.yaml").write_text(f"train: ../images/train\nval: ../images/val\nnc: 3\nnames:\n{names}\n")
    return root


def write_csv_boxes(root: Path, data: list[Scene]) -> Path:
    (root / "images").mkdir(parents=True)
    with (root / "boxes.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["filename", "width", "height", "class", "xmin", "ymin", "xmax", "ymax", "split"])
        for scene in data:
            Image.fromarray(scene.pixels).save(root / "images" / f"{scene.name}.png")
            height, width = scene.pixels.shape
            rows = list(zip(scene.labels, scene.boxes, strict=True)) or [("", ("",) * 4)]
            for label, box in rows:
                writer.writerow([f"{scene.name}.png", width, height, label, *box, scene.split])
    return root


OBJECT_WRITERS = {"coco": write_coco, "csv_boxes": write_csv_boxes, "voc": write_voc, "yolo": write_yolo}
