"""The figure that shows a picture beside its heat map, with their scale. It takes matplotlib a second to get ready."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence

import numpy as np
from matplotlib import font_manager, rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure

from anmok.explain._explanation import Explanation
from anmok.explain.overlay import COLOURS, as_rgb, overlay

# Class names may be Korean, Chinese or Japanese: the first of these that the machine has draws what DejaVu cannot.
FONTS = ("Noto Sans CJK KR", "Noto Sans KR", "NanumGothic", "Malgun Gothic", "Apple SD Gothic Neo", "UnDotum")


def explanation_png(
    picture: np.ndarray,
    explanation: Explanation,
    classes: Sequence[str] | None = None,
    verdict: str | None = None,
    answered: float | None = None,
) -> bytes:
    """Picture and overlay side by side with colour bar, class, score and verdict: a PNG file's bytes.

    Args:
        picture: uint8 (H, W, 1 or 3), of the heat map's size.
        explanation: from any explainer.
        classes: names by class id; None: the id itself is shown.
        verdict: a sentence below the pictures.
        answered: how sure the whole model is, where it does more than the network explained; None: the same.
    """
    name = classes[explanation.target] if classes is not None else f"class {explanation.target}"
    alone = f"{100 * explanation.score:.1f} %"
    score = alone if answered is None else f"{100 * answered:.1f} %"
    own = "" if score == alone else f"The network alone, uncalibrated and without a mirror image, says {alone}.\n"
    below = own + (explanation.scaling if verdict is None else f"{explanation.scaling}\n{verdict}")
    stream = io.BytesIO()
    with rc_context({"font.family": _fonts()}):
        figure = _panels(picture, explanation)
        # Class names are data: a dollar sign in them must not start mathematics.
        figure.suptitle(f"{name}   {score}", fontsize=13, x=0.03, ha="left", fontweight="bold", parse_math=False)
        figure.text(0.03, 0.13, _wrapped(below, 105), fontsize=7.5, color="0.35", va="top", parse_math=False)
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
