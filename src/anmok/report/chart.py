"""Line charts as inline SVG, small enough to be read on a phone. Colours come from the style sheet, light or dark."""

from __future__ import annotations

import math
from collections.abc import Sequence

from anmok.report.content import Chart, Series
from anmok.report.html import number, text

WIDTH, HEIGHT = 380, 240
LEFT, RIGHT, TOP, BOTTOM = 46, 12, 14, 34
MOST_POINTS = 400  # of one line; more than a chart this size can show


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Round values from within [low, high], at most `most` + 1.

    >>> ticks(0, 1), ticks(0.83, 0.94)
    ([0.0, 0.2, 0.4, 0.6, 0.8, 1.0], [0.85, 0.9])
    """
    if not high > low:
        return [low]
    rough = (high - low) / most
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough * (1 - 1e-9))
    first = math.ceil(low / step - 1e-9)
    return [round(place * step, 12) for place in range(first, math.floor(high / step + 1e-9) + 1)]


def line_chart(chart: Chart) -> str:
    """The chart as a `<figure>`; empty where no line has a finite point."""
    points = [_points(series, chart.log) for series in chart.series]
    xs = [x for line in points for x, _ in line if math.isfinite(x)]
    ys = [y for line in points for _, y in line if math.isfinite(y)]
    if not ys:
        return ""
    scale = _Scale(min(xs), max(xs), *_padded(min(ys), max(ys), chart.kind == "share" and not chart.log))
    parts = [_grid(scale, chart)]
    if chart.mark is not None:
        parts.append(_mark(scale, *chart.mark))
    parts += [_line(scale, line, place) for place, line in enumerate(points)]
    described = "; ".join(f"{series.name}: {_last(series)}" for series in chart.series)
    label = f"{text(chart.title)}: {text(described)}"
    svg = f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">'
    return f"<figure><figcaption>{text(chart.title)}</figcaption>{svg}{''.join(parts)}</svg>{_legend(chart)}</figure>"


class _Scale:
    """Data to pixels."""

    def __init__(self, x_low: float, x_high: float, y_low: float, y_high: float) -> None:
        self.x_low, self.x_high = (x_low, x_high) if x_high > x_low else (x_low - 0.5, x_low + 0.5)
        self.y_low, self.y_high = y_low, y_high

    def x(self, value: float) -> float:
        return round(LEFT + (value - self.x_low) / (self.x_high - self.x_low) * (WIDTH - LEFT - RIGHT), 1)

    def y(self, value: float) -> float:
        return round(HEIGHT - BOTTOM - (value - self.y_low) / (self.y_high - self.y_low) * (HEIGHT - TOP - BOTTOM), 1)


def _points(series: Series, log: bool) -> list[tuple[float, float]]:
    pairs = [(float(x), float(y)) for x, y in zip(series.x, series.y, strict=True)]
    if log:
        pairs = [(x, math.log10(y) if y > 0 else math.nan) for x, y in pairs]
    if len(pairs) > MOST_POINTS:
        pairs = [pairs[round(place * (len(pairs) - 1) / (MOST_POINTS - 1))] for place in range(MOST_POINTS)]
    return pairs


def _padded(low: float, high: float, share: bool) -> tuple[float, float]:
    """The range with some room; shares keep within 0 and 1."""
    within = share and low >= 0 and high <= 1
    room = 0.06 * (high - low) or 0.05 * (abs(high) or 1.0)
    return (max(0.0, low - room), min(1.0, high + room)) if within else (low - room, high + room)


def _grid(scale: _Scale, chart: Chart) -> str:
    right, floor = WIDTH - RIGHT, HEIGHT - BOTTOM
    parts = []
    for value in ticks(scale.y_low, scale.y_high):
        height = scale.y(value)
        label = f"{100 * value:.4g}%" if chart.kind == "share" else number(10**value if chart.log else value)
        parts.append(f'<path class="grid" d="M{LEFT} {height}H{right}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{height + 4}" text-anchor="end">{text(label)}</text>')
    for value in ticks(scale.x_low, scale.x_high, 6):
        parts.append(f'<text x="{scale.x(value)}" y="{floor + 16}" text-anchor="middle">{text(f"{value:.6g}")}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {floor}H{right}"/>')
    parts.append(f'<text class="name" x="{right}" y="{HEIGHT - 3}" text-anchor="end">{text(chart.x_label)}</text>')
    return "".join(parts)


def _mark(scale: _Scale, value: float, label: str) -> str:
    if not scale.x_low <= value <= scale.x_high:
        return ""
    place = scale.x(value)
    anchor = "end" if place > WIDTH * 0.6 else "start"
    shift = -5 if anchor == "end" else 5
    told = f'<text class="name" x="{place + shift}" y="{TOP + 4}" text-anchor="{anchor}">{text(label)}</text>'
    return f'<path class="mark" d="M{place} {TOP}V{HEIGHT - BOTTOM}"/>{told}'


def _line(scale: _Scale, points: Sequence[tuple[float, float]], place: int) -> str:
    path, joined, lonely = [], False, []
    for number_, (x, y) in enumerate(points):
        if not (math.isfinite(x) and math.isfinite(y)):
            joined = False
            continue
        path.append(f"{'L' if joined else 'M'}{scale.x(x)} {scale.y(y)}")
        after = number_ + 1 < len(points) and math.isfinite(points[number_ + 1][1])
        if not joined and not after:
            lonely.append(f'<circle class="s{place % 4}" cx="{scale.x(x)}" cy="{scale.y(y)}" r="3"/>')
        joined = True
    return f'<path class="line s{place % 4}" d="{"".join(path)}"/>{"".join(lonely)}'


def _last(series: Series) -> str:
    finite = [value for value in series.y if math.isfinite(value)]
    return number(float(finite[-1])) if finite else "no value"


def _legend(chart: Chart) -> str:
    if len(chart.series) < 2:
        return ""
    key = '<svg class="chart key" viewBox="0 0 26 8" aria-hidden="true"><path class="line s{}" d="M1 4H25"/></svg>'
    return '<p class="legend">' + "".join(
        f"<span>{key.format(place % 4)}{text(series.name)}</span>" for place, series in enumerate(chart.series)
    ) + "</p>"  # fmt: skip
