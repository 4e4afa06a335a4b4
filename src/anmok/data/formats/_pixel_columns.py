"""Which columns of a table of numbers are pixels, what shape they make, and how the numbers are written."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from anmok.data.formats._columns import GROUP_NAMES, NUMBERING, Columns, asked, is_split, plain, with_labels
from anmok.data.formats._text_table import Row
from anmok.data.source import ReadOptions

FEWEST = 36  # pixels; tables of fewer numbers a row are measurements more often than pictures
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


@dataclass(frozen=True)
class PixelColumns:
    """`columns` says what the others are for; `pixels` are positions in reading order, `shape` is (H, W, C).

    `scale` multiplies the numbers: 1, or 255 where they are fractions of one. `whole` says that they are written
    without a decimal point. `packed`: all pixels stand in one cell, with spaces between them.
    """

    columns: Columns
    pixels: tuple[int, ...]
    shape: tuple[int, int, int]
    whole: bool
    scale: int
    packed: bool = False


def find_pixels(rows: Sequence[Row], options: ReadOptions) -> PixelColumns | None:
    """The pixel columns of a table whose first rows these are, or None where it holds no pictures.

    Raises:
        UsageError: an option names a column that is not there.
    """
    if (found := _packed_pixels(rows, options)) is not None:
        return found
    cells = rows[0][1]
    has_header = _is_header(cells)
    body = [row for _, row in rows[has_header:] if len(row) == len(cells)]
    if not body or len(cells) < FEWEST:
        return None
    names = tuple(cell.strip() or f"column {at + 1}" for at, cell in enumerate(cells))
    if not has_header:
        names = tuple(f"column {at + 1}" for at in range(len(cells)))
    wanted = asked(options.label_column or None, names)
    label: int | None
    if has_header:
        pixels = _family(names)
        columns = _others(names, body, pixels, options)
        if len(pixels) < FEWEST or _shape_of(pixels, names, options.shape) is None:
            return None
    else:
        label = wanted if options.label_column is not None else _headerless_label(body, options.shape)
        pixels = tuple(at for at in range(len(names)) if at != label)
        columns = Columns(names, False, None, label)
    shape = _shape_of(pixels, names, options.shape)
    written = _written([row[at] for row in body for at in pixels])
    return None if shape is None or written is None else PixelColumns(columns, pixels, shape, *written)


def _written(numbers: Sequence[str]) -> tuple[bool, int] | None:
    """(`whole`, `scale`) of cells, see `PixelColumns`; None where too many hold no number."""
    numeric = [cell for cell in numbers if _NUMBER.fullmatch(cell)]
    if len(numeric) < 0.9 * len(numbers):
        return None
    whole = sum(cell.strip().isdigit() for cell in numeric) > 0.9 * len(numeric)
    uneven = [] if whole else [value for value in map(float, numeric) if value % 1]
    of_one = bool(uneven) and sum(value < 1 for value in uneven) > 0.9 * len(uneven)
    return whole, 255 if of_one else 1


def _packed_pixels(rows: Sequence[Row], options: ReadOptions) -> PixelColumns | None:
    """The one column whose cells hold whole pictures, or None."""
    cells = rows[0][1]
    has_header = not any(_packed_count(cell) for cell in cells)
    names = tuple((cell.strip() if has_header else "") or f"column {at + 1}" for at, cell in enumerate(cells))
    body = [row for _, row in rows[has_header:] if len(row) == len(cells)]
    for at in range(len(names)):
        counts = Counter(_packed_count(row[at]) for row in body)
        count, rows_of_it = counts.most_common(1)[0] if counts else (0, 0)
        if not count or 2 * rows_of_it <= len(body):
            continue
        shape = options.shape if options.shape and math.prod(options.shape) == count else square_shape(count)
        written = _written([number for row in body if _packed_count(row[at]) == count for number in row[at].split()])
        if shape is None or written is None:
            return None
        columns = replace(_others(names, body, (at,), options), has_header=has_header)
        return PixelColumns(columns, (at,), shape, *written, packed=True)
    return None


def _packed_count(cell: str) -> int:
    """How many numbers a cell holds where it may be a picture, else 0."""
    numbers = cell.split()
    return len(numbers) if len(numbers) >= FEWEST and _NUMBER.fullmatch(numbers[0]) else 0


def square_shape(count: int) -> tuple[int, int, int] | None:
    """The (H, W, C) of square pictures, grey or colour, of so many numbers; no number fits both.

    >>> square_shape(784), square_shape(3072), square_shape(785)
    ((28, 28, 1), (32, 32, 3), None)
    """
    for channels in (1, 3):
        side = math.isqrt(count // channels)
        if side and side * side * channels == count:
            return side, side, channels
    return None


def _is_header(cells: Sequence[str]) -> bool:
    """Words, or the numbers from 0 or 1 on."""
    numbers = [cell.strip() for cell in cells if _NUMBER.fullmatch(cell)]
    if 2 * len(numbers) < len(cells):
        return True
    whole = [int(number) for number in numbers if number.isdigit()]
    return len(whole) >= FEWEST and all(b - a == 1 for a, b in pairwise(whole))


def _family(names: Sequence[str]) -> tuple[int, ...]:
    """Positions of the largest family of names that differ in their numbers only: pixel0, pixel1 …, or 1x1, 1x2 …"""
    skeletons = [re.sub(r"\d+", "#", name.lower()) for name in names]
    most = Counter(skeleton for skeleton in skeletons if "#" in skeleton).most_common(1)
    return tuple(at for at, skeleton in enumerate(skeletons) if most and skeleton == most[0][0])


def _shape_of(
    pixels: Sequence[int], names: Sequence[str], asked_for: tuple[int, int, int] | None
) -> tuple[int, int, int] | None:
    """The shape asked for if it fits, the one that names like 28x28 tell, or a square."""
    count = len(pixels)
    if asked_for is not None:
        return asked_for if math.prod(asked_for) == count and asked_for[2] in (1, 3) else None
    last = re.fullmatch(r"\D*(\d+)x(\d+)\D*", names[pixels[-1]].lower()) if count else None
    first = re.fullmatch(r"\D*(\d+)x(\d+)\D*", names[pixels[0]].lower()) if count else None
    if last and first:
        height, width = (int(last[i]) - int(first[i]) + 1 for i in (1, 2))
        if height * width == count:
            return height, width, 1
    return square_shape(count)


def _headerless_label(body: Sequence[list[str]], shape: tuple[int, int, int] | None) -> int | None:
    """Where labels stand without a header: first, as in MNIST's tables, unless only the last column can be it."""
    width = len(body[0])
    fits = {math.prod(shape)} if shape else {n for n in (width, width - 1) if square_shape(n)}
    if width in fits or width - 1 not in fits:
        return None
    first, last = ({row[at].strip() for row in body} for at in (0, -1))
    return width - 1 if len(first) == 1 and len(last) > 1 else 0


def _others(names: Sequence[str], body: Sequence[list[str]], pixels: Sequence[int], options: ReadOptions) -> Columns:
    """What the columns that are no pixels are for."""
    taken = set(pixels)
    rest = [at for at in range(len(names)) if at not in taken]
    cells = {at: [row[at].strip() for row in body] for at in rest}
    split = asked(options.split_column, names)
    if split is None:
        split = next((at for at in rest if is_split(names[at], cells[at])), None)
    group = asked(options.group_column, names)
    if group is None:
        group = next((at for at in rest if plain(names[at]) in GROUP_NAMES), None)
    left = [at for at in rest if at not in (split, group) and any(cells[at]) and plain(names[at]) not in NUMBERING]
    columns = [cells.get(at, []) for at in range(len(names))]
    return with_labels(Columns(tuple(names), True, None, None, split, group), columns, left, options.label_column)
