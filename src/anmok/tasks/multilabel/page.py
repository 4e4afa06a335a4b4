"""This task's part of a report: class by class, and the pictures that are answered worst."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from anmok.explain.class_activation import class_activation
from anmok.explain.overlay import overlay
from anmok.metrics.proportion import Interval
from anmok.report.content import Chapter, Figure, Grid, ReportContent, Views
from anmok.tasks.classify.learning import Classify
from anmok.tasks.multilabel.measuring import Measured
from anmok.tasks.pictures import Decoded

HEADLINES = {"map": "mAP", "micro_f1": "micro F1", "macro_f1": "macro F1", "subset_accuracy": "all named exactly"}
WORST, NAMED = 12, 4  # pictures; classes named in a caption


def fill(page: ReportContent, model: Classify, decoded: Decoded, found: Measured) -> ReportContent:
    """The page with everything that this task has to show."""
    figures = [_figure(HEADLINES[name], figure) for name, figure in found.figures.items()]
    return replace(
        page,
        summary=f"{page.summary} {_sentence(found)}".strip(),
        figures=figures,
        chapters=[*page.chapters, _classes(found), *_worst(model, decoded, found)],
    )


def _sentence(found: Measured) -> str:
    precision, whole = found.figures["map"], found.figures["subset_accuracy"]
    which = "" if found.split == "all" else f"{found.split} "
    between = f" (95 % interval {precision.low:.1%} to {precision.high:.1%})" if precision.low == precision.low else ""
    return (
        f"On {len(found.ids):,} {which}pictures, mean average precision is {precision.value:.1%}{between}; of "
        f"{whole.value:.1%} exactly the classes they show are named."
    )


def _figure(name: str, figure: Interval) -> Figure:
    low, high = (value if value == value else None for value in (figure.low, figure.high))
    return Figure(name, figure.value, low, high, note=f"{figure.n:,} pictures")


def _classes(found: Measured) -> Chapter:
    rows = sorted(found.summary.labels, key=lambda row: (not row.pictures, row.average_precision.value))
    heading = ["class", "pictures", "answered", "average precision", "precision", "recall", "F1", "from a score of"]
    lines: list[Sequence[str | float | tuple[float, float, float]]] = [
        [row.name, row.pictures, row.answered,
         *(_triple(one) for one in (row.average_precision, row.precision, row.recall, row.f1)), f"{row.threshold:.1%}"]
        for row in rows
    ]  # fmt: skip
    hint = (
        "Weakest first; under each figure stands its 95 % interval. Average precision judges the order of the scores "
        "alone; the others judge the answers, given from the score in the last column on, which was chosen for the "
        "best F1 on validation pictures."
    )
    return Chapter("classes", "Class by class", hint, [Grid(heading, lines, drawn=3)])


def _triple(figure: Interval) -> tuple[float, float, float]:
    return figure.value, figure.low, figure.high


def _worst(model: Classify, decoded: Decoded, found: Measured) -> list[Chapter]:
    """The surest wrong decisions, each with where the network looked for that class."""
    scores, wrong = found.scores, found.answered != found.targets
    thresholds = np.asarray(found.judgement.thresholds)
    beyond = np.where(scores >= thresholds, (scores - thresholds) / np.maximum(1 - thresholds, 1e-6),
                      (thresholds - scores) / np.maximum(thresholds, 1e-6))  # fmt: skip
    how_wrong = np.where(wrong, beyond, -1.0)
    order = np.argsort(-how_wrong.max(1), kind="stable")[:WORST]
    chosen = [int(row) for row in order if wrong[row].any()]
    if not chosen:
        return []
    pixels = decoded.source.gather(found.rows[chosen])
    views = []
    for row, picture in zip(chosen, pixels, strict=True):
        place = int(how_wrong[row].argmax())
        shown = [("picture", picture), *_looked(model, decoded, picture, place)]
        views.append(Views(found.ids[row], shown, _told(model.classes, found, row, place)))
    hint = "The surest wrong decisions. Beside each picture: where the network looks for the class it is wrong about."
    count = int(wrong.any(1).sum())
    title = f"Worst mistakes, of {count:,} pictures with one" if count > len(chosen) else "Mistakes"
    return [Chapter("mistakes", title, hint, pictures=views)]


def _told(classes: Sequence[str], found: Measured, row: int, place: int) -> str:
    """What is there, what was answered, and the worst of it."""
    there, said = (
        ", ".join(classes[c] for c in np.flatnonzero(flags[row])[:NAMED]) or "none of the classes"
        for flags in (found.targets, found.answered)
    )
    fault = "is not there" if found.answered[row, place] else "was missed"
    return f"shows {there}; answered {said}. {classes[place]} ({found.scores[row, place]:.0%}) {fault}"


def _looked(model: Classify, decoded: Decoded, picture: np.ndarray, place: int) -> list[tuple[str, np.ndarray]]:
    size, store = decoded.preparation.size, decoded.preparation.store
    edge = (store - size) // 2
    centre = np.ascontiguousarray(picture[edge : edge + size, edge : edge + size])
    x = model.normalise(torch.from_numpy(centre[None]).permute(0, 3, 1, 2))[0]
    try:
        heat = class_activation(*_scorer(model, x, place)).heat
    except Exception:  # a network of the person's own may have no maps to weigh; the page does without
        return []
    return [(f"looks for {model.classes[place]}", overlay(centre, heat))]


def _scorer(model: Classify, x: torch.Tensor, place: int) -> tuple[torch.nn.Module, torch.Tensor, int]:
    scorer, target = model.to_explain(x, place)
    return scorer, x, int(target if target is not None else place)
