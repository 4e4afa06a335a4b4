"""Answered boxes as tables: for the eye, and as CSV, JSON lines, COCO's results and Parquet for other programs.

CSV and Parquet hold one row a box: `picture`, `class`, `score`, `left`, `top`, `right`, `bottom` in pixels of the
original picture, and `error`; a picture that could not be read has one row with nothing but its error, one in which
nothing was found has none. JSON lines hold one object a picture. Files are written as answers arrive, whole or not at
all (`anmok.report.tables`).
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import UsageError
from anmok.core.files import whole_file
from anmok.core.types import Prediction
from anmok.report.tables import encodable, save_parquet

SIDES = ("left", "top", "right", "bottom")
COLUMNS = ("picture", "class", "score", *SIDES, "error")
_NAMED = 8  # classes told in a line of the terminal


def boxes_of(one: Prediction) -> list[tuple[str, float, list[float]]]:
    """Class, score and (left, top, right, bottom) of each box, as they stand in the answer: the surest first."""
    if one.boxes is None or one.labels is None or one.scores is None:
        return []
    boxes = np.asarray(one.boxes, np.float64).round(2).tolist()
    return list(zip(one.labels, (round(score, 4) for score in one.scores), boxes, strict=True))


def box_rows(predictions: Iterable[Prediction]) -> Iterator[dict[str, Any]]:
    """One row a box with every one of `COLUMNS`; what is not known is None."""
    for one in predictions:
        if one.error is not None:
            yield dict.fromkeys(COLUMNS) | {"picture": one.id, "error": one.error}
        for name, score, box in boxes_of(one):
            row = {"picture": one.id, "class": name, "score": score}
            yield row | dict(zip(SIDES, box, strict=True)) | {"error": None}


def picture_rows(predictions: Iterable[Prediction]) -> Iterator[dict[str, Any]]:
    """One row a picture: `id`, `boxes` (each with `class`, `score` and `box`, xyxy in pixels), `error`.

    >>> one = Prediction("a.jpg", ("cat",), (0.9,), boxes=np.array([[1.0, 2, 30, 40]]))
    >>> next(picture_rows([one]))["boxes"]
    [{'class': 'cat', 'score': 0.9, 'box': [1.0, 2.0, 30.0, 40.0]}]
    """
    for one in predictions:
        boxes = [{"class": name, "score": score, "box": box} for name, score, box in boxes_of(one)]
        yield {"id": one.id, "boxes": boxes, "error": one.error}


HEADING = ("picture", "objects", "what")


def terminal_rows(predictions: Iterable[Prediction], top: int = 1) -> Iterator[list[str]]:
    """A row a picture: how many objects of which class; with `top` above 1, a row for each of its surest boxes too.

    >>> one = Prediction("a.jpg", ("cat", "dog", "cat"), (0.9, 0.8, 0.5), boxes=np.zeros((3, 4)))
    >>> list(terminal_rows([one, Prediction("b.jpg", error="is empty")]))
    [['a.jpg', '3', '2 cat, 1 dog'], ['b.jpg', '', 'is empty']]
    """
    for one in predictions:
        if one.error is not None:
            yield [one.id, "", one.error]
            continue
        told = Counter(one.labels or ()).most_common()
        more = f" and {len(told) - _NAMED} classes more" if len(told) > _NAMED else ""
        words = ", ".join(f"{count:,} {name}" for name, count in told[:_NAMED]) + more
        yield [one.id, str(len(one.labels or ())), words or "nothing"]
        for name, score, box in boxes_of(one)[: top if top > 1 else 0]:
            where = "{:.0f}, {:.0f} to {:.0f}, {:.0f}".format(*box)
            yield ["", "", f"{name} {100 * score:.1f} %  at {where}"]


def write_csv(path: str | Path, predictions: Iterable[Prediction]) -> int:
    """Write CSV (UTF-8, RFC 4180), a row a box; returns the number of rows."""
    with whole_file(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        count = 0
        for row in box_rows(predictions):
            writer.writerow({name: encodable(value) for name, value in row.items()})
            count += 1
    return count


def write_json_lines(path: str | Path, predictions: Iterable[Prediction]) -> int:
    """Write one JSON object a picture (UTF-8); returns the number of pictures."""
    with whole_file(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="\n") as text:
        count = 0
        for row in picture_rows(predictions):
            plain = {name: encodable(value) for name, value in row.items()}
            text.write(json.dumps(plain, ensure_ascii=False, allow_nan=False) + "\n")
            count += 1
    return count


def write_coco(path: str | Path, predictions: Iterable[Prediction]) -> int:
    """Write COCO's results: a JSON list of boxes, `bbox` as left, top, width, height; pictures and classes by name.

    COCO's ids are the annotation file's own; whoever has one puts them in the place of the names.
    """
    count = 0
    with whole_file(path) as file, io.TextIOWrapper(file, encoding="utf-8", newline="\n") as text:
        text.write("[")
        for row in box_rows(predictions):
            if row["error"] is not None:
                continue
            left, top, right, bottom = (row[side] for side in SIDES)
            told = {"image": encodable(row["picture"]), "category": row["class"], "score": row["score"],
                    "bbox": [left, top, round(right - left, 2), round(bottom - top, 2)]}  # fmt: skip
            text.write((",\n" if count else "") + json.dumps(told, ensure_ascii=False))
            count += 1
        text.write("]\n")
    return count


def write_parquet(path: str | Path, predictions: Iterable[Prediction]) -> int:
    """Write Parquet, a row a box (text columns, float64 numbers, zstd); returns the number of rows."""
    import pyarrow as pa

    texts = ("picture", "class", "error")
    schema = pa.schema([(name, pa.string() if name in texts else pa.float64()) for name in COLUMNS])
    return save_parquet(path, schema, box_rows(predictions))


WRITERS: dict[str, Callable[..., int]] = {
    ".csv": write_csv,
    ".json": write_coco,
    ".jsonl": write_json_lines,
    ".ndjson": write_json_lines,
    ".parquet": write_parquet,
}


def write_boxes(path: str | Path, predictions: Iterable[Prediction]) -> int:
    """Write answers in the format that the file's ending names.

    Raises:
        UsageError: another ending.
        UnwrittenError: the file cannot be written; nothing is then left behind, and an older file stays as it was.
    """
    writer = WRITERS.get(Path(path).suffix.lower())
    if writer is None:
        allowed: Sequence[str] = (*WRITERS, "a folder")
        raise UsageError("the ending names no format of boxes", path=path, got=repr(Path(path).suffix),
                         allowed=", ".join(allowed))  # fmt: skip
    return writer(path, predictions)
