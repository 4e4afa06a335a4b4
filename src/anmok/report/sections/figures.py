"""Headline figures, each with its interval drawn to scale, and the same for every class."""

from __future__ import annotations

from anmok.report.content import ClassLine, Figure, ReportContent
from anmok.report.html import fold, number, per_cent, section, table, text

FOLD_BEYOND = 40  # classes


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
    lines = sorted(content.classes, key=lambda line: (line.f1[0] != line.f1[0], line.f1[0]))
    if not lines:
        return ""
    rows = [[text(line.name), number(line.pictures), *_cells(line)] for line in lines]
    shown = table(["class", "pictures", "precision", "recall", "F1", ""], rows, "tnnnnt")
    hint = ('<p class="hint">Weakest first. The bar spans the 95 % interval of F1; under each figure stands its own. '
            "Few pictures make wide intervals.</p>")  # fmt: skip
    return section("classes", "Class by class", hint, fold("All classes", shown) if len(lines) > FOLD_BEYOND else shown)


def _cells(line: ClassLine) -> list[str]:
    return [*(_cell(*figure) for figure in (line.precision, line.recall, line.f1)), span(*line.f1)]


def _cell(value: float, low: float, high: float) -> str:
    return f"{per_cent(value)}<small>{100 * low:.0f}–{100 * high:.0f}</small>"


def span(value: float, low: float, high: float) -> str:
    """An interval within [0, 1] drawn as a bar with a dot at the value."""
    if value != value:
        return ""
    return f'<span class="span" style="--l:{low:.4f};--h:{high:.4f};--v:{value:.4f}"></span>'
