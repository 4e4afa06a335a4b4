"""Bright squares on dark ground, boxed in a COCO file."""

import json
from pathlib import Path

import numpy as np

from tests.contracts.tiny import segment

SETTINGS = {"task": "detect", "batch": 3}


def write(root: Path) -> Path:
    segment.write(root)
    path = root / "annotations.json"
    told = json.loads(path.read_text(encoding="utf-8"))
    for annotation in told["annotations"]:
        del annotation["segmentation"]
    path.write_text(json.dumps(told), encoding="utf-8")
    return root


def check_answer(answer, size: tuple[int, int]) -> None:
    height, width = size
    boxes = np.asarray(answer.boxes)
    assert boxes.shape == (len(answer.labels), 4) and len(answer.labels) == len(answer.scores)
    assert set(answer.labels) <= {"빨강", "green"}
    assert list(answer.scores) == sorted(answer.scores, reverse=True)
    if len(boxes):
        assert boxes.min() >= 0 and boxes[:, [0, 2]].max() <= width and boxes[:, [1, 3]].max() <= height
        assert (boxes[:, 2:] > boxes[:, :2]).all()
