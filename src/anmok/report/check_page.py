"""The page of `anmok check`: what the pictures are and what is wrong with them, with the pictures concerned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anmok.core.errors import sentence
from anmok.report.content import Data, Picture, ReportContent
from anmok.report.html import facts, fold, image, notes, number, section, shortened, strips, table, text
from anmok.report.page import document, write_page
from anmok.report.sections.data import data


@dataclass(frozen=True)
class ShownProblem:
    """One kind of problem. `groups`: pictures side by side, each with its id, and a note below them."""

    sentence: str
    fix: str
    spoils: bool
    groups: Sequence[tuple[Sequence[tuple[str, Picture]], str]] = ()
    more: int = 0  # groups that are not shown


@dataclass(frozen=True)
class Histogram:
    """How often something occurs. `counted`: what the numbers count; `bins`: each with its range in words."""

    title: str
    counted: str
    bins: Sequence[tuple[str, int]]


@dataclass(frozen=True)
class CheckContent:
    """Everything the page shows. `moved`: pictures after each move that augmentation could make, by what it does to
    their class, in words."""

    title: str
    summary: str
    data: Data
    problems: Sequence[ShownProblem] = ()
    looks: Mapping[str, str] = field(default_factory=dict)
    histograms: Sequence[Histogram] = ()
    moved: Mapping[str, Sequence[Picture]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)
    command: str = ""
    created: str = ""


def render_check(content: CheckContent) -> str:
    """The page as one HTML document, without script and without anything to fetch."""
    spoiling = [problem for problem in content.problems if problem.spoils]
    others = [problem for problem in content.problems if not problem.spoils]
    body = [
        section("spoils", "What would spoil training", *map(_problem, spoiling)),
        section("look", "Worth a look", *map(_problem, others)),
        data(ReportContent(content.title, data=content.data)),
        section("looks", "How they look", facts(content.looks)),
        section("objects", "What is annotated", *map(_histogram, content.histograms)),
        section("augmentation", "What keeps a picture's class", strips(content.moved)),
        section("next", "What training would choose", facts(content.settings), _command(content.command)),
    ]
    verdict = notes([f"{len(spoiling)} of {len(content.problems)} findings would spoil training"] if spoiling else [])
    return document(content.title, content.summary, content.created, verdict, [part for part in body if part])


def write_check(path: str | Path, content: CheckContent) -> Path:
    """Write the page to `path`, whole or not at all. Raises `AnmokError` where that cannot be done."""
    return write_page(path, render_check(content))


def _problem(problem: ShownProblem) -> str:
    head = f"<h3>{text(sentence(problem.sentence))}</h3><p class='hint'>{text(sentence(problem.fix))}</p>"
    cards = "".join(_group(pictures, note) for pictures, note in problem.groups)
    more = f'<p class="hint">and {problem.more:,} more; <code>--json</code> lists them</p>' if problem.more else ""
    shown = f'<div class="cards">{cards}</div>' if cards else ""
    return head + (fold("Pictures", shown + more, opened=problem.spoils) if shown else "")


def _histogram(found: Histogram) -> str:
    most = max((count for _, count in found.bins), default=0) or 1
    rows = [[text(name), number(count), f'<span class="bar" style="--w:{count / most:.4f}"></span>']
            for name, count in found.bins]  # fmt: skip
    return table([found.title, found.counted, ""], rows, "tnt") if rows else ""


def _group(pictures: Sequence[tuple[str, Picture]], note: str) -> str:
    shown = "".join(image(picture, name) for name, picture in pictures)
    names = "".join(f'<code title="{text(name)}">{text(shortened(name, 34))}</code>' for name, _ in pictures)
    told = f'<span class="answer">{text(note)}</span>' if note else ""
    return f'<figure class="card"><div class="pictures">{shown}</div><figcaption>{told}{names}</figcaption></figure>'


def _command(command: str) -> str:
    return f"<pre>{text(command)}</pre>" if command else ""
