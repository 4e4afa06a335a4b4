"""What was trained, how, and how it went."""

from __future__ import annotations

from anmok.report.chart import line_chart
from anmok.report.content import ReportContent
from anmok.report.html import facts, fold, image, section, table, text


def training(content: ReportContent) -> str:
    """Facts, curves and settings of the training."""
    curves = "".join(line_chart(chart) for chart in content.curves)
    sheet = "" if content.sheet is None else fold(
        "What augmentation does",
        f'<p class="hint">Each row is one picture: at its left as evaluation sees it, then as training did.</p>'
        f'<div class="sheet">{image(content.sheet, "augmented pictures")}</div>', opened=True,
    )  # fmt: skip
    rows = [[f"<code>{text(name)}</code>", text(value)] for name, value in content.settings.items()]
    return section(
        "training", "The training", facts(content.training), f'<div class="charts">{curves}</div>' if curves else "",
        sheet, fold("All settings", table(["setting", "value"], rows, "tt")) if rows else "",
    )  # fmt: skip
