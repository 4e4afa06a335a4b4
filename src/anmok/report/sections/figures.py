"""Headline figures, each with its interval drawn to scale, and the same for every class."""

from __future__ import annotations

import math
from collections.abc import Sequence

from anmok.report.content import ClassLine, Figure, ReportContent
from anmok.report.html import fold, number, per_cent, section, table, text

FOLD_BEYOND = 40  # classes
MOST_GROUPS = 200  # of perhaps thousands


def headline(content: ReportContent) -> str:
    """Large numbers under the title."""
    return (
        f'<div class="figures">{"".join(_figure(figure) for figure in content.figures)}</div>'
        if content.figures
        else ""
    )


def _figure(figure: Figure) -> str:
    write = per_cent if figure.kind == "share" else number
    interval = ""
    if figure.low is not None and figure.high is not None:
        interval = f'<span class="interval">95 %: {write(figure.low)} to {write(figure.high)}</span>'
    note = f'<span class="note">{text(figure.note)}</span>' if figure.note else ""
    return (f'<div class="figure"><span class="name">{text(figure.name)}</span>'
            f'<span class="value">{write(figure.value)}</span>{interval}{note}</div>')  # fmt: skip


def classes(content: ReportContent) -> str:
    """The table of classes, the weakest first."""
    lines = sorted(content.classes, key=lambda line: (math.isnan(line.f1[0]), line.f1[0]))
    if not lines:
        return ""
    start = _axis_start(lines)
    rows = [[text(line.name), number(line.pictures), *_cells(line, start)] for line in lines]
    axis = f"F1, {100 * start:.0f} to 100 %"
    shown = table(["class", "pictures", "precision", "recall", "F1", axis], rows, "tnnnnt")
    hint = ('<p class="hint">Weakest first. Under each figure stands its 95 % interval, and the bar spans that of F1. '
            "Few pictures make wide intervals.</p>")  # fmt: skip
    return section("classes", "Class by class", hint, fold("All classes", shown) if len(lines) > FOLD_BEYOND else shown)


def groups(content: ReportContent) -> str:
    """The table of groups, the weakest first: a mean over all pictures can hide a camera that never works."""
    lines = sorted(content.groups, key=lambda line: line.accuracy[0])[:MOST_GROUPS]
    if not lines:
        return ""
    rows = [[text(line.name), number(line.pictures), _cell(*line.accuracy), span(*line.accuracy)] for line in lines]
    shown = table(["group", "pictures", "accuracy", "0 to 100 %"], rows, "tnnt")
    more = len(content.groups) - len(lines)
    told = f" The {more:,} strongest of {len(content.groups):,} are left out." if more else ""
    hint = f'<p class="hint">Weakest first; under each figure stands its 95 % interval.{told}</p>'
    return section("groups", "Group by group", hint, fold("All groups", shown) if len(lines) > FOLD_BEYOND else shown)


def _axis_start(lines: Sequence[ClassLine]) -> float:
    """The tenth below the lowest interval: differences between good classes stay visible."""
    lows = [line.f1[1] for line in lines if math.isfinite(line.f1[0])]
    return min(0.9, math.floor(10 * max(0.0, min(lows, default=0.0))) / 10)


def _cells(line: ClassLine, start: float) -> list[str]:
    figures = (line.precision, line.recall, line.f1)
    scaled = ((value - start) / (1 - start) for value in line.f1)
    return [*(_cell(*figure) for figure in figures), span(*scaled)]


def _cell(value: float, low: float, high: float) -> str:
    return f"{per_cent(value)}<small>{100 * low:.0f}–{100 * high:.0f}</small>"


def span(value: float, low: float, high: float) -> str:
    """An interval within [0, 1] drawn as a bar with a line at the value."""
    if not math.isfinite(value):
        return ""
    return f'<span class="span" style="--l:{low:.4f};--h:{high:.4f};--v:{value:.4f}"></span>'
