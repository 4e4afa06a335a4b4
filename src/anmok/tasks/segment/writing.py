"""Answers as files: class maps, overlays, and objects as COCO run lengths.

predictions/
  masks/a.png        the class of every pixel, as its number, in the picture's own size
  overlays/a.jpg     the same over the picture, to look at
  objects.json       COCO: images, categories, annotations with run lengths
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from anmok.core.files import write_atomic
from anmok.core.types import Prediction
from anmok.report.tables import WRITERS, write_predictions
from anmok.tasks.files import FileNames, save_picture
from anmok.tasks.segment.colours import palette
from anmok.tasks.segment.naming import background_of
from anmok.tasks.segment.objects import objects_in

COCO = ".json"


def wants_overlays(to: Path | None) -> bool:
    """Whether answers are written to a folder, where overlays belong too."""
    return to is not None and to.suffix.lower() not in (COCO, *WRITERS)


def write(to: Path, answers: Iterable[Prediction], top: int) -> None:
    """A table of class shares (.csv, .jsonl, .parquet), objects (.json), or a folder with everything.

    Raises:
        UnwrittenError: a file cannot be written.
    """
    if to.suffix.lower() in WRITERS:
        write_predictions(to, answers, top)
    elif to.suffix.lower() == COCO:
        write_atomic(to, _coco(answers))
    else:
        to.mkdir(parents=True, exist_ok=True)
        write_atomic(to / "objects.json", _coco(_pictured(answers, to)))


def _pictured(answers: Iterable[Prediction], to: Path) -> Iterator[Prediction]:
    """The same answers, each written as a class map and an overlay on the way."""
    names = FileNames()
    for answer in answers:
        if answer.mask is not None:
            name = names(answer.id)
            write_mask(to / "masks" / f"{name}.png", answer.mask)
            if answer.picture is not None:
                save_picture(to / "overlays" / f"{name}.jpg", answer.picture, quality=88)
        yield answer


def write_mask(path: Path, mask: np.ndarray) -> None:
    """A class map (H, W) as a palette PNG: pixel values are class ids, colours are for people."""
    image = Image.fromarray(mask.astype(np.uint8), mode="P")
    image.putpalette(palette().tobytes())
    save_picture(path, image)


def _coco(answers: Iterable[Prediction]) -> Iterator[bytes]:
    """A COCO file, a piece at a time: annotations as they come, then the images they are in and the classes."""
    yield b'{"annotations": ['
    images: list[dict[str, Any]] = []
    classes: tuple[str, ...] = ()
    count = 0
    for answer in answers:
        if answer.mask is None:
            continue
        classes = answer.classes or classes
        background = background_of(classes)
        height, width = answer.mask.shape
        images.append({"id": len(images) + 1, "file_name": answer.id, "height": height, "width": width})
        for found in objects_in(answer.mask, background, answer.objects):
            count += 1
            told = {
                "id": count, "image_id": len(images), "category_id": found.number, "area": found.area,
                "bbox": found.box, "iscrowd": 0,
                "segmentation": {"size": [height, width], "counts": found.region.to_text()},
            }  # fmt: skip
            yield (("" if count == 1 else ",\n") + _json(told)).encode()
    categories = [{"id": k, "name": name} for k, name in enumerate(classes) if k != background_of(classes)]
    yield f'],\n"images": {_json(images)},\n"categories": {_json(categories)}}}\n'.encode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "backslashreplace").decode()
