"""Pictures with what was answered: the worst mistakes and the most doubtful answers."""

from __future__ import annotations

from collections.abc import Sequence

from anmok.report.content import ReportContent, Shown
from anmok.report.html import image, per_cent, section, shortened, text


def gallery(content: ReportContent) -> str:
    """Both galleries."""
    parts = []
    if content.mistakes:
        parts.append('<h3>Wrong, and surest of it</h3><p class="hint">Look here first for mislabelled pictures.</p>')
        parts.append(cards(content.mistakes))
    if content.doubtful:
        parts.append('<h3>Most doubtful</h3><p class="hint">The two likeliest classes were nearly equal.</p>')
        parts.append(cards(content.doubtful))
    return section("mistakes", "Mistakes and doubts", *parts)


def cards(pictures: Sequence[Shown]) -> str:
    """One card a picture: the picture, its explanation beside it, truth, answer, score and name."""
    return f'<div class="cards">{"".join(_card(shown) for shown in pictures)}</div>'


def _card(shown: Shown) -> str:
    known = shown.truth is not None
    kind = "" if not known else "right" if shown.truth == shown.answer else "wrong"
    sign = {"": "", "right": "✓ ", "wrong": "✗ "}[kind]
    pictures = image(shown.picture, shown.id)
    if shown.overlay is not None:
        pictures += image(shown.overlay, f"explanation of {shown.id}")
    truth = f'<span class="truth">is {text(shown.truth)}</span>' if kind == "wrong" else ""
    name = f'<code title="{text(shown.id)}">{text(shortened(shown.id))}</code>'
    note = f'<span class="note">{text(shown.note)}</span>' if shown.note else ""
    return (f'<figure class="card {kind}"><div class="pictures">{pictures}</div><figcaption>'
            f'<span class="answer">{sign}{text(shown.answer)} <b>{per_cent(shown.score, 0)}</b></span>{truth}'
            f'{note}{name}</figcaption></figure>')  # fmt: skip
