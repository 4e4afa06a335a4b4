"""Boxes over pictures, with names."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from anmok.core.targets import Objects
from anmok.metrics.detection import Answer
from anmok.tasks.segment.colours import palette

TRUE, RIGHT, WRONG = (64, 160, 255), (60, 200, 90), (240, 70, 60)
LEAST, MOST = 256, 1600  # pixels: smaller pictures are enlarged so that lines and names can be seen


def drawn(
    pixels: np.ndarray, boxes: np.ndarray, words: Sequence[str], colours: Sequence[tuple[int, int, int]]
) -> np.ndarray:
    """A picture uint8 (H, W, C) with named boxes (M, 4) on it: uint8 (h, w, 3)."""
    image = Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).convert("RGB")
    longer = max(image.size)
    scale = LEAST / longer if longer < LEAST else min(1.0, MOST / longer)
    image = image.resize((max(1, round(image.width * scale)), max(1, round(image.height * scale))))
    pen = ImageDraw.Draw(image)
    width = max(2, max(image.size) // 200)
    for box, word, colour in zip(boxes, words, colours, strict=True):
        left, top, right, bottom = (float(value) * scale for value in box)
        pen.rectangle((left, top, max(left + 1, right - 1), max(top + 1, bottom - 1)), outline=colour, width=width)
        if word:
            area = pen.textbbox((left + width, top), word)
            pen.rectangle((left, area[1] - 1, area[2] + width, area[3] + 1), fill=colour)
            pen.text((left + width, top), word, fill=(0, 0, 0))
    return np.asarray(image)


def truth(pixels: np.ndarray, objects: Objects, classes: Sequence[str]) -> np.ndarray:
    """What is there."""
    words = [classes[number] for number in objects.labels.tolist()]
    return drawn(pixels, objects.boxes, words, [TRUE] * len(words))


def tinted(pixels: np.ndarray, objects: np.ndarray) -> np.ndarray:
    """A picture uint8 (H, W, C) with every object, int32 (H, W), half in a colour of its own: uint8 (H, W, 3)."""
    picture = np.broadcast_to(pixels, (*objects.shape, 3))
    colours = palette()[1 + (objects - 1) % (len(palette()) - 2)]  # neither the background's black nor the last grey
    return np.where(objects[..., None] > 0, (picture.astype(np.uint16) + colours) // 2, picture).astype(np.uint8)


def answered(pixels: np.ndarray, answer: Answer, classes: Sequence[str], wrong: set[int] | None = None) -> np.ndarray:
    """What was answered; `wrong`: which of the boxes are mistakes, None where nobody knows."""
    words = [f"{classes[number]} {score:.0%}" for number, score in zip(answer.labels, answer.scores, strict=True)]
    colours = [TRUE if wrong is None else WRONG if k in wrong else RIGHT for k in range(len(words))]
    return drawn(pixels, answer.boxes, words, colours)
