"""Photographs of two classes, 16 pixels a side as the network draws them."""

from pathlib import Path

from tests.verbs.photographs import write_photographs

SETTINGS = {"imgsz": 16, "batch": 6, "task": "generate"}


def write(root: Path) -> Path:
    return write_photographs(root, each=10, side=24)


def check_answer(answer, size: tuple[int, int]) -> None:
    assert answer.picture.shape == (*size, 3) and answer.picture.dtype == "uint8"
    assert answer.labels is not None and answer.labels[0] in {"cat", "rocket", "커피"}
    assert 0 <= answer.scores[0] <= 1  # how much of the picture the nearest drawn one explains
