"""A detector's part of a report: what is missed, what is answered wrongly, and how, with pictures."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from anmok.core.types import Dataset
from anmok.metrics.detection import Answer
from anmok.metrics.proportion import Interval
from anmok.report.content import Chapter, Chart, Confusion, Figure, Grid, ReportContent, Series, Views
from anmok.tasks.detect.drawing import RIGHT, TRUE, WRONG, answered, truth
from anmok.tasks.detect.measuring import Measured

HEADLINES = {"map": "mAP 50–95", "map50": "mAP 50", "precision": "precision", "recall": "recall"}
WORST, SPREAD = 8, 4  # pictures
TOLD = {
    "class": "right place, wrong class",
    "place": "right class, box too far off",
    "both": "wrong class and box too far off",
    "duplicate": "a second box for the same object",
    "background": "nothing is there",
    "missed": "an object without an answer",
}


def fill(page: ReportContent, dataset: Dataset, found: Measured, classes: tuple[str, ...]) -> ReportContent:
    """The page with everything that detection has to show."""
    ap = found.summary.figures["map50"]
    between = f" (95 % interval {ap.low:.1%} to {ap.high:.1%})" if ap.low == ap.low else ""
    sentence = (
        f"On {len(found.entries):,} {'' if found.split == 'all' else found.split + ' '}pictures mean average precision "
        f"at half overlap is {ap.value:.1%}{between}."
    )
    return replace(
        page,
        summary=f"{page.summary} {sentence}".strip(),
        figures=[_figure(HEADLINES[name], found.figures[name]) for name in HEADLINES],
        curves=[*page.curves, _curves(found, classes)],
        chapters=[*page.chapters, _pictures(dataset, found, classes), _classes(found), _mistakes(found)],
        confusion=Confusion([*classes, "background"], found.summary.confusion, counted="objects"),
    )


def _figure(name: str, figure: Interval) -> Figure:
    low, high = (value if value == value else None for value in (figure.low, figure.high))
    return Figure(name, figure.value, low, high, note=f"{figure.n:,}")


def _curves(found: Measured, classes: tuple[str, ...]) -> Chart:
    lines = [
        Series(name, np.asarray(curve.recall).tolist(), np.asarray(curve.precision).tolist())
        for name, curve in zip(classes, found.summary.curves, strict=True)
        if len(curve.recall)
    ]
    return Chart("Precision by recall, at half overlap", lines, "recall", "share")


def _pictures(dataset: Dataset, found: Measured, classes: tuple[str, ...]) -> Chapter:
    """The worst pictures, and some from the best down: what is there beside what was answered."""
    values = found.summary.pictures
    order = np.argsort(np.where(np.isfinite(values), values, np.inf), kind="stable")
    others = order[::-1][np.linspace(0, max(0, len(order) - WORST - 1), SPREAD).round().astype(int)]
    wrong = defaultdict(set)
    for mistake in found.summary.errors.mistakes:
        if mistake.answer is not None:
            wrong[mistake.picture].add(mistake.answer)
    views = []
    for place in dict.fromkeys([*order[:WORST].tolist(), *others.tolist()]):
        entry, answer = found.entries[place], found.tally.answers[place].best()
        kept = answer.scores >= found.summary.threshold
        shown = Answer(answer.boxes[kept], answer.labels[kept], answer.scores[kept])
        pixels = dataset.pictures.read(entry.locator)
        note = f"F1 {values[place]:.0%}" if np.isfinite(values[place]) else "nothing there, nothing answered"
        views.append(
            Views(entry.id, [("truth", truth(pixels, entry.target, classes)),
                             ("answer", answered(pixels, shown, classes, wrong[place]))], note)
        )  # fmt: skip
    hint = (
        f"First the {min(WORST, len(order))} worst, then some from the best down. Answers from a score of "
        f"{found.summary.threshold:.0%} on."
    )
    return Chapter("pictures", "Picture by picture", hint, colours={"there": TRUE, "right": RIGHT, "wrong": WRONG},
                   pictures=views)  # fmt: skip


def _classes(found: Measured) -> Chapter:
    nan = float("nan")
    rows: list[Sequence[Any]] = [
        [row.name, row.objects, row.answered, (row.map, nan, nan), (row.map50, nan, nan),
         *((value.value, value.low, value.high) for value in (row.precision, row.recall))]
        for row in sorted(found.summary.classes, key=lambda row: (row.map50 != row.map50, row.map50))
    ]  # fmt: skip
    heading = ["class", "objects", "answered", "AP 50–95", "AP 50", "precision", "recall"]
    known = {name: value for name, value in found.summary.coco.items() if value == value}
    sizes: list[Sequence[Any]] = [[name.replace("_", " "), (value, nan, nan)] for name, value in known.items()]
    return Chapter("classes", "Class by class, and by size", "Weakest first.",
                   [Grid(heading, rows, drawn=4), Grid(["COCO's figures", "value"], sizes)])  # fmt: skip


def _mistakes(found: Measured) -> Chapter:
    errors = found.summary.errors
    rows: list[Sequence[Any]] = [[TOLD.get(kind, kind), int(count), f"{100 * errors.costs.get(kind, float('nan')):.1f}"]
            for kind, count in errors.counts.items()]  # fmt: skip
    hint = "What mending all mistakes of one kind would add to mAP 50, in points (Bolya et al., TIDE, 2020)."
    return Chapter("mistakes", "What goes wrong", hint, [Grid(["mistake", "how often", "costs"], rows)])
