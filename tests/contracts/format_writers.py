"""Writers of small data sets in every format, independent of the readers: struct, gzip, csv and Pillow."""

import csv
import gzip
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


@dataclass(frozen=True)
class Item:
    pixels: np.ndarray  # uint8 (H, W)
    label: str
    split: str | None


def items(splits: bool, count: int = 12, side: int = 8) -> list[Item]:
    rng = np.random.default_rng(5)
    parts = ("train", "train", "test") if splits else (None,)
    return [
        Item(rng.integers(0, 256, (side, side), dtype=np.uint8), str(i % 3), parts[i // 3 % len(parts)])
        for i in range(count)
    ]


def write_class_folders(root: Path, data: list[Item]) -> Path:
    for i, item in enumerate(data):
        folder = root / (item.split or "") / item.label
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(item.pixels).save(folder / f"{i}.png")
    return root


def write_csv(root: Path, data: list[Item]) -> Path:
    (root / "images").mkdir(parents=True)
    with (root / "labels.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["picture", "kind", "split"])
        for i, item in enumerate(data):
            Image.fromarray(item.pixels).save(root / "images" / f"{i}.png")
            writer.writerow([f"images/{i}.png", item.label, item.split or ""])
    return root


def write_csv_pixels(root: Path, data: list[Item]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    parts = {item.split for item in data}
    for part in parts:
        with (root / f"{part or 'data'}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["label", *(f"pixel{i}" for i in range(data[0].pixels.size))])
            writer.writerows([item.label, *item.pixels.ravel()] for item in data if item.split == part)
    return root


def write_idx(root: Path, data: list[Item]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for part, name in (("train", "train"), ("test", "t10k"), (None, "all")):
        chosen = [item for item in data if item.split == part]
        if chosen:
            height, width = chosen[0].pixels.shape
            pictures = struct.pack(">4i", 0x803, len(chosen), height, width) + b"".join(
                item.pixels.tobytes() for item in chosen
            )
            labels = struct.pack(">2i", 0x801, len(chosen)) + bytes(int(item.label) for item in chosen)
            (root / f"{name}-images-idx3-ubyte.gz").write_bytes(gzip.compress(pictures))
            (root / f"{name}-labels-idx1-ubyte").write_bytes(labels)
    return root


def write_flat_folder(root: Path, data: list[Item]) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for i, item in enumerate(data):
        Image.fromarray(item.pixels).save(root / f"{i}.png")
    return root


WRITERS = {
    "class_folders": write_class_folders,
    "csv": write_csv,
    "csv_pixels": write_csv_pixels,
    "flat_folder": write_flat_folder,
    "idx": write_idx,
}
UNLABELLED = {"flat_folder"}
