"""One annotation of COCO as a row: which picture, which category, which box and region."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.core.regions import Region, RunLengths
from anmok.data.formats._rows import RowFault, Told, outline

_FIX = "correct the annotation, or remove it"


def key(value: Any) -> Hashable:
    """An id as it is compared: 7, 7.0 and "7" are one; None where it is none.

    >>> key("7") == key(7.0), key("a7"), key(True), key([7])
    (True, 'a7', None, None)
    """
    if isinstance(value, str):
        text = value.strip()
        return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else text or None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if math.isfinite(value) and value == int(value) else None


def read_annotation(number: int, value: Any) -> tuple[Hashable, Told]:
    """(the picture's id, the row, labelled with its category's id). Raises `RowFault`."""
    if not isinstance(value, Mapping):
        raise RowFault("an annotation must be an object of fields", _FIX)
    picture, category = key(value.get("image_id")), key(value.get("category_id"))
    if picture is None:
        raise RowFault("it names no picture (image_id)", _FIX)
    if category is None:
        raise RowFault("it names no category (category_id)", _FIX)
    region = _region(value.get("segmentation"))
    box = _box(value.get("bbox"))
    if box is None and region is None:
        raise RowFault("it has neither a box (bbox) nor an outline (segmentation)", _FIX)
    name = "" if value.get("id") is None else f"annotation {value['id']!r:.40}"
    crowd, difficult = (value.get(flag) in (1, True, "1") for flag in ("iscrowd", "difficult"))
    return picture, Told(number, category, box, region, crowd, difficult, _area(value.get("area")), name)


def _box(told: Any) -> tuple[float, float, float, float] | None:
    """xyxy of x, y, width, height; None where nothing is told."""
    if told is None or told == []:
        return None
    if not isinstance(told, list) or len(told) != 4 or not all(_is_number(value) for value in told):
        raise RowFault(f"the box {told!r:.60} is not four numbers", _FIX)
    x, y, width, height = map(float, told)
    if width < 0 or height < 0:
        raise RowFault(f"the box {told!r:.60} has a negative width or height", _FIX)
    return x, y, x + width, y + height


def _is_number(value: Any) -> bool:
    return isinstance(value, float) or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15)


def _region(told: Any) -> Region | None:
    """The polygons or run lengths of an annotation; None where it has none."""
    if told is None or told in ([], {}):
        return None
    if isinstance(told, Mapping):
        return _runs(told)
    if not isinstance(told, list):
        raise RowFault(f"the segmentation is a {type(told).__name__}", _FIX)
    rings = told if isinstance(told[0], list) else [told]  # some tools write a lone ring without its brackets
    if all(ring == [] for ring in rings):
        return None
    if not all(isinstance(ring, list) and all(_is_number(value) for value in ring) for ring in rings):
        raise RowFault("the outline is not lists of numbers", _FIX)
    return outline(rings)


def _runs(told: Mapping[str, Any]) -> RunLengths:
    sides, counts = told.get("size"), told.get("counts")
    whole = isinstance(sides, list) and len(sides) == 2 and all(isinstance(s, int) and 0 < s < 1 << 20 for s in sides)
    if not whole or not isinstance(counts, str | list):
        raise RowFault("run lengths need a size of two numbers, and counts", _FIX)
    size = sides[0], sides[1]  # type: ignore[index]
    try:
        if isinstance(counts, str):
            return RunLengths.from_text(size, counts)
        return RunLengths(size, np.array(counts, np.int64))
    except (DataError, ValueError, TypeError, OverflowError) as error:
        told_why = error.got if isinstance(error, DataError) else error
        raise RowFault(f"run lengths that do not fit their size of {size[1]} × {size[0]}: {told_why}", _FIX) from error


def _area(told: Any) -> float | None:
    return float(told) if _is_number(told) and math.isfinite(told) and told >= 0 else None
