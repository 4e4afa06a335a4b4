"""Answers for pictures that nobody annotated, and as files.

predictions/
  overlays/a.jpg     the boxes over the picture
  boxes.csv          one row a box: picture, class, score, left, top, right, bottom
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from anmok.core.pictures import Decoded
from anmok.core.types import Pictures, Prediction
from anmok.report.box_tables import write_boxes
from anmok.ship.answers.detect import owners
from anmok.tasks.answering import answered, stacked
from anmok.tasks.detect.drawing import TRUE, drawn, tinted
from anmok.tasks.detect.learning import Detect
from anmok.tasks.detect.measuring import original, placed, prediction
from anmok.tasks.files import FileNames, save_picture


def answers(
    model: Detect, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], batch: int,
    threshold: float | None = None,
) -> Iterator[Prediction]:  # fmt: skip
    """One prediction a picture, in order: its boxes in the original's pixels."""
    model.network.eval()
    least = model.threshold if threshold is None else threshold

    def ask(names: Sequence[str], pictures: Sequence[Decoded]) -> Iterator[Prediction]:
        for name, picture, one in zip(names, pictures, model.found(stacked(pictures), least), strict=True):
            told = prediction(name, original(model, one, picture.original_size).best(), model.classes, least)
            if "masks" in one:
                masks = one["masks"].numpy()[placed(model, one, picture.original_size)[1]]
                told = replace(told, objects=owners(masks, model.preparation, picture.original_size))
            yield told

    return answered(ask, model.preparation, pictures, locators, names, batch)


def overlay(pixels: np.ndarray, answer: Prediction) -> np.ndarray:
    """The boxes over the picture, and the objects where they have outlines; see `anmok.tasks._kind.Overlaid`."""
    assert answer.labels is not None and answer.scores is not None
    words = [f"{label} {score:.0%}" for label, score in zip(answer.labels, answer.scores, strict=True)]
    seen = pixels if answer.objects is None else tinted(pixels, answer.objects)
    return drawn(seen, answer.boxes, words, [TRUE] * len(words))


def wants_overlays(to: Path | None) -> bool:
    """Whether answers are written to a folder, where overlays belong too."""
    return to is not None and not to.suffix


def write(to: Path, found: Iterable[Prediction]) -> None:
    """A file of boxes (`anmok.report.box_tables`), or a folder with the boxes drawn and `boxes.csv`.

    Raises:
        UsageError: the file's ending names no format.
        UnwrittenError: a file cannot be written.
    """
    if not wants_overlays(to):
        write_boxes(to, found)
        return
    to.mkdir(parents=True, exist_ok=True)
    write_boxes(to / "boxes.csv", _pictured(found, to))


def _pictured(found: Iterable[Prediction], to: Path) -> Iterator[Prediction]:
    names = FileNames()
    for one in found:
        if one.picture is not None:
            save_picture(to / "overlays" / f"{names(one.id)}.jpg", one.picture, quality=88)
        yield one
