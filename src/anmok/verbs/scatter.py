"""Networks as points: cost on this machine against published accuracy, area by parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

if TYPE_CHECKING:
    from anmok.verbs.compare import Knife


def draw_scatter(knives: Sequence[Knife], imgsz: int, path: Path) -> Path:
    """Write the plot. Without published accuracy a network stands on a line of its own at the bottom."""
    figure = Figure(figsize=(8, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    known = [knife.top1 for knife in knives if knife.top1 is not None]
    floor = (min(known) - 3) if known else 0.0
    for number, knife in enumerate(knives):
        x = knife.cost.batch_s / knife.cost.batch * 1e3 if knife.cost else knife.macs / 1e9
        y = floor if knife.top1 is None else knife.top1
        axes.scatter(x, y, s=20 + knife.parameters / 1e5, alpha=0.75, edgecolors="white", color=f"C{number % 10}")
        label = knife.name if knife.top1 is not None else f"{knife.name} (not published)"
        axes.annotate(label, (x, y), xytext=(6, 6), textcoords="offset points", fontsize=9)
    measured = all(knife.cost for knife in knives)
    axes.set_xscale("log")
    axes.set_xlabel(f"milliseconds a picture here, {imgsz} pixels, in a batch" if measured else "billion multiply-adds")
    axes.set_ylabel("published ImageNet top-1, %")
    axes.set_title("Which knife? Area: parameters", loc="left", fontsize=12, fontweight="bold")
    axes.grid(alpha=0.25)
    axes.margins(0.18)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    figure.savefig(path, dpi=150)
    return path
