"""Reconstruction's part of a report: originals beside answers, the worst first; by class; the space of codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from anmok.core.types import Report
from anmok.data.load import load_data
from anmok.data.prepare_pictures import PreparedPictures
from anmok.metrics.proportion import Interval
from anmok.report.content import Chapter, Figure, Grid, ReportContent, Views
from anmok.tasks.decoding import decode
from anmok.tasks.reconstruct.learning import Reconstruct
from anmok.tasks.reconstruct.looking import codes_of, seen
from anmok.tasks.reconstruct.measuring import Measured, class_rows
from anmok.tasks.reconstruct.seeing import FEWEST, drawn, legend, views
from anmok.tasks.reconstruct.unusual import unusual_others, unusual_own

NAMES = {"psnr": "PSNR, dB", "ssim": "SSIM", "psnr_damaged": "PSNR before, dB", "ssim_damaged": "SSIM before",
         "evidence": "evidence, nats", "bits_per_value": "bits a value",
         "perceptual": "perceptual distance"}  # fmt: skip
WORST, SPREAD = 6, 10  # pictures


def fill(
    page: ReportContent, model: Reconstruct, decoded: PreparedPictures, found: Measured, report: Report | None
) -> ReportContent:
    """The page with everything that reconstruction has to show. `report`: of an evaluation; None: of training."""
    split = None if found.split == "all" else found.split
    chapters = [_pictures(model, decoded, found, split), *_classes(found, decoded)]
    if len(found.ids) >= FEWEST:
        chapters += _codes(model, decoded, split)
    chapters += _unusual(model, decoded, split, report)
    told = [] if model.threshold is None else [model.threshold.sentence + "."]
    told += [] if report is None else [row["sentence"] for row in report.tables.get("novelty", ())]
    return replace(
        page,
        summary=" ".join([page.summary, _sentence(found), *told]).strip(),
        figures=[_figure(name, figure) for name, figure in found.figures.items()],
        chapters=[*page.chapters, *chapters],
    )


def _sentence(found: Measured) -> str:
    psnr, which = found.figures["psnr"], "" if found.split == "all" else f"{found.split} "
    before = found.figures.get("psnr_damaged")
    told = (
        f"On {psnr.n:,} {which}pictures, answers lie {psnr.value:.2f} dB from the originals "
        f"(PSNR, 95 % interval {psnr.low:.2f} to {psnr.high:.2f}; more is nearer)"
    )
    return f"{told}; the damaged pictures lay at {before.value:.2f} dB." if before else f"{told}."


def _figure(name: str, figure: Interval) -> Figure:
    return Figure(NAMES[name], figure.value, figure.low, figure.high, kind="number", note=f"{figure.n:,} pictures")


def _pictures(model: Reconstruct, decoded: PreparedPictures, found: Measured, split: str | None) -> Chapter:
    values = found.values["psnr"]
    order = np.argsort(np.where(np.isfinite(values), values, -np.inf), kind="stable")
    rest = order[WORST:]
    spread = rest[np.linspace(0, len(rest) - 1, min(SPREAD, len(rest))).round().astype(int)] if len(rest) else rest
    chosen = [*order[:WORST].tolist(), *spread.tolist()]
    views = []
    for place, one in seen(model, decoded, split, chosen).items():
        given = [] if one.given is None else [("given", one.given)]
        shown = [("original", one.target), *given, ("answer", one.answer), ("error", one.error)]
        views.append(Views(one.id, shown, f"{values[place]:.1f} dB, SSIM {found.values['ssim'][place]:.3f}"))
    hint = (
        f"The {len(order[:WORST])} worst first, then some from bad to good. Error: black none, red small, white half "
        "the range of intensities and more."
    )
    return Chapter("pictures", "Picture by picture", hint, pictures=views)


def _classes(found: Measured, decoded: PreparedPictures) -> list[Chapter]:
    rows = class_rows(found, decoded)
    if not rows:
        return []
    names = [name for name in found.values if not name.endswith("_damaged")]
    heading = ["class", "pictures", *(NAMES[name] for name in names)]
    cells = [[row["class"], row["pictures"], *(_ranged(row, name) for name in names)] for row in rows]
    hint = "Worst first, with 95 % intervals. The network was never told the classes."
    return [Chapter("classes", "Class by class", hint, [Grid(heading, cells)])]


def _ranged(row: Mapping[str, Any], name: str) -> str:
    digits = 3 if name in ("ssim", "bits_per_value", "perceptual") else 2
    return f"{row[name]:.{digits}f} ({row[f'{name}_low']:.{digits}f} to {row[f'{name}_high']:.{digits}f})"


def _codes(model: Reconstruct, decoded: PreparedPictures, split: str | None) -> list[Chapter]:
    """A map of the codes, walks between pictures, directions, neighbours, and draws from a VAE."""
    codes, classes = codes_of(model, decoded, split), decoded.dataset.classes
    shown = [Views(view.kind, [("", view.picture)], view.note) for view in views(model, codes, classes)]
    hint = "What the network makes of pictures in between: their codes, seen from several sides."
    chapters = [Chapter("codes", "The space of codes", hint, colours=legend(classes), pictures=shown)]
    view = drawn(model)
    if view is not None:
        new = Views("draws", [("", view.picture)], view.note)
        chapters.append(Chapter("draws", "New pictures", "None of these is a picture of the data.", pictures=[new]))
    return chapters


def _unusual(model: Reconstruct, decoded: PreparedPictures, split: str | None, report: Report | None) -> list[Chapter]:
    if model.threshold is None:
        return []
    places = [] if report is None else [row["place"] for row in report.tables.get("novelty", ())]
    others = [
        unusual_others(model, decode(load_data(place, task="reconstruct"), model.preparation)) for place in places
    ]
    return [*others, unusual_own(model, decoded, split)]
