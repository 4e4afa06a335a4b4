"""Which columns of a table hold a box, by name, and in headerless tables by what stands in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from anmok.data.formats._columns import plain
from anmok.data.formats._rows import RowFault

_FIX = "fill in the box, or remove the row"
_CORNERS: tuple[tuple[str, ...], ...] = (
    ("xmin", "x_min", "x1", "left", "x0", "bbox_x1", "bbox_xmin", "box_x1", "minx", "min_x", "xtl", "start_x"),
    ("ymin", "y_min", "y1", "top", "y0", "bbox_y1", "bbox_ymin", "box_y1", "miny", "min_y", "ytl", "start_y"),
    ("xmax", "x_max", "x2", "right", "bbox_x2", "bbox_xmax", "box_x2", "maxx", "max_x", "xbr", "end_x"),
    ("ymax", "y_max", "y2", "bottom", "bbox_y2", "bbox_ymax", "box_y2", "maxy", "max_y", "ybr", "end_y"),
)
_CENTRES = (
    ("x_center", "xcenter", "x_centre", "cx", "center_x", "centre_x", "xc"),
    ("y_center", "ycenter", "y_centre", "cy", "center_y", "centre_y", "yc"),
)
_UPPER_LEFT = (("x", "bbox_x", "box_x", "left", *_CORNERS[0]), ("y", "bbox_y", "box_y", "top", *_CORNERS[1]))
_EXTENT = (
    ("w", "width", "bbox_w", "bbox_width", "box_w", "box_width", "bw"),
    ("h", "height", "bbox_h", "bbox_height", "box_h", "box_height", "bh"),
)
_WHOLE = ("bbox", "box", "boundingbox", "bounding_box", "rect")
_SIZE = (("height", "image_height", "img_height", "img_h"), ("width", "image_width", "img_width", "img_w"))

Corners = tuple[float, float, float, float]


@dataclass(frozen=True)
class BoxColumns:
    """Positions of the columns; `kind` says what they hold, and `size` where the picture's height and width stand."""

    at: tuple[int, ...]
    kind: str  # "corners", "upper left", "centre", or "text": one cell of x, y, width, height
    size: tuple[int, int] | None = None

    @property
    def words(self) -> str:
        """What the columns hold, for people."""
        told = {
            "corners": "corners",
            "upper left": "upper left corner, width, height",
            "centre": "centre, width, height",
        }
        return told.get(self.kind, "x, y, width, height in one cell")

    def read(self, cells: Sequence[str]) -> Corners | None:
        """xyxy of a row; None where the cells are blank: the picture shows nothing. Raises `RowFault`."""
        if self.kind == "text":
            texts = re.split(r"[\s,;]+", cells[self.at[0]].strip().strip("[](){}").strip())
        else:
            texts = [cells[at].strip() for at in self.at]
        if not any(texts):
            return None
        try:
            numbers = [float(text) for text in texts]
            return _KINDS[self.kind](*numbers)
        except (ValueError, TypeError):
            raise RowFault(f"the box [{', '.join(texts)}] is not four numbers", _FIX) from None

    def stated(self, cells: Sequence[str]) -> tuple[int, int] | None:
        """(height, width) of the picture, where the row says so."""
        try:
            height, width = (int(float(cells[at])) for at in self.size or ())
        except (ValueError, OverflowError):
            return None
        return (height, width) if height > 0 and width > 0 else None


def _from_extent(x: float, y: float, width: float, height: float) -> Corners:
    if width < 0 or height < 0:
        raise RowFault(f"a box of width {width:g} and height {height:g}", _FIX)
    return x, y, x + width, y + height


def _from_centre(x: float, y: float, width: float, height: float) -> Corners:
    return _from_extent(x - width / 2, y - height / 2, width, height)


def _from_corners(left: float, top: float, right: float, bottom: float) -> Corners:
    return left, top, right, bottom


_KINDS: dict[str, Callable[[float, float, float, float], Corners]] = {
    "corners": _from_corners, "upper left": _from_extent, "centre": _from_centre, "text": _from_extent,
}  # fmt: skip


def named_columns(names: Sequence[str]) -> BoxColumns | None:
    """The columns of a box, by a header's names; None where there are none."""
    heads = [plain(name) for name in names]
    size = _all(heads, _SIZE)
    if corners := _all(heads, _CORNERS):
        return BoxColumns(corners, "corners", size)  # type: ignore[arg-type]
    for kind, places in (("centre", _CENTRES), ("upper left", _UPPER_LEFT)):
        if found := _all(heads, (*places, *_EXTENT)):
            return BoxColumns(found, kind, None if set(found) & set(size or ()) else size)  # type: ignore[arg-type]
    whole = next((heads.index(name) for name in _WHOLE if name in heads), None)
    return None if whole is None else BoxColumns((whole,), "text", size)  # type: ignore[arg-type]


def _all(heads: Sequence[str], wanted: Sequence[Sequence[str]]) -> tuple[int, ...] | None:
    """One column of each kind, or None where any is missing."""
    found = [next((heads.index(name) for name in names if name in heads), None) for names in wanted]
    return None if None in found or len(set(found)) < len(found) else tuple(found)  # type: ignore[arg-type]


def unnamed_columns(columns: Sequence[Sequence[str]], path: int) -> BoxColumns | None:
    """Of a table without a header: path, x1, y1, x2, y2, class, as the first trainers of detectors had it."""
    at = (path + 1, path + 2, path + 3, path + 4)
    if at[-1] >= len(columns):
        return None
    told = [[columns[i][row] for i in at] for row in range(len(columns[path]))]
    filled = [cells for cells in told if any(cell.strip() for cell in cells)]
    try:
        boxes = [[float(cell) for cell in cells] for cells in filled]
    except ValueError:
        return None
    forwards = sum(right > left and bottom > top for left, top, right, bottom in boxes)
    return BoxColumns(at, "corners") if boxes and forwards > 0.5 * len(boxes) else None
