"""Sections of a task's own: tables of shares with intervals, and pictures in several views."""

from __future__ import annotations

from collections.abc import Mapping

from anmok.report.content import Chapter, Grid, ReportContent, Views
from anmok.report.html import fold, image, number, per_cent, section, shortened, table, text
from anmok.report.sections.figures import span

FOLD_BEYOND = 40  # rows


def chapters(content: ReportContent) -> list[str]:
    """One section a chapter; none where the content has none."""
    return [_chapter(found) for found in content.chapters]


def _chapter(found: Chapter) -> str:
    hint = f'<p class="hint">{text(found.hint)}</p>' if found.hint else ""
    pictures = "".join(_views(views) for views in found.pictures)
    shown = f'{_legend(found.colours)}<div class="rows">{pictures}</div>' if pictures else ""
    return section(found.key, found.title, hint, *(_grid(grid) for grid in found.grids if grid.rows), shown)


def _grid(found: Grid) -> str:
    numeric = [all(not isinstance(row[column], str) for row in found.rows) for column in range(len(found.heading))]
    heading, kinds = list(found.heading), ["n" if is_number else "t" for is_number in numeric]
    rows = [[_cell(value) for value in row] for row in found.rows]
    if found.drawn is not None:
        heading.append(f"{found.heading[found.drawn]}, 0 to 100 %")
        kinds.append("t")
        for cells, row in zip(rows, found.rows, strict=True):
            value = row[found.drawn]
            cells.append(span(*value) if isinstance(value, tuple) else "")
    shown = table(heading, rows, "".join(kinds), found.caption)
    return fold(f"All {len(rows)} rows", shown) if len(rows) > FOLD_BEYOND else shown


def _cell(value: str | float | tuple[float, float, float]) -> str:
    if isinstance(value, str):
        return text(value)
    if not isinstance(value, tuple):
        return number(value)
    share, low, high = value
    known = low == low and high == high
    return f"{per_cent(share)}<small>{100 * low:.0f}–{100 * high:.0f}</small>" if known else per_cent(share)


def _views(found: Views) -> str:
    shown = "".join(
        f"<figure>{image(picture, f'{caption} of {found.id}')}<figcaption>{text(caption)}</figcaption></figure>"
        for caption, picture in found.views
    )
    note = f'<span class="note">{text(found.note)}</span>' if found.note else ""
    name = f'<code title="{text(found.id)}">{text(shortened(found.id, 40))}</code>'
    return f'<div class="views"><div class="strip">{shown}</div><p>{note} {name}</p></div>'


def _legend(colours: Mapping[str, tuple[int, int, int]]) -> str:
    keys = "".join(
        f'<span><i class="swatch" style="background:rgb{colour}"></i>{text(name)}</span>'
        for name, colour in colours.items()
    )
    return f'<p class="legend">{keys}</p>' if keys else ""
