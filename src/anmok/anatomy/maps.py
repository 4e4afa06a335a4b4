"""What a network's layers hold and answer: filters and feature maps, as grids with one honest scale.

Every cell of a grid is drawn with the same scale, which the figure states; filters and other signed values are
symmetric around zero, so that white always means nothing.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from anmok.anatomy.figures import INK, new_figure
from anmok.anatomy.weightless import tensors_in
from anmok.core.errors import UsageError, unknown_name
from anmok.core.modes import evaluating

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def layer_named(net: nn.Module, name: str) -> nn.Module:
    """A module by its dotted name. Raises `UsageError` that names the nearest."""
    modules = dict(net.named_modules())
    if name not in modules or not name:
        raise unknown_name("layer", name, [known for known in modules if known])
    return modules[name]


def filters_of(net: nn.Module, layer: str | None = None) -> tuple[str, np.ndarray]:
    """A two-dimensional convolution's weights, by default the first one's: its name and (out, in, height, width).

    Raises:
        UsageError: where the layer is no such convolution, or the network has none.
    """
    convolutions = {name: part for name, part in net.named_modules() if isinstance(part, nn.Conv2d)}
    if layer is None and convolutions:
        layer = next(iter(convolutions))
    if layer is None or not isinstance(net if layer == "" else layer_named(net, layer), nn.Conv2d):
        raise UsageError("only a two-dimensional convolution has filters to look at", got=layer or type(net).__name__,
                         allowed=", ".join(name or "(the network itself)" for name in convolutions) or "none here",
                         fix="a layer from this list")  # fmt: skip
    return layer, convolutions[layer].weight.detach().float().cpu().numpy()


def feature_maps(net: nn.Module, picture: Tensor, layer: str, call: int = 1) -> np.ndarray:
    """What a layer answers for one picture: float32 (channels, height, width), or (features, 1, 1) for a vector.

    The network runs in eval mode without gradients; its mode is put back.

    Args:
        picture: (C, H, W) or (1, C, H, W), prepared as the network expects it.
        layer: dotted name of a module.
        call: which of its calls, where the network uses it more than once.

    Raises:
        UsageError: for an unknown layer, a layer that did not run, or an answer that has no maps.
    """
    answers: list[Tensor] = []
    handle = layer_named(net, layer).register_forward_hook(
        lambda module, args, out: answers.extend(t.detach().clone() for t in list(tensors_in(out))[:1])
    )
    try:
        with evaluating(net), torch.no_grad():
            net(picture[None] if picture.ndim == 3 else picture)
    finally:
        handle.remove()
    if len(answers) < call:
        raise UsageError("this layer did not answer", got=f"{layer}, call {call}", allowed=f"calls 1 to {len(answers)}"
                         if answers else "layers that run in eval mode", fix="another layer or call")  # fmt: skip
    return _as_maps(answers[call - 1].float().cpu().numpy()[0], layer)


def _as_maps(answer: np.ndarray, layer: str) -> np.ndarray:
    if answer.ndim == 3:
        return answer
    if answer.ndim == 1:
        return answer[:, None, None]
    raise UsageError(
        "this layer's answer has no maps",
        got=f"{layer}: shape {answer.shape} for one picture",
        allowed="(channels, height, width) or (features,)",
        fix="a convolution or a block of them",
    )


def filters_figure(name: str, weights: np.ndarray, limit: int = 64) -> Figure:
    """Filters as a grid: in colour where they read three channels, else one cell for each filter and channel.

    Args:
        name: of the layer, for the title.
        weights: (out, in, height, width), as `filters_of` gives them.
        limit: most cells drawn; the title says how many there are.
    """
    most = float(np.abs(weights).max()) or 1.0
    out, read, height, width = weights.shape
    scale = f"one scale for all: −{most:.3g} to {most:.3g}, zero in the middle"
    if read == 3:
        cells = weights[:limit].transpose(0, 2, 3, 1) / (2 * most) + 0.5
        return _grid(list(cells), f"{name}: {len(cells)} of {out} filters, {height}×{width}×3", f"{scale} (gray)", None)
    cells = weights.reshape(-1, height, width)[:limit]
    title = f"{name}: {out} filters of {height}×{width}×{read}"
    title += f", the first {len(cells)} of {out * read} planes" if len(cells) < out * read else ""
    return _grid(list(cells), title, scale, (-most, most))


def maps_figure(name: str, maps: np.ndarray, limit: int = 64) -> Figure:
    """Feature maps as a grid. Maps without negative values go from 0 (white) to the greatest (dark)."""
    low, high = float(maps.min()), float(maps.max())
    shown = list(maps[:limit])
    title = f"{name}: {len(shown)} of {len(maps)} maps, {maps.shape[1]}×{maps.shape[2]}"
    if low >= 0:
        return _grid(shown, title, f"one scale for all: 0 to {high:.3g}", (0.0, high or 1.0))
    most = max(-low, high)
    return _grid(shown, title, f"one scale for all: −{most:.3g} to {most:.3g}, zero white", (-most, most))


def _grid(cells: list[np.ndarray], title: str, scale: str, limits: tuple[float, float] | None) -> Figure:
    """Square-ish grid of pictures; `limits` for numbers (with a colour bar), None for colours."""
    columns = math.ceil(math.sqrt(len(cells)))
    rows = math.ceil(len(cells) / columns)
    side = min(1.0, 8 / columns)
    figure = new_figure(max(side * columns, 4.5) + 0.9, side * rows + 0.9)
    wide, high = figure.get_size_inches()
    figure.text(0.1 / wide, 1 - 0.12 / high, title, fontsize=11, fontweight="bold", color=INK, va="top")
    figure.text(0.1 / wide, 1 - 0.38 / high, scale, fontsize=8.5, color=INK, va="top")
    signed = limits is not None and limits[0] < 0
    image = None
    for place, cell in enumerate(cells):
        row, column = divmod(place, columns)
        gap = 0.06 * side
        box = [
            (0.1 + column * side) / wide,
            (0.1 + (rows - 1 - row) * side) / high,
            (side - gap) / wide,
            (side - gap) / high,
        ]
        axes = figure.add_axes(tuple(box))  # type: ignore[arg-type]
        if limits is None:
            axes.imshow(np.clip(cell, 0, 1), interpolation="nearest")
        else:
            image = axes.imshow(cell, cmap="RdBu_r" if signed else "gray_r", vmin=limits[0], vmax=limits[1],
                                interpolation="nearest")  # fmt: skip
        axes.set_xticks([])
        axes.set_yticks([])
        for spine in axes.spines.values():
            spine.set(linewidth=0.4, color="#c5cad3")
    if image is not None:
        bar = figure.add_axes(((wide - 0.65) / wide, 0.1 / high, 0.14 / wide, (side * rows - 0.06) / high))
        figure.colorbar(image, cax=bar).ax.tick_params(labelsize=7)
    return figure
