"""How what masks and boxes hold looks in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_BAR = 24  # characters of the longest bar
_SHOWN = 12  # classes listed by their share of pixels


def targets_text(statistics: Mapping[str, Any]) -> list[str]:
    """Lines about masks and boxes, where there are any."""
    return [*_masks(statistics.get("masks")), *_objects(statistics.get("objects"))]


def _masks(found: Mapping[str, Any] | None) -> list[str]:
    if not found:
        return []
    rows = sorted(found["pixels"], key=lambda row: -row["share"])
    shares = ", ".join(f"{row['class']} {row['share']:.2%}" for row in rows[:_SHOWN])
    more = f", and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    lines = [f"pixels: {shares}{more}"]
    if found["ignored"]:
        lines.append(f"ignored: {found['ignored']:.2%} of pixels (value {found['ignore_value']})")
    if found["suggested_to_ignore"]:
        lines.append(f"better ignored, as it seems: {', '.join(found['suggested_to_ignore'])}")
    return lines


def _objects(found: Mapping[str, Any] | None) -> list[str]:
    if not found:
        return []
    lines = [f"boxes: {found['boxes']:,}, {found['outlines']:,} with an outline; "
             f"{found['pictures_without_boxes']:,} pictures without"]  # fmt: skip
    for name, words in (("boxes_a_picture", "boxes a picture"), ("side", "√area in pixels"),
                        ("aspect", "width / height")):  # fmt: skip
        if name in found:
            lines.append(f"{words}: {', '.join(f'{word} {value:.3g}' for word, value in found[name].items())}")
    return [*lines, *_histogram("√area", found["sides"]), *_histogram("width / height", found["aspects"])]


def _histogram(what: str, bins: Sequence[Mapping[str, float]]) -> list[str]:
    most = max((one["boxes"] for one in bins), default=0)
    lines = []
    for one in bins:
        bar = "█" * round(_BAR * one["boxes"] / most) or ("▏" if one["boxes"] else "")
        lines.append(f"  {what} {_range(one['low'], one['high']):>14}  {bar} {one['boxes']:,}")
    return lines


def _range(low: float, high: float) -> str:
    return f"from {low:.3g}" if high == float("inf") else f"{low:.3g} to {high:.3g}"
