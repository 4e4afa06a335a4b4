"""Shapes on a sheet, written as SVG by hand or, for a PNG, handed to matplotlib.

A report holds its network's drawing as SVG; to import matplotlib and write one through it takes half a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from anmok.anatomy.figures import PAPER, ending_of, new_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Point = tuple[float, float]
POINTS = 72  # an inch
# How far below the place where it is asked for a text's baseline lies, in sizes of its letters: capitals are 0.73 high
# in DejaVu Sans, and tails reach 0.24 down.
_BELOW = {"top": 0.76, "middle": 0.36, "bottom": -0.24}
_ANCHORS = {"left": "start", "middle": "middle", "right": "end"}
_HA = {"left": "left", "middle": "center", "right": "right"}
_FONTS = "DejaVu Sans, Verdana, Arial, sans-serif"


@dataclass(frozen=True)
class Way:
    """Straight lines and curves, filled where there is a `fill`, drawn where there is an `edge`.

    `steps`, one a point: M move, L line, C one of three points of a curve; Z, which has none, closes a shape.
    """

    points: Sequence[Point]
    steps: str
    fill: str | None = None
    edge: str | None = None
    line: float = 0.0
    alpha: float = 1.0


@dataclass(frozen=True)
class Circle:
    """Around (x, y)."""

    x: float
    y: float
    radius: float
    fill: str
    edge: str
    line: float


@dataclass(frozen=True)
class Text:
    """Words whose `across` and `up` lie at (x, y); `upright` ones read upwards and end there."""

    x: float
    y: float
    words: str
    size: float
    colour: str
    across: Literal["left", "middle", "right"] = "left"
    up: Literal["top", "middle", "bottom"] = "bottom"
    bold: bool = False
    upright: bool = False

    @property
    def baseline(self) -> Point:
        """Where the baseline's anchor lies."""
        below = self.size / POINTS
        if self.upright:
            return self.x + _BELOW["middle"] * below, self.y
        return self.x, self.y - _BELOW[self.up] * below


@dataclass
class Sheet:
    """A drawing of so many inches, shapes in the order in which they cover each other.

    Places are in inches from the lower left corner, lines and letters in points. A notebook shows it by itself.
    """

    width: float
    height: float
    shapes: list[Way | Circle | Text] = field(default_factory=list)

    def add(self, shape: Way | Circle | Text) -> None:
        """One more, over those before."""
        self.shapes.append(shape)

    def rectangle(
        self, x: float, y: float, width: float, height: float, fill: str, edge: str | None = None, line: float = 0.0
    ) -> None:
        """Its lower left corner lies at (x, y)."""
        self.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], fill, edge, line)

    def polygon(self, corners: Sequence[Point], fill: str, edge: str | None = None, line: float = 0.0) -> None:
        """A closed shape."""
        self.add(Way(corners, "M" + "L" * (len(corners) - 1) + "Z", fill, edge, line))

    def line(self, start: Point, end: Point, colour: str, line: float) -> None:
        """A straight one."""
        self.add(Way([start, end], "ML", edge=colour, line=line))

    def svg(self) -> str:
        """The drawing as an SVG file's text."""
        w, h = _short(self.width * POINTS), _short(self.height * POINTS)
        head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{w}pt" height="{h}pt" viewBox="0 0 {w} {h}"'
        ground = f'<rect width="{w}" height="{h}" fill="{PAPER}"/>'
        body = "\n".join(_written(shape, self.height) for shape in self.shapes)
        return f'{head} font-family="{_FONTS}">\n{ground}\n{body}\n</svg>\n'

    def _repr_svg_(self) -> str:
        return self.svg()

    def figure(self) -> Figure:
        """The drawing as a matplotlib figure, owned by the caller."""
        figure = new_figure(self.width, self.height)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, self.width)
        axes.set_ylim(0, self.height)
        axes.axis("off")
        for order, shape in enumerate(self.shapes):
            if isinstance(shape, Text):
                x, y = shape.baseline
                weight = "bold" if shape.bold else "normal"
                ha, rotation = ("right", 90) if shape.upright else (_HA[shape.across], 0)
                axes.text(x, y, shape.words, fontsize=shape.size, color=shape.colour, fontweight=weight, ha=ha,
                          va="baseline", rotation=rotation, rotation_mode="anchor", zorder=order)  # fmt: skip
            else:
                axes.add_patch(_patch(shape, order))
        return figure

    def save(self, path: str | Path) -> Path:
        """Write the drawing; the name's ending chooses PNG or SVG. The same drawing gives the same bytes.

        Raises:
            UsageError: for any other ending.
        """
        path = Path(path)
        if ending_of(path) == "png":
            return save(self.figure(), path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(self.svg(), encoding="utf-8")
        return path


def _patch(shape: Way | Circle, order: int) -> Any:
    from matplotlib import patches, path

    look = {"facecolor": shape.fill or "none", "edgecolor": shape.edge or "none", "linewidth": shape.line}
    if isinstance(shape, Circle):
        return patches.Circle((shape.x, shape.y), shape.radius, zorder=order, **look)
    codes = {"M": path.Path.MOVETO, "L": path.Path.LINETO, "C": path.Path.CURVE4, "Z": path.Path.CLOSEPOLY}
    points = [*shape.points, *shape.points[:1]] if shape.steps.endswith("Z") else shape.points
    way = path.Path(points, [codes[step] for step in shape.steps])
    return patches.PathPatch(way, zorder=order, alpha=shape.alpha, capstyle="butt", joinstyle="miter", **look)


def _written(shape: Way | Circle | Text, height: float) -> str:
    """One element; SVG counts downwards."""

    def place(x: float, y: float) -> tuple[str, str]:
        return _short(x * POINTS), _short((height - y) * POINTS)

    if isinstance(shape, Text):
        x, y = place(*shape.baseline)
        turned = f' transform="rotate(-90 {x} {y})"' if shape.upright else ""
        anchor = "end" if shape.upright else _ANCHORS[shape.across]
        bold = ' font-weight="bold"' if shape.bold else ""
        look = f'font-size="{_short(shape.size)}" fill="{shape.colour}" text-anchor="{anchor}"{bold}{turned}'
        return f'<text x="{x}" y="{y}" {look}>{escape(shape.words)}</text>'
    drawn = f' stroke="{shape.edge}" stroke-width="{_short(shape.line)}"' if shape.edge and shape.line else ""
    look = f'fill="{shape.fill or "none"}"{drawn}'
    if isinstance(shape, Circle):
        x, y = place(shape.x, shape.y)
        return f'<circle cx="{x}" cy="{y}" r="{_short(shape.radius * POINTS)}" {look}/>'
    seen = "" if shape.alpha == 1 else f' opacity="{_short(shape.alpha)}"'
    return f'<path d="{_steps(shape, place)}" {look}{seen}/>'


def _steps(way: Way, place: Callable[[float, float], tuple[str, str]]) -> str:
    """A path's steps as SVG writes them; of a curve's three points only the first is told its letter."""
    told, curved = [], 0
    for step, point in zip(way.steps.rstrip("Z"), way.points, strict=True):
        curved = curved % 3 + 1 if step == "C" else 0
        told.append(("" if curved > 1 else step) + " ".join(place(*point)))
    return " ".join(told) + ("Z" if way.steps.endswith("Z") else "")


def _short(value: float) -> str:
    """Two decimals at most: a hundredth of a point is nothing to see."""
    return f"{value:.2f}".rstrip("0").rstrip(".")
