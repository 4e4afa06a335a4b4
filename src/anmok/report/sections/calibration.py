"""Whether 80 % certain means right in 80 of 100: the reliability curve."""

from __future__ import annotations

import math

from anmok.core.errors import sentence
from anmok.report.content import Calibration, ReportContent
from anmok.report.html import number, per_cent, section, text

SIDE, EDGE = 280, 34


def calibration(content: ReportContent) -> str:
    """The section, or nothing where the content has no calibration."""
    found = content.calibration
    if found is None or not sum(found.count):
        return ""
    return section("calibration", "How far to trust its certainty",
                   f'<div class="beside">{_curve(found)}<div>{_words(found)}</div></div>')  # fmt: skip


def _words(found: Calibration) -> str:
    pairs = [(c, a, n) for c, a, n in zip(found.confidence, found.accuracy, found.count, strict=True) if n]
    lean = sum((c - a) * n for c, a, n in pairs) / sum(found.count)
    manner = (
        "surer than it should be"
        if lean > 0.005
        else "less sure than it could be"
        if lean < -0.005
        else "well balanced"
    )
    words = [f"<p>On average certainty and accuracy lie <b>{per_cent(found.error)}</b> apart (expected calibration "
             f"error); the network is {manner}.</p>"]  # fmt: skip
    if found.temperature is not None:
        before = "" if found.error_before is None else f"; before, the error was {per_cent(found.error_before)}"
        done = "softened" if found.temperature >= 1 else "sharpened"
        words.append(f"<p>Certainties are {done} with a temperature of {number(found.temperature)}, fitted on "
                     f"validation pictures{text(before)}.</p>")  # fmt: skip
        if found.limit:
            words.append(f"<p>{text(sentence(found.limit))}</p>")
    if found.rejection:
        words.append(f"<p>{text(sentence(found.rejection))}</p>")
    words.append('<p class="hint">Each dot is a group of pictures with like certainty, the larger the more pictures. '
                 "On the diagonal, certainty is deserved; below it, the network promises too much.</p>")  # fmt: skip
    return "".join(words)


def _curve(found: Calibration) -> str:
    inner = SIDE - 2 * EDGE

    def place(x: float, y: float) -> tuple[float, float]:
        return round(EDGE + x * inner, 1), round(SIDE - EDGE - y * inner, 1)

    parts = []
    for value in (0.0, 0.25, 0.5, 0.75, 1.0):
        (x, floor), (left, y) = place(value, 0), place(0, value)
        parts.append(f'<path class="grid" d="M{left} {y}h{inner}"/><path class="grid" d="M{x} {floor}v{-inner}"/>')
        parts.append(f'<text x="{x}" y="{floor + 15}" text-anchor="middle">{100 * value:.0f}%</text>')
        parts.append(f'<text x="{left - 6}" y="{y + 4}" text-anchor="end">{100 * value:.0f}</text>')
    parts.append(f'<path class="mark" d="M{EDGE} {SIDE - EDGE}L{SIDE - EDGE} {EDGE}"/>')
    most = max(found.count)
    dots: list[str] = []
    path: list[str] = []
    for confidence, accuracy, count in zip(found.confidence, found.accuracy, found.count, strict=True):
        if not count or not math.isfinite(confidence + accuracy):
            continue
        x, y = place(confidence, accuracy)
        told = f"{count} pictures: certain {100 * confidence:.1f} %, right {100 * accuracy:.1f} %"
        radius = 2 + 5 * math.sqrt(count / most)
        dots.append(f'<circle class="s0" cx="{x}" cy="{y}" r="{radius:.1f}"><title>{told}</title></circle>')
        path.append(f"{'L' if path else 'M'}{x} {y}")
    parts.append(f'<path class="line s0" d="{"".join(path)}"/>{"".join(dots)}')
    parts.append(f'<text class="name" x="{SIDE - EDGE}" y="{SIDE - 4}" text-anchor="end">certainty</text>')
    parts.append(f'<text class="name" x="{EDGE}" y="{EDGE - 12}">accuracy</text>')
    label = f"Reliability curve, expected calibration error {100 * found.error:.1f} %"
    return (f'<figure class="square"><svg class="chart" viewBox="0 0 {SIDE} {SIDE}" role="img" aria-label="{label}">'
            f"{''.join(parts)}</svg></figure>")  # fmt: skip
