"""Photographs of three classes, 16 pixels a side as the network sees them."""

from pathlib import Path

from tests.verbs.photographs import write_photographs

SETTINGS = {"imgsz": 16, "batch": 6}


def write(root: Path) -> Path:
    return write_photographs(root, each=10, side=24)


def check_answer(answer, size: tuple[int, int]) -> None:
    assert set(answer.labels) == {"cat", "rocket", "커피"} and abs(sum(answer.scores) - 1) < 1e-5
