"""Small files beside pictures that say which class has which number or colour: JSON, YAML, CSV and plain lists.

There is no standard; what people and their tools write is understood by its parts: a name is what holds letters, a
number is an id, three numbers (or #rrggbb) are a colour. CVAT's `labelmap.txt`, CamVid's `class_dict.csv` and
`label_colors.txt`, Roboflow's `_classes.csv`, ADE20K's `objectInfo150.txt` and plain lists of names are such files.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anmok.core.errors import DataError
from anmok.data.formats._yaml import read_yaml
from anmok.data.names import class_name, class_order
from anmok.data.source import Source

LARGEST = 1 << 18  # bytes
_SUFFIXES = (".txt", ".csv", ".json", ".yaml", ".yml", ".names", ".tsv")
_NAME_KEYS = ("name", "label", "class", "title", "category", "classname", "class_name", "label_name")
_ID_KEYS = ("id", "index", "value", "label_id", "class_id", "category_id", "pixel_value", "trainid", "train_id", "idx")
_COLOUR_KEYS = ("color", "colour", "rgb", "palette", "color_rgb", "hex")
NAME_LISTS = ("labelmap.txt", "classes.txt", "labels.txt", "predefined_classes.txt")
_LISTS = ("classes", "labels", "categories", "names", "objects", "label_map", "class_map", "items", "shapes")

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class ClassLine:
    """One class as a file declares it."""

    name: str
    number: int | None = None
    colour: Colour | None = None


def listed_classes(source: Source, names: set[str]) -> tuple[tuple[str, ...], str | None]:
    """Class names in the order of a list beside the labels that has them all, and its path; else by themselves.

    A `background` in the list is no class where no label names it.
    """
    for path in source.tree.files if source.is_folder else ():
        if path.rpartition("/")[2].lower() not in NAME_LISTS:
            continue
        for listed in (_plain_lines(source.root / path), [line.name for line in read_class_map(source.root / path)]):
            listed = [name for name in listed if name.lower() != "background" or name in names]
            if listed and names <= set(listed) and len(set(listed)) == len(listed):
                return tuple(listed), path
    return class_order(names), None


def _plain_lines(path: Path) -> list[str]:
    try:
        return [class_name(line.strip()) for line in path.read_text("utf-8-sig").split("\n") if line.strip()]
    except (OSError, ValueError):
        return []


def read_class_map(path: Path) -> list[ClassLine]:
    """The classes that a file declares, in its order; empty where it declares none."""
    suffix = path.suffix.lower()
    if suffix not in _SUFFIXES:
        return []
    try:
        if path.stat().st_size > LARGEST:
            return []
        if suffix in (".yaml", ".yml"):
            found = _of_value(read_yaml(path))
        elif suffix == ".json":
            found = _of_value(json.loads(path.read_text("utf-8-sig")))
        else:
            found = _of_lines(path.read_text("utf-8-sig").splitlines())
    except (OSError, ValueError, RecursionError, DataError):
        return []
    names = [line.name for line in found]
    return found if len(set(names)) == len(names) else []


def _of_value(value: Any, depth: int = 0) -> list[ClassLine]:
    if isinstance(value, Mapping):
        for key in value:
            if str(key).lower() in _LISTS and isinstance(value[key], list | Mapping) and depth < 3:
                return _of_value(value[key], depth + 1)
        return _whole([_of_pair(key, told) for key, told in value.items()])
    if isinstance(value, list):
        return _whole([_of_item(item, place) for place, item in enumerate(value)])
    return []


def _whole(lines: Iterable[ClassLine | None]) -> list[ClassLine]:
    """All lines, or none where one of them says nothing: the file is then about something else."""
    found = list(lines)
    return [line for line in found if line is not None] if None not in found else []


def _of_pair(key: Any, told: Any) -> ClassLine | None:
    """`"cat": 1`, `"1": "cat"`, `"cat": [128, 0, 0]`, `"cat": {"id": 1, "color": …}`."""
    if isinstance(told, Mapping):
        return _of_item({"name": key, **told} if not _number(key) else {"id": _number(key), **told}, None)
    if isinstance(told, str) and _number(key) is not None:
        return ClassLine(class_name(told.strip()), _number(key))
    name = class_name(str(key).strip())
    if (colour := _colour(told)) is not None:
        return ClassLine(name, None, colour)
    return ClassLine(name, _number(told)) if _number(told) is not None and name else None


def _of_item(item: Any, place: int | None) -> ClassLine | None:
    """An item of a list: a name, or an object with a name and perhaps a number and a colour."""
    if isinstance(item, str):
        return ClassLine(class_name(item.strip()), place)
    if not isinstance(item, Mapping):
        return None
    told = {re.sub(r"[\s-]+", "_", str(key)).lower(): value for key, value in item.items()}
    name = next((told[key] for key in _NAME_KEYS if isinstance(told.get(key), str)), None)
    number = next((_number(told[key]) for key in _ID_KEYS if _number(told.get(key)) is not None), None)
    colour = next((_colour(told[key]) for key in _COLOUR_KEYS if _colour(told.get(key)) is not None), None)
    return None if name is None else ClassLine(class_name(name.strip()), number, colour)


def _number(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value if 0 <= value < 1 << 16 else None
    return int(value) if isinstance(value, str) and re.fullmatch(r"\s*\d{1,5}\s*", value, re.ASCII) else None


def _colour(value: Any) -> Colour | None:
    if isinstance(value, str):
        if match := re.fullmatch(r"\s*#?([0-9a-fA-F]{6})\s*", value):
            return _channels([int(match[1][at : at + 2], 16) for at in (0, 2, 4)])
        value = re.findall(r"\d+", value) if re.fullmatch(r"[\s\d,()\[\];rgbRGB]+", value) else None
    return _channels(value) if isinstance(value, list | tuple) and len(value) in (3, 4) else None


def _channels(values: Sequence[Any]) -> Colour | None:
    numbers = [_number(value) for value in values[:3]]
    known = all(number is not None and number < 256 for number in numbers)
    return (numbers[0], numbers[1], numbers[2]) if known else None  # type: ignore[return-value]


def _of_lines(lines: Sequence[str]) -> list[ClassLine]:
    told = [line.strip() for line in lines if line.strip() and not re.match(r"\s*(//|#(?![0-9a-fA-F]{6}\b))", line)]
    if table := _of_table(told):
        return table
    lines_found = _whole(_of_line(line) for line in told)
    if all(line.number is None and line.colour is None for line in lines_found):
        return [ClassLine(line.name, place) for place, line in enumerate(lines_found)]
    return lines_found


def _of_table(lines: Sequence[str]) -> list[ClassLine]:
    """Rows below a header that says which column is the name and which a number or a colour; else none."""
    rows = [[cell.strip() for cell in re.split(r"[,;\t]", line)] for line in lines]
    heads = [re.sub(r"[\s-]+", "_", cell).lower() for cell in rows[0]] if rows else []
    known = set(heads) & {*_ID_KEYS, *_COLOUR_KEYS} or {"r", "g", "b"} <= set(heads)
    if not known or not set(heads) & set(_NAME_KEYS) or any(len(row) < len(heads) for row in rows):
        return []
    items: list[dict[str, Any]] = [dict(zip(heads, row, strict=False)) for row in rows[1:]]
    for item in items:
        if {"r", "g", "b"} <= item.keys():
            item["rgb"] = [item["r"], item["g"], item["b"]]
    return _whole(_of_item(item, None) for item in items)


def _of_line(line: str) -> ClassLine | None:
    """A name with up to four whole numbers before or behind it, split by anything usual."""
    if match := re.search(r"#([0-9a-fA-F]{6})\b", line):
        rest = _of_line(line.replace(match[0], " "))
        return None if rest is None else ClassLine(rest.name, rest.number, _colour(match[1]))
    cells = [cell.strip().strip("\"'") for cell in re.split(r"[,;:\t|]", line)]
    if len(cells) == 1:  # numbers and a name, split by spaces; the name may hold some, too
        match = re.fullmatch(r"((?:\d+\s+)*)(.*?)((?:\s+\d+)*)", line)
        cells = [*match[1].split(), match[2], *match[3].split()] if match else [line]
    cells = [part for cell in cells for part in (cell.split() if re.fullmatch(r"[\d\s]+", cell) else [cell])]
    numbers = [int(cell) for cell in cells if re.fullmatch(r"\d{1,5}", cell, re.ASCII)]
    names = [cell for cell in cells if cell and not re.fullmatch(r"[\d.\s]+", cell)]
    if not names or len(numbers) > 4:
        return None
    name = class_name((names[-1] if len(names) > 1 and not numbers else names[0]).strip())
    if len(numbers) >= 3:
        colour = _channels(numbers[-3:])
        return ClassLine(name, numbers[0] if len(numbers) == 4 else None, colour) if colour else None
    return ClassLine(name, numbers[0] if numbers else None)
