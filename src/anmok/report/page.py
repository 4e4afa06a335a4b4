"""The whole page: one file, no script, nothing fetched from anywhere."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

from anmok.core.files import write_text
from anmok.report.content import ReportContent
from anmok.report.html import notes, text
from anmok.report.sections.calibration import calibration
from anmok.report.sections.chapters import chapters
from anmok.report.sections.confusion import confusion
from anmok.report.sections.data import data
from anmok.report.sections.figures import classes, groups, headline
from anmok.report.sections.gallery import gallery
from anmok.report.sections.network import network
from anmok.report.sections.repeat import repeat
from anmok.report.sections.training import training

SECTIONS = (confusion, gallery, classes, groups, calibration, training, data, network, repeat)

# The browser itself refuses scripts and anything that would have to be fetched.
POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def render(content: ReportContent) -> str:
    """The report as one HTML document. The same content gives the same text."""
    body = [part for part in (*chapters(content), *(build(content) for build in SECTIONS)) if part]
    return document(content.title, content.summary, content.created, notes(content.warnings) + headline(content), body)


def document(title: str, summary: str, created: str, head: str, body: list[str]) -> str:
    """A page around sections of ready markup; `head` stands between the summary and the contents."""
    style = resources.files("anmok.report").joinpath("report.css").read_text(encoding="utf-8")
    told = f'<p class="summary">{text(summary)}</p>' if summary else ""
    when = f'<p class="created">{text(created)}</p>' if created else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><meta name="referrer" content="no-referrer">'
        f"<title>{text(title)}</title><style>{style}</style></head><body>"
        f"<header>{when}<h1>{text(title)}</h1>{told}{head}"
        f"{_contents(body)}</header><main>{''.join(body)}</main></body></html>\n"
    )


def write_report(path: str | Path, content: ReportContent) -> Path:
    """Write the report to `path`, whole or not at all; the folder must exist.

    Raises:
        UnwrittenError: the folder is missing, cannot be written, or the disk is full. An older report then stays.
    """
    return write_page(path, render(content))


def write_page(path: str | Path, page: str) -> Path:
    """Write a page to `path`, whole or not at all. Raises `UnwrittenError` as `write_report` does."""
    write_text(path, page)
    return Path(path)


def _contents(body: list[str]) -> str:
    found = [re.match(r'<section id="(\w+)"><h2>(.*?)</h2>', part) for part in body]
    links = "".join(f'<a href="#{match[1]}">{match[2]}</a>' for match in found if match)
    return f"<nav>{links}</nav>" if len(body) > 1 else ""
