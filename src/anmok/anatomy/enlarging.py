"""Two ways to enlarge a map: a transposed convolution, or enlarging first and convolving then.

A transposed convolution stamps its kernel once for every input, `stride` apart, and adds up where stamps overlap. Where
the stride does not divide the kernel, some outputs get more stamps than their neighbours: a flat map comes out as a
checkerboard, and the weights must learn to undo it. Odena, Dumoulin, Olah (2016), "Deconvolution and Checkerboard
Artifacts", distill.pub.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from anmok.anatomy.arithmetic import conv_macs, conv_parameters, transposed_output
from anmok.anatomy.figures import COLOURS, FAINT, INK, new_figure
from anmok.core.errors import UsageError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LARGEST = 12  # inputs that can still be told apart in the drawing


def stamps(size: int, kernel: int, stride: int, padding: int = 0) -> list[int]:
    """How many inputs each output of a transposed convolution adds up, along one axis.

    Raises:
        UsageError: as `transposed_output`.

    >>> stamps(4, kernel=3, stride=2), stamps(4, kernel=4, stride=2)
    ([1, 1, 2, 1, 2, 1, 2, 1, 1], [1, 1, 2, 2, 2, 2, 2, 2, 1, 1])
    """
    out = transposed_output(size, kernel, stride, padding)
    counts = np.zeros((size - 1) * stride + kernel, dtype=int)
    for place in range(size):
        counts[place * stride : place * stride + kernel] += 1
    return [int(count) for count in counts[padding : padding + out]]


def explain_enlarging(size: int = 16, kernel: int = 3, stride: int = 2, channels: tuple[int, int] = (64, 64)) -> str:
    """A transposed convolution beside enlarging and a 3×3 convolution: sizes, evenness, cost.

    Args:
        size: side of the map.
        kernel: of the transposed convolution.
        stride: how many times larger.
        channels: in and out.

    >>> print(explain_enlarging(16, kernel=3, stride=2))
    Transposed 3×3, stride 2: 16 → (16 − 1)·2 + 3 = 33.
    2 does not divide 3: outputs add up 1 or 2 inputs a side by turns, 1 to 4 in all: a flat map becomes a checkerboard.
    Its weights: 9·64·64 = 36,864, each used once for every input: 9,437,184 multiply-adds.
    Enlarged 2 times, then 3×3: 16 → 32 → 32.
    Every output adds up 9 cells, edges aside: a flat map stays flat.
    Its weights: 9·64·64 = 36,864, each used once for every output: 37,748,736 multiply-adds.
    """
    out, large, (before, after) = transposed_output(size, kernel, stride), size * stride, channels
    weights = [conv_parameters(before, after, side, bias=False) for side in (kernel, 3)]
    macs = [conv_macs(before, after, kernel, (size, size)), conv_macs(before, after, 3, (large, large))]
    cost = [
        f"Its weights: {side**2}·{before}·{after} = {weight:,}, each used once for every {what}: {mac:,} multiply-adds."
        for side, weight, what, mac in zip((kernel, 3), weights, ("input", "output"), macs, strict=True)
    ]
    return "\n".join(
        [
            f"Transposed {kernel}×{kernel}, stride {stride}: {size} → ({size} − 1)·{stride} + {kernel} = {out}.",
            _evenness(kernel, stride),
            cost[0],
            f"Enlarged {stride} times, then 3×3: {size} → {large} → {large}.",
            "Every output adds up 9 cells, edges aside: a flat map stays flat.",
            cost[1],
        ]
    )


def _evenness(kernel: int, stride: int) -> str:
    least, most = kernel // stride, -(-kernel // stride)
    if most == least:
        return (
            f"{stride} divides {kernel}: away from the edges every output adds up {most} a side, {most**2} inputs in "
            "all. A flat map stays flat, as long as the weights learn no pattern of their own."
        )
    return (
        f"{stride} does not divide {kernel}: outputs add up {least} or {most} inputs a side by turns, {least**2} to "
        f"{most**2} in all: a flat map becomes a checkerboard."
    )


def transposed(values: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    """A transposed convolution of one map by hand, without padding: what torch computes, in NumPy.

    (h, w) and (k, k) → ((h − 1)·stride + k, (w − 1)·stride + k).
    """
    k, (height, width) = len(weights), values.shape
    out = np.zeros(((height - 1) * stride + k, (width - 1) * stride + k))
    for i in range(height):
        for j in range(width):
            out[i * stride : i * stride + k, j * stride : j * stride + k] += values[i, j] * weights
    return out


def enlarged_then_convolved(values: np.ndarray, weights: np.ndarray, stride: int) -> np.ndarray:
    """Every cell repeated `stride` times along both axes, then a convolution whose padding repeats the edge.

    (h, w) and odd (k, k) → (h·stride, w·stride).
    """
    half = len(weights) // 2
    large = np.pad(np.kron(values, np.ones((stride, stride))), half, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(large, weights.shape)
    return np.einsum("ijab,ab->ij", windows, weights)


def enlarging_figure(size: int = 6, kernel: int = 3, stride: int = 2) -> Figure:
    """Transposed convolutions with an uneven and an even kernel, beside enlarging and convolving.

    Above, how stamps fall along one axis and how many each output adds up. Below, what comes out of a flat map of ones
    and of a round hill, with all weights of a kernel alike; colours mean the same along a row.

    Args:
        size: side of the map, 3 to 12.
        kernel: of the first transposed convolution; the second one has the next kernel that the stride divides.
        stride: how many times larger, 2 or more.

    Raises:
        UsageError: the drawing would be too small or too large to read.
    """
    if not 3 <= size <= _LARGEST or stride < 2 or kernel < stride:
        raise UsageError("this enlarging cannot be drawn so that it can be read",
                         got=f"size {size}, kernel {kernel}, stride {stride}",
                         allowed=f"size 3 to {_LARGEST}, stride 2 or more, a kernel of at least the stride",
                         fix="enlarging_figure(6, kernel=3, stride=2)")  # fmt: skip
    even = (kernel // stride + 1) * stride
    rows, columns = np.indices((size, size)) - (size - 1) / 2
    hill = np.exp(-(rows**2 + columns**2) / (size / 2.5) ** 2)
    figure = new_figure(12, 9.6)
    grid = figure.add_gridspec(3, 3, left=0.03, right=0.97, bottom=0.03, top=0.79, wspace=0.12, hspace=0.22,
                               height_ratios=(0.9, 1, 1))  # fmt: skip
    figure.text(0.03, 0.975, "Two ways to enlarge a map", fontsize=15, fontweight="bold", color=INK, va="top")
    figure.text(0.03, 0.94, explain_enlarging(size, kernel, stride), fontsize=8.5, color=INK, va="top", linespacing=1.5)
    for column, side in enumerate((kernel, even)):
        _stamp_panel(figure.add_subplot(grid[0, column]), size, side, stride)
    _repeat_panel(figure.add_subplot(grid[0, 2]), size, stride)
    for row, (name, values) in enumerate((("a flat map", np.ones((size, size))), ("a round hill", hill)), start=1):
        # Weights that keep the mean, so that the three can be compared.
        alike = [np.full((side, side), stride**2 / side**2) for side in (kernel, even)]
        outs = [transposed(values, weights, stride) for weights in alike]
        outs.append(enlarged_then_convolved(values, np.full((3, 3), 1 / 9), stride))
        for column, out in enumerate(outs):
            _map_panel(figure.add_subplot(grid[row, column]), name, out, most=max(one.max() for one in outs))
    return figure


def _stamp_panel(axes: Axes, size: int, kernel: int, stride: int) -> None:
    """Every input's stamp on a line of its own height, and the counts below."""
    from matplotlib.patches import Rectangle

    counts = stamps(size, kernel, stride)
    for place in range(size):
        y = 1.0 + place % (-(-kernel // stride) + 1)
        axes.add_patch(
            Rectangle((place * stride + 0.06, y), kernel - 0.12, 0.8, color=COLOURS["conv"], alpha=0.55, lw=0)
        )
        axes.text(place * stride + kernel / 2, y + 0.4, str(place + 1), ha="center", va="center", fontsize=8, color=INK)
    word = "divides" if kernel % stride == 0 else "does not divide"
    _counts_row(axes, counts, f"transposed {kernel}×{kernel}, stride {stride}: {stride} {word} {kernel}",
                top=2.2 + -(-kernel // stride))  # fmt: skip


def _repeat_panel(axes: Axes, size: int, stride: int) -> None:
    from matplotlib.patches import Rectangle

    for place in range(size):
        axes.add_patch(
            Rectangle((place * stride + 0.06, 1), stride - 0.12, 0.8, color=COLOURS["upsample"], alpha=0.55, lw=0)
        )
        axes.text((place + 0.5) * stride, 1.4, str(place + 1), ha="center", va="center", fontsize=8, color=INK)
    axes.add_patch(Rectangle((0.5 * size * stride - 1.5, 2), 3, 0.8, fill=False, edgecolor=COLOURS["conv"], lw=1.6))
    axes.text(0.5 * size * stride + 1.8, 2.4, "the 3×3 slides", va="center", fontsize=8, color=COLOURS["conv"])
    _counts_row(axes, [3] * (size * stride), f"enlarged {stride} times, then 3×3", top=3.2)


def _counts_row(axes: Axes, counts: list[int], title: str, top: float) -> None:
    """How many values each output adds up, dark where many."""
    from matplotlib.patches import Rectangle

    for place, count in enumerate(counts):
        shade = 0.12 + 0.5 * count / max(counts)
        axes.add_patch(Rectangle((place, 0), 1, 0.8, color=COLOURS["linear"], alpha=shade, lw=0))
        axes.text(place + 0.5, 0.4, str(count), ha="center", va="center", fontsize=7, color=INK)
    axes.set_title(title, fontsize=10, color=INK, loc="left")
    axes.text(0, -0.55, "values that each output adds up", fontsize=7.5, color=FAINT, va="center")
    axes.set_xlim(-0.2, len(counts) + 0.2)
    axes.set_ylim(-0.9, max(top, 3.2))
    axes.axis("off")


def _map_panel(axes: Axes, name: str, out: np.ndarray, most: float) -> None:
    axes.imshow(out, cmap="viridis", interpolation="nearest", vmin=0, vmax=most)
    low, high = f"{out.min():.2f}", f"{out.max():.2f}"
    values = f"{low} everywhere" if low == high else f"{low} to {high}"
    axes.set_title(f"{name} becomes {out.shape[0]}×{out.shape[1]}, {values}", fontsize=8.5, color=INK, loc="left")
    axes.axis("off")
