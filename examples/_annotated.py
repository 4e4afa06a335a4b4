"""Photographs with outlines (`annotations/`) as folders of crops and class maps, for the chapters that segment."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

ANNOTATIONS = Path(__file__).parent / "annotations"
SMOOTH = 4  # outlines are drawn so many times larger, so that a pixel's class is decided by its middle

# Upper left corners (top, left) and sides (height, width) of crops. No coin or nucleus of a test crop lies in a
# training crop; training crops overlap each other.
CROPS: dict[str, dict[str, Any]] = {
    "coins": {
        "train": [(5, 0), (5, 148), (75, 75), (150, 0), (150, 148), (205, 75), (75, 0), (5, 75), (205, 0), (75, 148)],
        "size": (96, 96),
        "test": [(0, 244), (101, 244), (202, 244)],
        "test size": (101, 140),
    },
    "cells": {
        "train": [(235, 150), (240, 290), (380, 165), (205, 95), (310, 335), (300, 160), (225, 220), (425, 165),
                  (340, 165), (190, 250)],
        "size": (80, 80),
        "test": [(0, 432), (80, 432), (160, 432), (240, 432), (320, 432), (400, 432)],
        "test size": (80, 80),
    },
}  # fmt: skip


def write_annotated(folder: Path, name: str, train: int = 10) -> Path:
    """`train` annotated crops of "coins" or "cells", and the test crops, as `folder/{train,test}/{images,masks}`."""
    pixels, mask = annotated(name)
    crops = CROPS[name]
    parts = {"train": (crops["train"][:train], crops["size"]), "test": (crops["test"], crops["test size"])}
    for split, (corners, (height, width)) in parts.items():
        for kind, whole in (("images", pixels), ("masks", mask)):
            place = folder / split / kind
            place.mkdir(parents=True, exist_ok=True)
            for number, (top, left) in enumerate(corners):
                Image.fromarray(whole[top : top + height, left : left + width]).save(place / f"{number:02}.png")
    return folder


def annotated(name: str) -> tuple[np.ndarray, np.ndarray]:
    """The photograph, uint8 (H, W) or (H, W, 3), and its class map uint8 (H, W): 255 on what is outlined, else 0."""
    try:
        from skimage import data
    except ModuleNotFoundError:
        raise SystemExit("the photographs are scikit-image's: pip install scikit-image") from None
    told = json.loads((ANNOTATIONS / f"{name}.json").read_text(encoding="utf-8"))
    pixels = getattr(data, told["picture"])()
    height, width = pixels.shape[:2]
    drawn = Image.new("L", (width * SMOOTH, height * SMOOTH))
    for outline in told["outlines"]:
        ImageDraw.Draw(drawn).polygon([(x * SMOOTH, y * SMOOTH) for x, y in outline], fill=255)
    middle = SMOOTH // 2
    return pixels, np.asarray(drawn)[middle::SMOOTH, middle::SMOOTH].copy()
