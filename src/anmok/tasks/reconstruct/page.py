"""Reconstruction's part of a report: originals beside answers, the worst first; by class; the space of codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from anmok.core.types import Report
from anmok.data.load import load_data
from anmok.data.prepare_pictures import PreparedPictures
from anmok.metrics.proportion import Interval
from anmok.report.content import Chapter, Figure, Grid, ReportContent, Views
from anmok.tasks.reconstruct import latent
from anmok.tasks.reconstruct.choosing import decode
from anmok.tasks.reconstruct.learning import Reconstruct
from anmok.tasks.reconstruct.looking import codes_of, seen
from anmok.tasks.reconstruct.measuring import Measured, class_rows
from anmok.tasks.reconstruct.unusual import unusual_others, unusual_own
from anmok.tasks.segment.colours import palette

NAMES = {"psnr": "PSNR, dB", "ssim": "SSIM", "psnr_damaged": "PSNR before, dB", "ssim_damaged": "SSIM before",
         "evidence": "evidence, nats", "bits_per_value": "bits a value"}  # fmt: skip
WORST, SPREAD = 6, 10  # pictures
FEWEST = 8  # pictures below which codes are not looked at


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
    digits = 3 if name in ("ssim", "bits_per_value") else 2
    return f"{row[name]:.{digits}f} ({row[f'{name}_low']:.{digits}f} to {row[f'{name}_high']:.{digits}f})"


def _codes(model: Reconstruct, decoded: PreparedPictures, split: str | None) -> list[Chapter]:
    """A map of the codes, walks between pictures, directions, neighbours, and draws from a VAE."""
    codes = codes_of(model, decoded, split)
    places, shares = latent.mapped(codes)
    classes = decoded.dataset.classes
    colours = palette()[: len(classes)] if 1 < len(classes) <= 20 else None
    views = [_map(codes, places, shares, colours)]
    ends = _far_apart(codes, 4)
    for start, end in zip(ends[::2], ends[1::2], strict=False):
        views.append(Views("a walk", [("", latent.strip(latent.walk(model, codes, start, end)))],
                           "from one picture's code to another's in equal steps"))  # fmt: skip
    for number, pictures in enumerate(latent.directions(model, codes)):
        note = f"the mean code moved along direction {number + 1}, from −{latent.REACH} to {latent.REACH} deviations"
        views.append(Views(f"direction {number + 1}", [("", latent.strip(pictures))], note))
    for place, near in zip(ends, latent.neighbours(codes, ends), strict=True):
        pictures = [codes.pictures[place], *(codes.pictures[row] for row in near)]
        views.append(Views("neighbours", [("", latent.strip(pictures))], "a picture and those whose codes lie nearest"))
    legend = {} if colours is None else {name: _rgb(colours[k]) for k, name in enumerate(classes)}
    hint = "What the network makes of pictures in between: their codes, seen from several sides."
    chapters = [Chapter("codes", "The space of codes", hint, colours=legend, pictures=views)]
    if model.variational:
        drawn = Views("draws", [("", latent.draws(model))], "codes drawn from N(0, 1), decoded; seed 0")
        chapters.append(Chapter("draws", "New pictures", "None of these is a picture of the data.", pictures=[drawn]))
    return chapters


def _unusual(model: Reconstruct, decoded: PreparedPictures, split: str | None, report: Report | None) -> list[Chapter]:
    if model.threshold is None:
        return []
    places = [] if report is None else [row["place"] for row in report.tables.get("novelty", ())]
    others = [
        unusual_others(model, decode(load_data(place, task="reconstruct"), model.preparation)) for place in places
    ]
    return [*others, unusual_own(model, decoded, split)]


def _map(codes: latent.Codes, places: np.ndarray, shares: tuple[float, float], colours: np.ndarray | None) -> Views:
    note = (
        f"{len(codes.pictures):,} pictures on the plane of the codes' two widest directions, which hold "
        f"{shares[0]:.0%} and {shares[1]:.0%} of their spread; where several fall together, one is shown"
    )
    return Views("map", [("", latent.draw_map(codes, places, colours))], note)


def _far_apart(codes: latent.Codes, count: int) -> list[int]:
    """Pictures whose codes are unlike each other: each next is the farthest from those chosen."""
    chosen = [0]
    apart = np.square(codes.codes - codes.codes[0]).sum(1)
    # The very farthest are oddities: stop at the ninth decile.
    while len(chosen) < min(count, len(codes.codes)):
        chosen.append(int(np.argsort(apart, kind="stable")[int(0.9 * (len(apart) - 1))]))
        apart = np.minimum(apart, np.square(codes.codes - codes.codes[chosen[-1]]).sum(1))
    return chosen


def _rgb(colour: Sequence[int]) -> tuple[int, int, int]:
    red, green, blue = (int(value) for value in colour)
    return red, green, blue
