"""Networks trained on the same pictures, drawn: a row each, with its accuracy, its time by parts, its training."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anmok.anatomy.figures import INK, new_figure, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from anmok.verbs.contest import Contest, Contestant

PART_COLOURS = ("#b8bfca", "#3b78b5", "#d9822b", "#4c9a8b")
DOT = "#1f2430"


def draw_contest(found: Contest, path: Path) -> Path:
    """Write the drawing as PNG or SVG."""
    return save(contest_figure(found), path)


def contest_png(found: Contest) -> bytes:
    """The drawing as a PNG file's bytes."""
    buffer = io.BytesIO()
    contest_figure(found).savefig(buffer, format="png", dpi=150)
    return buffer.getvalue()


def contest_figure(found: Contest) -> Figure:
    """Four panels side by side, a row a network, in the order asked."""
    count = len(found.contestants)
    figure = new_figure(12.5, 1.9 + 0.52 * count)
    bottom, height = 0.72 / (1.9 + 0.52 * count), 0.52 * count / (1.9 + 0.52 * count)
    panels = [figure.add_axes((left, bottom, width, height)) for left, width in
              ((0.14, 0.17), (0.345, 0.22), (0.60, 0.17), (0.815, 0.15))]  # fmt: skip
    _accuracy(panels[0], found)
    parts = list(found.contestants[0].seconds)
    _bars(panels[1], found.contestants, parts, "milliseconds a picture")
    _bars(panels[2], found.contestants, parts[1:], "of these, without " + parts[0] if parts else "")
    _training(panels[3], found.contestants)
    for number, axes in enumerate(panels):
        axes.set_ylim(count - 0.5, -0.5)
        axes.set_yticks(range(count), [f"{one.name}, {one.year}" for one in found.contestants] if not number else [])
        axes.tick_params(colors=INK, labelsize=9, length=0 if number else 3)
        axes.grid(axis="x", alpha=0.25)
        axes.set_axisbelow(True)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
    top = 1 - 0.30 / (1.9 + 0.52 * count)
    figure.text(0.015, top, f"Side by side: {found.task}", fontsize=15, fontweight="bold", color=INK, va="center")
    said = f"{Path(found.data).name}: {found.pictures:,} test pictures; {found.machine.get('cpu', '')}"
    figure.text(0.985, top, said, fontsize=9, color=INK, ha="right", va="center")
    return figure


def _accuracy(axes: Any, found: Contest) -> None:
    name = found.headlines[0]
    for row, one in enumerate(found.contestants):
        value, low, high = (100 * part for part in one.figures.get(name, (float("nan"),) * 3))
        if low == low and high == high:
            axes.plot([low, high], [row, row], color=DOT, alpha=0.45, linewidth=2)
        axes.plot(value, row, "o", color=DOT, markersize=6)
        _written(axes, f"{value:.1f}", value, row, above=True)
    axes.set_xlim(0, 100)
    axes.set_title(f"{name}, %", fontsize=10, loc="left", color=INK)


def _bars(axes: Any, contestants: Sequence[Contestant], parts: Sequence[str], title: str) -> None:
    """Stacked bars of the parts, in milliseconds, their sum written behind."""
    every = list(contestants[0].seconds)
    longest = max(sum(one.seconds[part] for part in parts) for one in contestants) or 1e-9
    for row, one in enumerate(contestants):
        start = 0.0
        for part in parts:
            value = 1e3 * one.seconds[part]
            colour = PART_COLOURS[every.index(part) % len(PART_COLOURS)]
            axes.barh(row, value, left=start, height=0.55, color=colour, label=part if not row else None)
            start += value
        _written(axes, _spoken(start), start, row)
    axes.set_xlim(0, 1e3 * longest * 1.22)
    axes.set_title(title, fontsize=10, loc="left", color=INK)
    if len(parts) == len(every):
        axes.legend(loc="upper left", bbox_to_anchor=(-0.02, -0.09 - 0.3 / len(contestants)), ncols=len(parts),
                    fontsize=8.5, frameon=False, labelcolor=INK, handlelength=1.1, columnspacing=1.2)  # fmt: skip


def _training(axes: Any, contestants: Sequence[Contestant]) -> None:
    minutes = [one.training / 60 for one in contestants]
    axes.barh(range(len(minutes)), minutes, height=0.55, color="#8a63a8")
    for row, value in enumerate(minutes):
        _written(axes, f"{value:.1f}", value, row)
    axes.set_xlim(0, max(minutes) * 1.25 or 1)
    axes.set_title("minutes of training", fontsize=10, loc="left", color=INK)


def _written(axes: Any, text: str, x: float, row: int, above: bool = False) -> None:
    """A number beside what it belongs to."""
    away, how = ((0, 6), {"ha": "center"}) if above else ((4, 0), {"va": "center"})
    axes.annotate(text, (x, row), xytext=away, textcoords="offset points", fontsize=8.5, color=INK, **how)


def _spoken(milliseconds: float) -> str:
    return f"{milliseconds:,.0f}" if milliseconds >= 100 else f"{milliseconds:.3g}"
