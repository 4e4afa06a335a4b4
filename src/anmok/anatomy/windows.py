"""The sliding window as a picture: where the kernel stands at each step, what it reads, what comes out."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from anmok.anatomy import taps
from anmok.anatomy.arithmetic import conv_output
from anmok.anatomy.figures import COLOURS, FAINT, INK, new_figure
from anmok.anatomy.worked import explain_conv_output

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LARGEST = 12  # cells a side that can still be read


def window_figure(
    size: int = 5,
    kernel: int = 3,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    *,
    picture: np.ndarray | None = None,
    weights: np.ndarray | None = None,
    steps: int = 9,
) -> Figure:
    """A convolution over a small grid, step by step: padding dashed, the window framed, the output filling up.

    Args:
        size, kernel, stride, padding, dilation: as for `conv_output`; the same along both axes. Up to 12 padded cells.
        picture: (size, size) numbers to show, by default a small pattern.
        weights: (kernel, kernel) numbers, by default a cross of ones.
        steps: at most so many panels; where there are more, the first ones and the last are shown.

    Raises:
        UsageError: where the window does not fit, or the grid is too large to read.
    """
    out = conv_output(size, kernel, stride, padding, dilation)
    _check_readable(size + 2 * padding)
    values = _pattern(size) if picture is None else np.asarray(picture)
    kernel_values = _cross(kernel) if weights is None else np.asarray(weights)
    padded = np.pad(values, padding)
    results = convolve(padded, kernel_values, stride, dilation)
    shown = list(range(out * out))
    if len(shown) > steps:
        shown = [*shown[: steps - 1], shown[-1]]
    columns = min(3, len(shown))
    rows = math.ceil(len(shown) / columns)
    figure = new_figure(4.6 * columns, 2.7 * rows + 1.5)
    grid = figure.add_gridspec(rows, columns, left=0.02, right=0.98, bottom=0.02, top=1 - 1.5 / (2.7 * rows + 1.5),
                               wspace=0.08, hspace=0.12)  # fmt: skip
    _title(figure, size, kernel, stride, padding, dilation)
    for place, step in enumerate(shown):
        axes = figure.add_subplot(grid[place // columns, place % columns])
        _panel(axes, padded, padding, kernel_values, results, step, stride, dilation)
    return figure


def convolve(padded: np.ndarray, weights: np.ndarray, stride: int, dilation: int = 1) -> np.ndarray:
    """A valid convolution of one map by hand (a correlation, as in every network): what torch computes, in NumPy."""
    k = len(weights)
    out = (len(padded) - dilation * (k - 1) - 1) // stride + 1
    at = taps.window(out, k, stride, 0, dilation)  # (out, k)
    return np.einsum("iajb,ab->ij", padded[at][:, :, at], weights)


def _panel(axes: Axes, padded: np.ndarray, padding: int, weights: np.ndarray, results: np.ndarray, step: int,
           stride: int, dilation: int) -> None:  # fmt: skip
    """One step: input and window at the left, output so far at the right."""
    n, k, out = len(padded), len(weights), len(results)
    row, column = divmod(step, out)
    top, left = row * stride, column * stride
    reach = dilation * (k - 1) + 1
    for i in range(n):
        for j in range(n):
            outside = not (padding <= i < n - padding and padding <= j < n - padding)
            read = (i - top) % dilation == 0 and (j - left) % dilation == 0
            read = read and top <= i < top + reach and left <= j < left + reach
            _cell(axes, j, i, padded[i, j], outside, COLOURS["conv"] if read else None)
            if read and k <= 5:
                weight = weights[(i - top) // dilation, (j - left) // dilation]
                axes.text(
                    j + 0.93, i + 0.93, f"×{weight:g}", ha="right", va="bottom", fontsize=5.5, color=COLOURS["conv"]
                )
    _frame(axes, left, top, reach, COLOURS["conv"])
    shift, drop = n + 1.6, (n - out) / 2
    axes.annotate(
        "", (shift - 0.35, n / 2), (n + 0.35, n / 2), arrowprops={"arrowstyle": "->", "color": INK, "lw": 1.2}
    )
    for i in range(out):
        for j in range(out):
            number = i * out + j
            value = results[i, j] if number <= step else None
            _cell(axes, shift + j, drop + i, value, False, COLOURS["linear"] if number == step else None)
    _frame(axes, shift + column, drop + row, 1, COLOURS["linear"])
    axes.set_xlim(-0.2, shift + out + 0.2)
    axes.set_ylim(n + 0.2, -0.75)
    axes.text(0, -0.2, f"step {step + 1} of {out * out}", fontsize=8, color=INK)
    axes.set_aspect("equal")
    axes.axis("off")


def _cell(axes: Axes, x: float, y: float, value: Any, outside: bool, colour: str | None) -> None:
    from matplotlib.patches import Rectangle

    face = colour if colour else ("#f3f4f7" if outside else "white")
    dashes = (0, (2, 2)) if outside else "-"
    axes.add_patch(Rectangle((x, y), 1, 1, facecolor=face, alpha=0.30 if colour else 1, linewidth=0))
    axes.add_patch(Rectangle((x, y), 1, 1, fill=False, edgecolor=FAINT, linewidth=0.6, linestyle=dashes))
    if value is not None:
        axes.text(x + 0.5, y + 0.5, f"{value:g}", ha="center", va="center", fontsize=8, color=FAINT if outside else INK)


def _frame(axes: Axes, x: float, y: float, side: float, colour: str) -> None:
    from matplotlib.patches import Rectangle

    axes.add_patch(Rectangle((x, y), side, side, fill=False, edgecolor=colour, linewidth=2, zorder=5))


def _title(figure: Figure, size: int, kernel: int, stride: int, padding: int, dilation: int) -> None:
    numbers = f"{kernel}×{kernel} window on {size}×{size}, stride {stride}, padding {padding}"
    numbers += f", dilation {dilation}" if dilation > 1 else ""
    height = figure.get_figheight()
    figure.text(0.02, 1 - 0.25 / height, numbers, fontsize=13, fontweight="bold", color=INK, va="top")
    sentences = explain_conv_output(size, kernel, stride, padding, dilation)
    figure.text(0.02, 1 - 0.55 / height, sentences, fontsize=8.5, color=INK, va="top", linespacing=1.35)


def _check_readable(side: int) -> None:
    from anmok.core.errors import UsageError

    if side > _LARGEST:
        raise UsageError("this grid is too large to read", got=f"{side} padded cells a side",
                         allowed=f"up to {_LARGEST}", fix="a smaller size: the arithmetic stays the same")  # fmt: skip


def _pattern(size: int) -> np.ndarray:
    """Small whole numbers that differ from cell to cell."""
    i, j = np.indices((size, size))
    return (i * 3 + j * j) % 5


def _cross(kernel: int) -> np.ndarray:
    middle = kernel // 2
    i, j = np.indices((kernel, kernel))
    return ((i == middle) | (j == middle)).astype(int)
