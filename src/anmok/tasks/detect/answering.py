"""Answers for pictures that nobody annotated, and as files.

predictions/
  overlays/a.jpg     the boxes over the picture
  boxes.csv          one row a box: picture, class, score, left, top, right, bottom
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from anmok.core.errors import PictureError
from anmok.core.files import write_text
from anmok.core.preparation import centre_crop, fit_picture
from anmok.core.types import Pictures, Prediction
from anmok.data.decoding import decode_many
from anmok.metrics.detection import Answer
from anmok.report.tables import WRITERS, write_predictions
from anmok.tasks.detect.drawing import answered
from anmok.tasks.detect.learning import Detect
from anmok.tasks.detect.measuring import original, prediction
from anmok.tasks.files import FileNames, save_picture

COCO = ".json"


def answers(
    model: Detect, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], batch: int,
    threshold: float | None = None, overlays: bool = False,
) -> Iterator[Prediction]:  # fmt: skip
    """One prediction a picture, in order: its boxes in the original's pixels; `overlays`: drawn over it too."""
    model.network.eval()
    least = model.threshold if threshold is None else threshold
    decoded = iter(decode_many(pictures, locators, None))
    while chunk := list(islice(decoded, batch)):
        good = [one.pixels for one in chunk if isinstance(one.pixels, np.ndarray)]
        found = iter(_asked(model, good, least)) if good else iter(())
        for one in chunk:
            name = names[one.position]
            if isinstance(one.pixels, PictureError):
                error = one.pixels
                yield Prediction(name, error=f"{error.what}; try: {error.fix}" if error.fix else error.what)
                continue
            answer = next(found)
            told = prediction(name, answer, model.classes, least)
            yield replace(told, picture=answered(one.pixels, answer, model.classes)) if overlays else told


def _asked(model: Detect, pictures: Sequence[np.ndarray], least: float) -> Iterator[Answer]:
    preparation = model.preparation
    fitted = [centre_crop(fit_picture(pixels, preparation)[None], preparation.size)[0] for pixels in pictures]
    batch = torch.from_numpy(np.stack(fitted)).permute(0, 3, 1, 2)
    for one, pixels in zip(model.found(batch, least), pictures, strict=True):
        yield original(model, one, (pixels.shape[0], pixels.shape[1])).best()


def wants_overlays(to: Path | None) -> bool:
    """Whether answers are written to a folder, where overlays belong too."""
    return to is not None and to.suffix.lower() not in (COCO, *WRITERS)


def write(to: Path, found: Iterable[Prediction], top: int) -> None:
    """A table with a row a box (.csv), COCO's results (.json), one line a picture (.jsonl, .parquet), or a folder.

    Raises:
        UnwrittenError: a file cannot be written.
    """
    kind = to.suffix.lower()
    if kind == ".csv":
        write_text(to, _table(found))
    elif kind == COCO:
        write_text(to, json.dumps(list(_results(found)), ensure_ascii=False))
    elif kind in WRITERS:
        write_predictions(to, found, top)
    else:
        to.mkdir(parents=True, exist_ok=True)
        write_text(to / "boxes.csv", _table(_pictured(found, to)))


def _pictured(found: Iterable[Prediction], to: Path) -> Iterator[Prediction]:
    names = FileNames()
    for one in found:
        if one.picture is not None:
            save_picture(to / "overlays" / f"{names(one.id)}.jpg", one.picture, quality=88)
        yield one


def _table(found: Iterable[Prediction]) -> str:
    told = io.StringIO()
    writer = csv.writer(told, lineterminator="\n")
    writer.writerow(["picture", "class", "score", "left", "top", "right", "bottom", "error"])
    for one in found:
        if one.error is not None:
            writer.writerow([one.id, *[""] * 6, one.error])
        for name, score, box in _boxes(one):
            writer.writerow([one.id, name, f"{score:.4f}", *(f"{value:.1f}" for value in box), ""])
    return told.getvalue()


def _results(found: Iterable[Prediction]) -> Iterator[dict[str, Any]]:
    for one in found:
        for name, score, (left, top, right, bottom) in _boxes(one):
            yield {"image": one.id, "category": name, "score": round(score, 5),
                   "bbox": [round(value, 2) for value in (left, top, right - left, bottom - top)]}  # fmt: skip


def _boxes(one: Prediction) -> Iterator[tuple[str, float, list[float]]]:
    if one.boxes is not None and one.labels is not None and one.scores is not None:
        yield from zip(one.labels, one.scores, np.asarray(one.boxes).tolist(), strict=True)
