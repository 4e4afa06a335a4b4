"""The confusion matrix as a heat-coloured table. A cell is a link: it opens its pictures below, without any script."""

from __future__ import annotations

import numpy as np

from anmok.report.content import Confusion, ReportContent
from anmok.report.html import number, per_cent, section, table, text
from anmok.report.sections.gallery import cards

LARGEST = 30  # classes; beyond, the commonest confusions are listed instead
LISTED = 40


def confusion(content: ReportContent) -> str:
    """The section, or nothing where the content has no matrix."""
    found = content.confusion
    if found is None or not len(found.classes):
        return ""
    few = len(found.classes) <= LARGEST
    hint = "Rows are the truth, columns the answers; colour is the share of the row."
    if found.counted != "pictures":
        hint += f" Numbers are per cent of the {found.counted} that are truly of the row's class."
    if found.pictures:
        hint += " Choose a number to see its pictures."
    lead = f'<p class="hint">{hint}</p>' if few else '<p class="hint">The commonest confusions.</p>'
    body = _matrix(found) if few else ""
    both = f'<div class="wide">{body}{_commonest(found, few)}</div>' if few else _commonest(found, few)
    return section("confusion", "What was taken for what", lead, both, _panels(found))


def _matrix(found: Confusion) -> str:
    counts = np.asarray(found.counts)
    rows_sum = np.maximum(counts.sum(axis=1), 1)
    heads = "".join(f'<th scope="col"><span>{text(name)}</span></th>' for name in found.classes)
    rows = []
    for row, name in enumerate(found.classes):
        cells = "".join(_cell(found, row, column, int(counts[row, column]), counts[row, column] / rows_sum[row])
                        for column in range(len(found.classes)))  # fmt: skip
        rows.append(f'<tr><th scope="row">{text(name)}</th>{cells}</tr>')
    corner = '<td class="corner">truth ↓ &nbsp; answer →</td>'
    return (f'<div class="scroll"><table class="matrix"><thead><tr>{corner}{heads}</tr></thead>'
            f"<tbody>{''.join(rows)}</tbody></table></div>")  # fmt: skip


def _cell(found: Confusion, row: int, column: int, count: int, share: float) -> str:
    kind = "right" if row == column else "wrong"
    strong = " strong" if share > 0.5 else ""
    if not count:
        return f'<td class="{kind} zero">·</td>'
    told = f"{found.classes[row]} answered as {found.classes[column]}: {count:,} {found.counted} ({100 * share:.1f} %)"
    shown = number(count) if found.counted == "pictures" else _whole_per_cent(share)
    if found.pictures.get((row, column)):
        shown = f'<a href="#cell-{row}-{column}">{shown}</a>'
    # Rare confusions must stay visible: the square root lifts 1 % to a tenth of the full colour.
    depth = share if row == column else share**0.5
    return f'<td class="{kind}{strong}" style="--a:{depth:.3f}" title="{text(told)}">{shown}</td>'


def _whole_per_cent(share: float) -> str:
    return f"{100 * share:.0f}" if 0.005 <= share <= 0.995 or share == 1 else "<1" if share < 0.5 else ">99"


def _panels(found: Confusion) -> str:
    """One hidden panel a cell; the address of its link makes it visible."""
    panels = []
    for (row, column), pictures in sorted(found.pictures.items()):
        if not pictures:
            continue
        count = int(np.asarray(found.counts)[row, column])
        right = row == column
        title = (f"{text(found.classes[row])}, answered rightly" if right
                 else f"{text(found.classes[row])} taken for {text(found.classes[column])}")  # fmt: skip
        shown = f"{len(pictures)} of {count} shown" if len(pictures) < count else f"{count} shown"
        heading = f'{title} <small>{shown}</small><a class="close" href="#confusion" aria-label="close">×</a>'
        panels.append(f'<div class="panel" id="cell-{row}-{column}"><h3>{heading}</h3>{cards(pictures)}</div>')
    return "".join(panels)


def _commonest(found: Confusion, few: bool) -> str:
    counts = np.array(found.counts)
    present = np.maximum(counts.sum(axis=1), 1)
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[: 8 if few else LISTED]
    rows = []
    for row, column in zip(*np.unravel_index(order, counts.shape), strict=True):
        count = int(counts[row, column])
        if not count:
            break
        shown = number(count)
        if found.pictures.get((int(row), int(column))):
            shown = f'<a href="#cell-{row}-{column}">{shown}</a>'
        rows.append([text(found.classes[row]), text(found.classes[column]), shown, per_cent(count / present[row])])
    return (
        table(["truth", "answered", found.counted, "share of truth"], rows, "ttnn", "Commonest confusions")
        if rows
        else ""
    )
