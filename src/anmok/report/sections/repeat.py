"""How to do it again."""

from __future__ import annotations

from anmok.report.content import ReportContent
from anmok.report.html import facts, section, text


def repeat(content: ReportContent) -> str:
    """The command and what it depends on, or nothing where the content says neither."""
    found = content.repeat
    if found is None:
        return ""
    return section("repeat", "How to repeat it", f"<pre><code>{text(found.command)}</code></pre>", facts(found.facts))
