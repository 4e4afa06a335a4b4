"""Answers for pictures that nobody annotated, and as files.

predictions/
  overlays/a.jpg     the boxes over the picture
  boxes.csv          one row a box: picture, class, score, left, top, right, bottom
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from anmok.core.errors import PictureError
from anmok.core.pictures import Decoded
from anmok.core.seen import Seen
from anmok.core.types import Pictures, Prediction
from anmok.data.decoding import DecodingPool
from anmok.metrics.detection import Answer
from anmok.report.box_tables import write_boxes
from anmok.tasks.detect.drawing import answered
from anmok.tasks.detect.learning import Detect
from anmok.tasks.detect.measuring import original, prediction
from anmok.tasks.files import FileNames, save_picture


def answers(
    model: Detect, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], batch: int,
    threshold: float | None = None, overlays: bool = False,
) -> Iterator[Prediction]:  # fmt: skip
    """One prediction a picture, in order: its boxes in the original's pixels; `overlays`: drawn over it too."""
    model.network.eval()
    least = model.threshold if threshold is None else threshold
    with DecodingPool(pictures, Seen(model.preparation)) as pool:
        decoded = zip(locators, names, pool.map(locators), strict=True)
        while chunk := list(islice(decoded, batch)):
            good = [one for _, _, one in chunk if isinstance(one, Decoded)]
            found = iter(_asked(model, good, least)) if good else iter(())
            for locator, name, one in chunk:
                if isinstance(one, PictureError):
                    yield Prediction(name, error=one.brief)
                    continue
                answer = next(found)
                told = prediction(name, answer, model.classes, least)
                if overlays:
                    told = replace(told, picture=answered(pictures.read(locator), answer, model.classes))
                yield told


def _asked(model: Detect, pictures: Sequence[Decoded], least: float) -> Iterator[Answer]:
    batch = torch.from_numpy(np.stack([one.pixels for one in pictures])).permute(0, 3, 1, 2)
    for one, picture in zip(model.found(batch, least), pictures, strict=True):
        yield original(model, one, picture.original_size).best()


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
