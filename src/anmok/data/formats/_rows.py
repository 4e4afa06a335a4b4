"""Rows that each name one object in a picture: what they tell, what is wrong with them, and where each one ends.

A bad row costs that row and never its picture. Boxes up to a pixel outside are clipped, as rounding makes such; others
are set aside, as are boxes without extent, and corners that are swapped: what was meant cannot be known.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from anmok.core.errors import DataError
from anmok.core.regions import Polygons, Region, RunLengths
from anmok.core.targets import Frame, Objects
from anmok.core.types import Quarantined, RowAccount, Skipped

SLACK = 1.0  # pixels that a box may lie outside and is clipped
LOST = "its picture was set aside"
_DRAW_AGAIN = "draw the box again, or remove the row"


class RowFault(Exception):
    """A row that tells nothing usable. `reason` and `fix` are for the quarantine."""

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(reason)
        self.reason, self.fix = reason, fix


@dataclass(slots=True)
class Told:
    """What one row says of one object, in the frame that its labels were made in.

    `line` counts rows from 1. `box` is xyxy; None: that around the region. `name` is what its author calls the row.
    `file` is where it stands, if not in the file that told of the picture first.
    """

    line: int
    label: Hashable
    box: Sequence[float] | None = None
    region: Region | None = None
    crowd: bool = False
    difficult: bool = False
    area: float | None = None
    name: str = ""
    file: str | None = None


@dataclass
class RowLedger:
    """Where every row ends that is not used. `clipped` counts those that were used in part."""

    seen: int = 0
    quarantined: list[Quarantined] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    clipped: int = 0
    repeated: int = 0

    def set_aside(self, file: str, line: int, fault: RowFault) -> None:
        """A row that tells nothing usable."""
        self.quarantined.append(Quarantined(file, fault.reason, fault.fix, line))

    def skip(self, file: str, line: int, reason: str) -> None:
        """A row that tells nothing new, or nothing of a picture that is used."""
        self.skipped.append(Skipped(file, reason, line))

    def skip_all(self, file: str, rows: Iterable[Told], reason: str = LOST) -> None:
        """The rows of a picture that is not used."""
        for row in rows:
            self.skip(row.file or file, row.line, reason)

    def account(self) -> RowAccount:
        """What accounts for all rows, together with the objects used."""
        return RowAccount(self.seen, tuple(self.quarantined), tuple(self.skipped))

    def warnings(self) -> list[str]:
        """What the person should hear of rows that were used or passed over."""
        told = []
        if self.clipped:
            told.append(f"{_boxes(self.clipped)} up to a pixel outside the picture, clipped to it")
        if self.repeated:
            told.append(f"{_boxes(self.repeated)} told twice, read once")
        return told


def objects_of(
    file: str, rows: Sequence[Told], frame: Frame, ledger: RowLedger, *, stored: bool = False, shares: bool = False
) -> Objects:
    """The objects of one picture; rows that tell none usable go to the ledger.

    Args:
        file: the file of labels, for the ledger.
        rows: with labels that are class numbers.
        frame: the picture's.
        stored: the labels were made on the stored pixels, and are turned.
        shares: coordinates are shares of the picture's width and height.
    """
    size = frame.stored if stored else frame.size
    told = []
    for row in rows:
        try:
            told.append(_in_pixels(row, size, (size[1], size[0]) if shares else (1, 1)))
        except RowFault as fault:
            ledger.set_aside(row.file or file, row.line, fault)
    boxes = np.array([row.box for row in told], np.float64).reshape(-1, 4)
    clipped = np.clip(boxes, 0, [size[1], size[0]] * 2)
    moved = np.abs(boxes - clipped).max(1, initial=0)
    with np.errstate(invalid="ignore"):
        extents = clipped[:, 2:] - clipped[:, :2]
        sound = (moved <= SLACK) & (extents > 0).all(1)  # comparisons with what is no number are False
    kept: list[int] = []
    before: dict[Hashable, int] = {}
    for place, row in enumerate(told):
        if not sound[place]:
            ledger.set_aside(row.file or file, row.line, _fault(row, boxes[place], size))
            continue
        key = (row.label, clipped[place].tobytes(), row.region.told() if row.region else None, row.crowd)
        if (first := before.setdefault(key, row.line)) != row.line:
            ledger.repeated += 1
            ledger.skip(row.file or file, row.line, f"repeats row {first}")
            continue
        ledger.clipped += bool(moved[place] > 1e-3)
        kept.append(place)
    found = _objects([told[place] for place in kept], clipped[kept])
    return found.turned(frame.orientation, frame.stored) if stored else found


def _in_pixels(row: Told, size: tuple[int, int], scale: tuple[int, int]) -> Told:
    """The row with a box, scaled by (width, height). Raises `RowFault` where its run lengths are of another size."""
    region = row.region
    if isinstance(region, RunLengths) and region.size != size:
        (height, width), (own_height, own_width) = size, region.size
        what = f"run lengths of {own_width} × {own_height} for a picture of {width} × {height}"
        raise RowFault(what, "make the mask again from this picture, or remove the row")
    if scale != (1, 1) and isinstance(region, Polygons):
        region = Polygons(tuple(ring * np.array(scale, np.float64) for ring in region.rings))
    if row.box is not None:
        box = np.array(row.box, np.float64) * (*scale, *scale)
    else:
        box = np.zeros(4) if region is None else region.box()
    return replace(row, box=box, region=region)  # type: ignore[arg-type]


def _fault(row: Told, box: np.ndarray, size: tuple[int, int]) -> RowFault:
    """Why a box is no box of this picture."""
    what = f"box [{', '.join(f'{value:.6g}' for value in box)}]" + (f" of {row.name}" if row.name else "")
    if not np.isfinite(box).all():
        return RowFault(f"{what} holds what is no number", _DRAW_AGAIN)
    left, top, right, bottom = box
    if right < left or bottom < top:
        return RowFault(f"{what}: its corners are swapped", "write the upper left corner first, or remove the row")
    if right == left or bottom == top:
        return RowFault(f"{what} has no extent", _DRAW_AGAIN)
    return RowFault(
        f"{what} lies outside its picture of {size[1]} × {size[0]}", "check the picture's size; " + _DRAW_AGAIN
    )


def _objects(rows: Sequence[Told], boxes: np.ndarray) -> Objects:
    def where(values: list) -> list | None:
        return values if any(value not in (None, False) for value in values) else None

    areas = [row.area for row in rows]
    return Objects(
        boxes,
        np.array([row.label for row in rows], np.int64),
        regions=tuple(row.region for row in rows) if any(row.region is not None for row in rows) else None,
        crowd=where([row.crowd for row in rows]),  # type: ignore[arg-type]
        difficult=where([row.difficult for row in rows]),  # type: ignore[arg-type]
        areas=areas if rows and None not in areas else None,  # type: ignore[arg-type]
    )


def outline(rings: Sequence[Sequence[float]]) -> Polygons:
    """The region within lists of x, y, x, y, …. Raises `RowFault` where they enclose nothing."""
    fix = "draw the outline again, or remove the row"
    for ring in rings:
        if len(ring) % 2:
            raise RowFault(f"an outline of {len(ring)} numbers: an x is without its y", fix)
        if len(ring) < 6:
            raise RowFault(f"an outline of {len(ring) // 2} points; it takes three at least", fix)
    try:
        return Polygons(tuple(np.array(ring, np.float32) for ring in rings))
    except (DataError, ValueError, TypeError, OverflowError) as error:
        raise RowFault("an outline that holds what is no number", fix) from error


def _boxes(count: int) -> str:
    return "1 box" if count == 1 else f"{count:,} boxes"
