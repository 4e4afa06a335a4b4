"""Hand-made filters on pictures: what a 3×3 kernel can do before anything is learned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from anmok.anatomy.figures import FAINT, INK, new_figure
from anmok.core.errors import UsageError, unknown_name

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KERNELS: Mapping[str, np.ndarray] = {
    "horizontal_line": np.array([[-1, -1, -1], [2, 2, 2], [-1, -1, -1]], float),
    "vertical_line": np.array([[-1, 2, -1], [-1, 2, -1], [-1, 2, -1]], float),
    "blur": np.full((3, 3), 1 / 9),
    "sharpen": np.array([[0, -1, 0], [-1, 5, -1], [0, -1, 0]], float),
    "edge": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]], float),
    "laplace": np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]], float),
    "sobel_x": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], float),
    "sobel_y": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]], float),
}
"""Kernels by name. Those that sum to 1 keep brightness; those that sum to 0 answer only where something changes."""


def apply_kernel(picture: np.ndarray, kernel: str | np.ndarray) -> np.ndarray:
    """A kernel's response at every pixel: each channel is weighted and summed under the sliding window.

    As networks do, the kernel is not turned round first (a correlation). Pixels beyond the edge repeat the edge.

    Args:
        picture: (H, W) or (H, W, C), uint8 or float.
        kernel: a name in `KERNELS`, or an array with odd sides.

    Returns:
        float64, shaped like `picture`. Responses may be negative or above 255; see `as_picture`.

    Raises:
        UsageError: for an unknown name, or an array that is no picture or no kernel.
    """
    if isinstance(kernel, str):
        if kernel not in KERNELS:
            raise unknown_name("kernel", kernel, KERNELS)
        kernel = KERNELS[kernel]
    weights = np.asarray(kernel, float)
    if weights.ndim != 2 or not all(side % 2 for side in weights.shape):
        raise UsageError("a kernel needs a middle", got=f"shape {weights.shape}", allowed="two odd sides", fix="(3, 3)")
    if picture.ndim not in (2, 3):
        raise UsageError(
            "this is no picture", got=f"shape {picture.shape}", allowed="(H, W) or (H, W, C)", fix="one picture"
        )
    above, beside = weights.shape[0] // 2, weights.shape[1] // 2
    around = [(above, above), (beside, beside), (0, 0)][: picture.ndim]
    padded = np.pad(picture.astype(float), around, mode="edge")
    height, width = picture.shape[:2]
    out = np.zeros(picture.shape)
    for (i, j), weight in np.ndenumerate(weights):
        if weight:
            out += weight * padded[i : i + height, j : j + width]
    return out


def as_picture(response: np.ndarray, kernel: str | np.ndarray | None = None) -> np.ndarray:
    """A response as uint8, to look at: rounded and clipped to [0, 255].

    For a kernel that sums to 0 the sign is direction, so its strength |response| is shown.
    """
    weights = KERNELS[kernel] if isinstance(kernel, str) else kernel
    if weights is not None and abs(float(weights.sum())) < 1e-9:
        response = np.abs(response)
    return np.clip(np.rint(response), 0, 255).astype(np.uint8)


def kernels_figure(picture: np.ndarray, kernels: Mapping[str, np.ndarray] = KERNELS) -> Figure:
    """The picture, and what each kernel makes of it with the kernel's numbers beside.

    Responses of kernels that sum to 0 are shown from −m (blue) over 0 (white) to m (red), with one m for all of them,
    so that strengths can be compared: 98 % of their responses lie within. The others are shown as pictures.
    """
    gray = picture.astype(float).mean(2) if picture.ndim == 3 else picture.astype(float)
    responses = {name: apply_kernel(gray, weights) for name, weights in kernels.items()}
    signed = [name for name, weights in kernels.items() if abs(weights.sum()) < 1e-9]
    most = float(np.quantile([np.abs(responses[name]) for name in signed], 0.98)) if signed else 0.0
    most = most or 1.0
    columns = 3
    rows = -(-(len(kernels) + 1) // columns)
    figure = new_figure(3.6 * columns, 3.1 * rows + 0.7)
    grid = figure.add_gridspec(rows, 2 * columns, width_ratios=[3, 1] * columns, left=0.02, right=0.98, bottom=0.02,
                               top=1 - 0.95 / (3.1 * rows + 0.7), hspace=0.18, wspace=0.06)  # fmt: skip
    for place, name in enumerate(["picture", *kernels]):
        row, column = divmod(place, columns)
        axes = figure.add_subplot(grid[row, 2 * column])
        axes.set_title(name.replace("_", " "), fontsize=10, color=INK, loc="left")
        axes.axis("off")
        if name == "picture":
            axes.imshow(gray, cmap="gray", vmin=0, vmax=255)
            continue
        if name in signed:
            axes.imshow(responses[name], cmap="RdBu_r", vmin=-most, vmax=most)
        else:
            axes.imshow(as_picture(responses[name]), cmap="gray", vmin=0, vmax=255)
        _numbers(figure, grid[row, 2 * column + 1], kernels[name])
    figure.text(0.02, 0.985, "Kernels by hand", fontsize=13, fontweight="bold", color=INK, va="top")
    scale = f"kernels that sum to 0: one scale, −{most:.0f} blue, 0 white, {most:.0f} red (98 % lie within)"
    scale += "; the others: gray values 0 to 255"
    figure.text(0.02, 0.985 - 0.28 / figure.get_figheight(), scale, fontsize=8.5, color=INK, va="top")
    return figure


def _numbers(figure: Figure, place: object, weights: np.ndarray) -> None:
    """The kernel as a small table of its numbers."""
    axes = figure.add_subplot(place)  # type: ignore[call-overload]
    height, width = weights.shape
    for (i, j), weight in np.ndenumerate(weights):
        text = "1/9" if abs(weight - 1 / 9) < 1e-9 else f"{weight:g}"
        axes.text(j, i, text, ha="center", va="center", fontsize=8, color=INK)
    for line in range(height + 1):
        axes.plot([-0.5, width - 0.5], [line - 0.5] * 2, color=FAINT, linewidth=0.6)
    for line in range(width + 1):
        axes.plot([line - 0.5] * 2, [-0.5, height - 0.5], color=FAINT, linewidth=0.6)
    axes.set_xlim(-0.55, width - 0.45)
    axes.set_ylim(height - 0.45, -0.55)
    axes.set_aspect("equal")
    axes.axis("off")
