"""What every figure of this room shares: colours, and writing without matplotlib's global state."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from anmok.core.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK, FAINT, PAPER = "#1f2430", "#9aa3b2", "#ffffff"
# One colour a family of layers, told apart also without colour vision (after Okabe and Ito).
COLOURS = {
    "conv": "#3b78b5",
    "linear": "#d9822b",
    "attention": "#8a63a8",
    "product": "#8a63a8",
    "pool": "#c2504f",
    "upsample": "#4c9a8b",
    "norm": "#93a8c2",
    "join": "#6b7280",
    "other": "#b8bfca",
}
_FORMATS = ("png", "svg")


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches that belongs to nobody but its caller."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), facecolor=PAPER)
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, path: str | Path, dpi: int = 150) -> Path:
    """Write the figure; the name's ending chooses PNG or SVG. The same figure gives the same bytes.

    Raises:
        UsageError: for any other ending.
    """
    path = Path(path)
    ending = ending_of(path)
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "anmok", "svg.fonttype": "none"}):
        figure.savefig(buffer, format=ending, dpi=dpi, metadata={"Date": None} if ending == "svg" else None)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())
    return path


def ending_of(path: Path) -> str:
    """What a figure is to be written as, by its name's ending: png or svg.

    Raises:
        UsageError: for any other ending.
    """
    ending = path.suffix.lower().lstrip(".")
    if ending not in _FORMATS:
        raise UsageError(
            "figures are written as PNG or SVG",
            path=path,
            got=path.suffix or "no ending",
            allowed=", ".join(f".{ending}" for ending in _FORMATS),
            fix=str(path.with_suffix(".png")),
        )
    return ending
