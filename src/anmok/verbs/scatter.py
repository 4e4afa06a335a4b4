"""Networks as points: cost on this machine against published accuracy, area by parameters."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from anmok.verbs.knife import Knife


def draw_scatter(knives: Sequence[Knife], imgsz: int, path: Path) -> Path:
    """Write the plot. A network without published accuracy is a line at its cost."""
    figure = Figure(figsize=(8, 5.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for number, knife in enumerate(knives):
        x = knife.cost.batch_s / knife.cost.batch * 1e3 if knife.cost else knife.macs / 1e9
        colour = f"C{number % 10}"
        if knife.top1 is None:
            axes.axvline(x, color=colour, linestyle=":")
            axes.text(x, 0.02, f" {knife.name}: no published accuracy", color=colour, fontsize=9, rotation=90, va="bottom",
                      ha="right", transform=axes.get_xaxis_transform())  # fmt: skip
            continue
        axes.scatter(x, knife.top1, s=20 + knife.parameters / 1e5, alpha=0.75, edgecolors="white", color=colour)
        axes.annotate(knife.name, (x, knife.top1), xytext=(6, 6), textcoords="offset points", fontsize=9)
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
