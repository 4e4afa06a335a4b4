"""The network: drawn, and layer by layer."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from anmok.report.content import Network, ReportContent
from anmok.report.html import facts, fold, number, section, table, text

FOLD_BEYOND = 30  # rows


def network(content: ReportContent) -> str:
    """The section, or nothing where the content has no network."""
    found = content.network
    if found is None:
        return ""
    return section("network", f"The network: {found.name}", facts(found.facts), _drawing(found), _layers(found))


def _drawing(found: Network) -> str:
    if found.drawing is None:
        return ""
    # As an image, not inline: scripts and links inside an image are dead, whoever drew it.
    source = base64.b64encode(found.drawing.encode()).decode()
    alt = text(f"drawing of {found.name}")
    return f'<div class="scroll paper"><img class="drawing" src="data:image/svg+xml;base64,{source}" alt="{alt}"></div>'


def _layers(found: Network) -> str:
    columns = list(dict.fromkeys(column for row in found.rows for column in row if column != "depth"))
    if not columns:
        return ""
    numeric = [_numeric(found, column) for column in columns]
    rows = [[_cell(row, column) for column in columns] for row in found.rows]
    kinds = "".join("n" if is_number else "t" for is_number in numeric)
    shown = table([column.replace("_", " ") for column in columns], rows, kinds)
    return fold(f"{len(rows)} layers", shown, opened=len(rows) <= FOLD_BEYOND)


def _numeric(found: Network, column: str) -> bool:
    values = [row.get(column) for row in found.rows]
    return all(value is None or isinstance(value, (int, float)) for value in values)


def _cell(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column)
    if value is None:
        return ""
    if isinstance(value, (tuple, list)):
        return text("\u202f×\u202f".join(str(part) for part in value))
    shown = number(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else text(value)
    depth = int(row.get("depth", 0)) if column == "name" else 0
    return f'<span style="padding-left:{depth}em">{shown}</span>' if depth else shown
