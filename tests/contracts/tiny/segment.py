"""Bright squares on dark ground, outlined in a COCO file."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

SETTINGS = {"task": "segment", "batch": 3}
SIDE = 32


def write(root: Path) -> Path:
    root.mkdir(parents=True)
    generator = np.random.default_rng(0)
    images, annotations = [], []
    for number in range(12):
        pixels = generator.integers(20, 60, (SIDE, SIDE, 3)).astype(np.uint8)
        y, x = (int(place) for place in generator.integers(0, SIDE - 14, 2))
        pixels[y : y + 12, x : x + 12, number % 2] = 220
        Image.fromarray(pixels).save(root / f"{number:02}.png")
        images.append({"id": number + 1, "file_name": f"{number:02}.png", "width": SIDE, "height": SIDE})
        outline = [x, y, x + 12, y, x + 12, y + 12, x, y + 12]
        annotations.append({"id": number + 1, "image_id": number + 1, "category_id": 1 + number % 2, "iscrowd": 0,
                            "segmentation": [outline], "bbox": [x, y, 12, 12], "area": 144})  # fmt: skip
    categories = [{"id": 1, "name": "빨강"}, {"id": 2, "name": "green"}]
    told = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(told), encoding="utf-8")
    return root


def check_answer(answer, size: tuple[int, int]) -> None:
    assert answer.mask.shape == size and answer.mask.dtype == np.uint8
    assert answer.classes == ("background", "빨강", "green") and answer.mask.max() < 3
    shares = [(answer.mask == answer.classes.index(name)).mean() for name in answer.labels]
    assert np.allclose(shares, answer.scores) and list(answer.scores) == sorted(answer.scores, reverse=True)
