"""A heat map laid over its picture, and the figure that shows both with their scale."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps, font_manager, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from anmok.core.errors import UsageError
from anmok.explain._explanation import Explanation

COLOURS = "inferno"  # perceptually uniform: bright is hot, in grey print and for colour-blind readers too
# Class names may be Korean, Chinese or Japanese: the first of these that the machine has draws what DejaVu cannot.
FONTS = ("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo", "UnDotum")


def as_rgb(picture: np.ndarray) -> np.ndarray:
    """A uint8 picture (H, W), (H, W, 1) or (H, W, 3) as (H, W, 3)."""
    picture = picture[..., None] if picture.ndim == 2 else picture
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] not in (1, 3):
        raise UsageError("not a picture", got=f"{picture.dtype} {picture.shape}",
                         allowed="uint8, (height, width, 1 or 3)")  # fmt: skip
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def overlay(picture: np.ndarray, heat: np.ndarray, strength: float = 0.75) -> np.ndarray:
    """The heat map over the picture: uint8 (H, W, 3). Cold places show the picture itself, in grey.

    Args:
        picture: uint8 (H, W), (H, W, 1) or (H, W, 3).
        heat: (H, W) in [0, 1].
        strength: how much of the hottest places the colour covers, in [0, 1].
    """
    rgb = as_rgb(picture).astype(np.float64)
    if heat.shape != rgb.shape[:2]:
        raise UsageError("heat map and picture differ in size", got=f"{heat.shape} and {rgb.shape[:2]}")
    grey = (rgb @ np.array([0.299, 0.587, 0.114]))[..., None]
    cover = strength * np.clip(heat, 0, 1)[..., None] ** 0.75
    colour = colormaps[COLOURS](np.clip(heat, 0, 1))[..., :3] * 255
    return np.clip((1 - cover) * grey + cover * colour, 0, 255).round().astype(np.uint8)


def explanation_png(
    picture: np.ndarray, explanation: Explanation, classes: Sequence[str] | None = None, verdict: str | None = None
) -> bytes:
    """Picture and overlay side by side with colour bar, class, score and verdict: a PNG file's bytes.

    Args:
        picture: uint8 (H, W, 1 or 3), of the heat map's size.
        explanation: from any explainer.
        classes: names by class id; None: the id itself is shown.
        verdict: a sentence below the pictures.
    """
    name = classes[explanation.target] if classes is not None else f"class {explanation.target}"
    below = explanation.scaling if verdict is None else f"{explanation.scaling}\n{verdict}"
    stream = io.BytesIO()
    with rc_context({"font.family": _fonts()}):
        figure = _panels(picture, explanation)
        # Class names are data: a dollar sign in them must not start mathematics.
        heading = f"{name}   {100 * explanation.score:.1f} %"
        figure.suptitle(heading, fontsize=13, x=0.03, ha="left", fontweight="bold", parse_math=False)
        figure.text(0.03, 0.02, _wrapped(below, 105), fontsize=7.5, color="0.35", va="bottom", parse_math=False)
        figure.savefig(stream, format="png", bbox_inches="tight", facecolor="white")
    return stream.getvalue()


def _panels(picture: np.ndarray, explanation: Explanation) -> Figure:
    height, width = explanation.heat.shape
    smooth = "nearest" if max(height, width) < 100 else "antialiased"
    panel = 3.4
    figure = Figure(figsize=(2 * panel + 0.8, panel * min(2.0, max(0.6, height / width)) + 1.4), dpi=120)
    figure.subplots_adjust(left=0.03, right=0.98, top=0.86, bottom=0.15, wspace=0.06)
    FigureCanvasAgg(figure)
    axes = figure.subplots(1, 2)
    where = f", layer {explanation.layer}" if explanation.layer else ""
    titles = ("picture", f"{explanation.method.replace('_', ' ')}{where}")
    for axis, shown, title in zip(axes, (as_rgb(picture), overlay(picture, explanation.heat)), titles, strict=True):
        axis.imshow(shown, interpolation=smooth)
        axis.set_title(title, fontsize=9, loc="left", color="0.35", parse_math=False)
        axis.set_axis_off()
    bar = figure.colorbar(ScalarMappable(cmap=COLOURS), ax=list(axes), fraction=0.03, pad=0.02, ticks=[0, 0.5, 1])
    bar.ax.tick_params(labelsize=8)
    bar.outline.set_visible(False)  # type: ignore[operator]
    return figure


def _fonts() -> list[str]:
    known = set(font_manager.get_font_names())
    return ["DejaVu Sans", *(font for font in FONTS if font in known)]


def _wrapped(text: str, width: int) -> str:
    return "\n".join(line for part in text.splitlines() for line in textwrap.wrap(part, width))
