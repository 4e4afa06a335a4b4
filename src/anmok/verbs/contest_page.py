"""Networks trained on the same pictures as a page: the drawing, the table, and what holds of what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from anmok.report.content import Chapter, Grid, Repeat, ReportContent, Views
from anmok.report.page import write_report
from anmok.verbs.card import now
from anmok.verbs.contest_figure import contest_png

if TYPE_CHECKING:
    from anmok.verbs.contest import Contest


def contest_table(found: Contest) -> tuple[list[str], list[list[Any]]]:
    """Heading and rows: figures as (value, low, high), milliseconds a picture by part, minutes, parameters."""
    parts = list(found.contestants[0].seconds)
    heading = ["network", "year", *found.headlines, "ms a picture", *parts, "training, min", "parameters"]
    nothing = (float("nan"),) * 3
    rows = [
        [one.name, str(one.year), *(one.figures.get(name, nothing) for name in found.headlines),
         1e3 * sum(one.seconds.values()), *(1e3 * one.seconds[part] for part in parts), one.training / 60,
         float(one.parameters)]
        for one in found.contestants
    ]  # fmt: skip
    return heading, rows


def write_contest(found: Contest, path: Path) -> Path:
    """Write the page."""
    heading, rows = contest_table(found)
    for row in rows:
        row[2 + len(found.headlines) :] = [f"{value:.3g}" for value in row[2 + len(found.headlines) : -1]] + [
            f"{row[-1] / 1e6:.3g} M"
        ]
    hint = (
        f"Trained on the same pictures, judged on {found.pictures:,} test pictures that none of them saw. Times are of "
        "one picture after another, without reading files."
    )
    drawing = Views("what it cost and what it was worth", [("drawing", contest_png(found))])
    chapters = [Chapter("contest", "Side by side", hint, [Grid(heading, rows, drawn=2)], pictures=[drawing])]
    if found.remarks:
        lines: list[list[Any]] = [[remark] for remark in found.remarks]
        chapters.append(Chapter("claims", "What the papers say, and what holds here", "", [Grid(["claim"], lines)]))
    page = ReportContent(
        title=f"{found.task}: {len(found.contestants)} networks side by side",
        summary=f"{found.data}, on {found.machine.get('cpu', 'this machine')}.",
        created=now(),
        chapters=chapters,
        repeat=Repeat(f"anmok compare --task {found.task} {found.data} "
                      + " ".join(one.name for one in found.contestants)),
    )  # fmt: skip
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_report(path, page)
