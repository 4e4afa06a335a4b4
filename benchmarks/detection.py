"""What the detection benchmarks share: scenes as files, and one judge for every detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

KEPT_FOR_VALIDATION = 10  # one of so many training scenes


def write_scenes(folder: Path, train: int, test: int, side: int) -> Path:
    """The bundled scenes as a folder of PNG files with YOLO's labels, every tenth training scene for validation.

    Both sides read these files, and both choose their best epoch by the same validation scenes; the test scenes are
    read once, at the end.
    """
    from anmok.data.convert import write_data
    from anmok.data.samples.scenes import scenes

    dataset, place = scenes(train, test, side), folder / f"scenes-{train}-{test}-{side}"
    if not place.exists():
        entries = [
            replace(entry, split="val") if entry.split == "train" and number % KEPT_FOR_VALIDATION == 0 else entry
            for number, entry in enumerate(dataset.entries)
        ]
        folder.mkdir(parents=True, exist_ok=True)
        write_data(replace(dataset, entries=entries), place, "yolo")
    return place


def judged(place: Path, answers: Mapping[str, Sequence[Sequence[float]]], split: str = "test") -> dict[str, float]:
    """COCO's figures of answers to the pictures of a split: file name → rows of left, top, right, bottom, score, class.

    By faster-coco-eval, the same for everybody.
    """
    from anmok.data.load import load_data
    from anmok.metrics.coco import coco_figures
    from anmok.metrics.detection import Answer

    dataset = load_data(place)
    truths, found = [], []
    for entry in dataset.split(split):
        rows = np.asarray(answers[Path(entry.id).name], float).reshape(-1, 6)
        truths.append(entry.target)
        found.append(Answer(rows[:, :4], rows[:, 5], rows[:, 4]).best())
    figures = coco_figures(truths, found, dataset.classes).figures
    return {name: round(figures[name], 4) for name in ("map", "map50", "map75", "map_small", "map_medium", "map_large")}
