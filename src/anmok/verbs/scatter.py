"""Networks as points: cost on this machine against published accuracy, area by parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.transforms import Bbox

from anmok.anatomy.figures import INK, new_figure, save
from anmok.verbs.knife import Knife

AREA = 4.5e4  # parameters a square point
ABOVE = ((0.8, 0.8), (-0.8, 0.8), (0.8, 2.2), (0.8, 3.8))  # for circles on the lower edge
# Where a name may stand, in radii right of and above its circle's centre; the last is taken where none is free.
AROUND = (
    (1.0, 0.0),
    (-1.0, 0.0),
    (0.8, 0.8),
    (0.8, -0.8),
    (-0.8, 0.8),
    (-0.8, -0.8),
    (0, 1.2),
    (0, -1.2),
    (0.8, 2.2),
    (0.8, -2.2),
)


def draw_scatter(knives: Sequence[Knife], imgsz: int, path: Path) -> Path:
    """Write the plot as PNG or SVG. A network without published accuracy stands on the lower edge."""
    figure = new_figure(8.5, 5.6)
    axes = figure.add_axes((0.085, 0.115, 0.885, 0.76))
    measured = all(knife.cost for knife in knives)
    known = [knife for knife in knives if knife.top1 is not None]
    accuracies = [knife.top1 for knife in known if knife.top1 is not None] or [50.0]
    low, high = min(accuracies), max(accuracies)
    room = max(2.0, high - low)
    axes.set_ylim(low - 0.35 * room, high + 0.3 * room)
    xs = [_x(knife, measured) for knife in knives]
    axes.set_xscale("log")
    axes.set_xlim(min(xs) / 1.8, max(xs) * 3)
    largest_first = sorted(enumerate(knives), key=lambda pair: -pair[1].parameters)  # small ones on top
    _label(axes, [_point(axes, knife, xs[number], f"C{number % 10}") for number, knife in largest_first])
    if len(known) < len(knives):
        axes.text(0.995, 0.012, "on the lower edge: no published accuracy", transform=axes.transAxes, fontsize=8.5,
                  color=INK, ha="right")  # fmt: skip
    axes.set_xlabel(_meaning(knives, imgsz, measured), color=INK)
    axes.set_ylabel("published ImageNet top-1, %", color=INK)
    figure.text(0.03, 0.955, "Which knife?", fontsize=15, fontweight="bold", color=INK)
    figure.text(0.03, 0.91, "up: more accurate; left: quicker; area: parameters", fontsize=9.5, color=INK)
    _ticks(axes)
    return save(figure, path)


def _x(knife: Knife, measured: bool) -> float:
    """Milliseconds a picture, or billions of multiply-adds where not all were measured."""
    return knife.cost.batch_s / knife.cost.batch * 1e3 if measured and knife.cost else knife.macs / 1e9


def _meaning(knives: Sequence[Knife], imgsz: int, measured: bool) -> str:
    if not measured or knives[0].cost is None:
        return f"billion multiply-adds a picture of {imgsz} pixels"
    return f"milliseconds a picture of {imgsz} pixels on this machine, {knives[0].cost.batch} at once"


def _point(axes: Any, knife: Knife, x: float, colour: str) -> tuple[Knife, float, float]:
    """The circle, and where it stands: its knife, x and y."""
    y = axes.get_ylim()[0] if knife.top1 is None else knife.top1
    axes.scatter(x, y, s=_area(knife), color=colour, alpha=0.75, edgecolors="white", linewidths=1.2, clip_on=False,
                 zorder=3)  # fmt: skip
    return knife, x, y


def _area(knife: Knife) -> float:
    return knife.parameters / AREA + 12


def _sign(value: float) -> int:
    return (value > 0) - (value < 0)


def _label(axes: Any, points: Sequence[tuple[Knife, float, float]]) -> None:
    """A name beside every circle, in the first place around it where no other name and no other circle is."""
    points_to_pixels = axes.figure.dpi / 72
    circles = []
    for knife, x, y in points:
        radius = _area(knife) ** 0.5 / 2 * points_to_pixels
        column, row = axes.transData.transform((x, y))
        circles.append(Bbox.from_extents(column - radius, row - radius, column + radius, row + radius))
    taken: list[Bbox] = []
    for place, (knife, x, y) in enumerate(points):
        away = _area(knife) ** 0.5 / 2 + 4
        for right, up in AROUND if knife.top1 is not None else ABOVE:
            text = axes.annotate(
                f"{knife.name}, {knife.parameters / 1e6:.3g} M", (x, y), xytext=(right * away, up * away),
                textcoords="offset points", fontsize=9.5, color=INK, zorder=4,
                va=("top", "center", "bottom")[_sign(up) + 1], ha=("right", "center", "left")[_sign(right) + 1],
            )  # fmt: skip
            box = text.get_window_extent()
            others = [*taken, *circles[:place], *circles[place + 1 :]]
            if not any(box.overlaps(other) for other in others) or (right, up) in (AROUND[-1], ABOVE[-1]):
                taken.append(box)
                break
            text.remove()


def _ticks(axes: Any) -> None:
    """Plain numbers on the logarithmic axis: 1, 2, 5, 10 …"""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.xaxis.set_major_locator(LogLocator(10, subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.grid(alpha=0.25, which="major")
    axes.set_axisbelow(True)
    axes.tick_params(colors=INK, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
