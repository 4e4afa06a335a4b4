"""Objects in a class map, as COCO writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from anmok.core.instances import numbered
from anmok.core.regions import RunLengths

MOST_PIXELS = 8_000_000  # in larger pictures a class is one region: numbering its parts would take too much memory


class Found(NamedTuple):
    """One object: its class, its pixels, and its box (left, top, width, height)."""

    number: int
    region: RunLengths
    area: int
    box: tuple[int, int, int, int]


def objects_in(mask: np.ndarray, background: int | None, objects: np.ndarray | None = None) -> Iterator[Found]:
    """The objects of a class map uint8 (H, W); the background is none.

    `objects` int32 (H, W): which one each pixel belongs to; None: what hangs together of one class, corners connecting.
    """
    from scipy.ndimage import find_objects

    if objects is not None:
        for place, box in enumerate(find_objects(objects), start=1):
            if box is not None:
                own = objects[box] == place
                yield _found(int(np.bincount(mask[box][own]).argmax()), own, box, mask.shape)
        return
    for number in np.unique(mask).tolist():
        if number == background:
            continue
        own = mask == number
        if mask.size > MOST_PIXELS:
            rows, columns = np.flatnonzero(own.any(1)), np.flatnonzero(own.any(0))
            box = (slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1))
            yield _found(int(number), own[box], box, mask.shape)
            continue
        parts = numbered(own)
        for place, box in enumerate(find_objects(parts), start=1):
            yield _found(int(number), parts[box] == place, box, mask.shape)


def _found(number: int, own: np.ndarray, box: tuple[slice, slice], size: tuple[int, ...]) -> Found:
    rows, columns = box
    place = (columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
    return Found(number, run_lengths(own, rows.start, columns.start, (size[0], size[1])), int(own.sum()), place)


def run_lengths(own: np.ndarray, top: int, left: int, size: tuple[int, int]) -> RunLengths:
    """The run lengths of pixels bool (h, w) whose upper left one lies at (`top`, `left`) of a picture of `size`.

    Only the part is looked at, not the picture: a thousand cells cost what their own pixels cost.
    """
    height = size[0]
    edges = np.diff(np.pad(own.T.astype(np.int8), ((0, 0), (1, 1))), axis=1)  # w, h + 1
    begin_column, begin_row = np.nonzero(edges == 1)
    end_column, end_row = np.nonzero(edges == -1)
    begins = (begin_column + left) * height + begin_row + top
    ends = (end_column + left) * height + end_row + top
    through = np.flatnonzero(ends[:-1] == begins[1:])  # runs that go on at the top of the next column
    begins, ends = np.delete(begins, through + 1), np.delete(ends, through)
    borders = np.concatenate([[0], np.stack([begins, ends], 1).ravel(), [height * size[1]]])
    counts = np.diff(borders)
    return RunLengths(size, counts if counts[-1] else counts[:-1])
