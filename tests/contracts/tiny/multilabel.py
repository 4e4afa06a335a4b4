"""Squares of three colours, none to three in a picture, told by a table with a column for each."""

import csv
from pathlib import Path

import numpy as np
from PIL import Image

COLOURS = {"파랑": (30, 60, 220), "green": (40, 200, 60), "red": (220, 40, 30)}
SETTINGS = {"imgsz": 16, "batch": 6}


def write(root: Path) -> Path:
    root.mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = [["file", *COLOURS]]
    for number in range(32):
        pixels = rng.integers(90, 130, (24, 24, 3), dtype=np.uint8)
        shown = [bool(number >> place & 1) for place in range(3)]
        for place, (there, colour) in enumerate(zip(shown, COLOURS.values(), strict=True)):
            if there:
                top = int(rng.integers(0, 16))
                pixels[top : top + 8, 8 * place : 8 * place + 8] = colour
        Image.fromarray(pixels).save(root / f"{number}.png")
        rows.append([f"{number}.png", *map(int, shown)])
    with (root / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    return root


def check_answer(answer, size: tuple[int, int]) -> None:
    assert set(answer.labels) == set(COLOURS) and set(answer.found) <= set(COLOURS)
    assert list(answer.scores) == sorted(answer.scores, reverse=True) and 0 <= min(answer.scores) <= 1
