"""Translation's part of a report: there and back again, the worst, and how it came about epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from anmok.data.prepare_pictures import PreparedPictures
from anmok.metrics.proportion import Interval
from anmok.report.content import Chapter, Figure, Picture, ReportContent, Views
from anmok.tasks.translate.evaluating import sentences
from anmok.tasks.translate.learning import Translate
from anmok.tasks.translate.measuring import NEARER, Measured, Way
from anmok.tasks.translate.playing import AB, OTHER
from anmok.tasks.translate.sides import Side, sides

NAMES = {"error": "error against partners", "untouched": "error of untouched pictures", NEARER: "times nearer",
         "psnr": "PSNR, dB", "ssim": "SSIM", "cycle": "change there and back"}  # fmt: skip
SPREAD, WORST = 8, 4  # pictures a way


def fill(page: ReportContent, model: Translate, decoded: PreparedPictures, found: Measured) -> ReportContent:
    """The page with everything that translation has to show."""
    split = None if found.split == "all" else found.split
    shown = {side.way: side for side in sides(decoded, split, model.ways)}
    chapters = [_both_ways(model, way, shown[way.way]) for way in found.ways]
    told = [row["sentence"] for row in sentences(model, found)]
    figures = [
        _figure(model, name, way.way if len(found.ways) > 1 else "", figure)
        for way in found.ways
        for name, figure in way.figures
    ]
    return replace(
        page,
        summary=" ".join([page.summary, *told]).strip(),
        figures=figures,
        chapters=[*page.chapters, *chapters, *_course(model)],
    )


def _figure(model: Translate, name: str, way: str, figure: Interval) -> Figure:
    title = f"{NAMES[name]}, {model.told(way)}" if way else NAMES[name]
    return Figure(title, figure.value, figure.low, figure.high, kind="number", note=f"{figure.n:,} pictures")


def _both_ways(model: Translate, way: Way, side: Side) -> Chapter:
    """Some pictures evenly spread, then those farthest from what they should be."""
    by = "error" if "error" in way.values else "cycle"
    values = way.values[by]
    spread = np.linspace(0, len(values) - 1, min(SPREAD, len(values))).round().astype(int).tolist()
    worst = [k for k in np.argsort(-values, kind="stable").tolist() if k not in spread][:WORST]
    chosen = [*spread, *worst]
    first, second = model.domains if way.way == AB else model.domains[::-1]
    columns: list[tuple[str, np.ndarray]] = [(first, side.pictures(chosen))]
    columns.append((f"as {second}", model.translated(columns[0][1], way.way)))
    if OTHER[way.way] in model.game.generators:
        columns.append((f"and back, as {first}", model.translated(columns[1][1], OTHER[way.way])))
    partners = side.partners(chosen)
    if partners is not None:
        columns.append(("its partner", partners))
    views = []
    for row, place in enumerate(chosen):
        note = f"{NAMES[by]} {values[place]:.4f}" + (", one of the worst" if row >= len(spread) else "")
        pictures: list[tuple[str, Picture]] = [(name, column[row]) for name, column in columns]
        views.append(Views(side.ids[place], pictures, note))
    hint = f"{len(spread)} evenly spread, not chosen by hand, then {len(worst)} of the worst."
    return Chapter("into" + ("b" if way.way == AB else "a"), model.told(way.way), hint, pictures=views)


def _course(model: Translate) -> list[Chapter]:
    """The same pictures after every epoch that was kept; only a training run remembers them."""
    pages = model.album.pages
    if len(pages) < 2 or not model.watched:
        return []
    rows = [Views(name, [("given", given), *((f"epoch {k}", page[place]) for k, page in sorted(pages.items()))])
            for place, (name, given) in enumerate(_watched(model))]  # fmt: skip
    hint = "The same pictures after every epoch, or some of them: a game's losses do not tell this."
    return [Chapter("course", "How it came about", hint, pictures=rows)]


def _watched(model: Translate) -> Iterator[tuple[str, np.ndarray]]:
    """Names and pictures in the album's order."""
    for side in model.watched:
        pictures = side.pictures(list(range(min(model.album.each // len(model.ways), len(side)))))
        yield from zip(side.ids, pictures, strict=False)
