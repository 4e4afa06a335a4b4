"""Generation's part of a report: what was drawn, how it came about, how well it is, and whether it is new."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from anmok.data.prepare_pictures import PreparedPictures
from anmok.metrics.proportion import Interval
from anmok.report.content import Chapter, Figure, ReportContent, Views
from anmok.tasks import seed_sheets as sheets
from anmok.tasks.generate.learning import Generate
from anmok.tasks.generate.measuring import Measured
from anmok.tasks.generate.mixing import laid_out

NAMES = {"kernel_distance": "kernel distance", "frechet_distance": "Fréchet distance", "elbow_room": "elbow room"}
NUMBERS = ("kernel_distance", "frechet_distance", "density", "variety", "elbow_room")  # which are no shares
SUSPECTS, SEEDS = 12, 48


def fill(page: ReportContent, model: Generate, decoded: PreparedPictures, found: Measured) -> ReportContent:
    """The page with everything that generation has to show."""
    alarms = [str(alarm["sentence"]) for alarm in model.alarms.raised]
    chapters = [_drawn(model, decoded), *_course(model), _variations(model), *_neighbours(decoded, found)]
    return replace(
        page,
        summary=f"{page.summary} {_sentence(found)}".strip(),
        warnings=[*page.warnings, *alarms],
        figures=[_figure(name, figure) for name, figure in found.figures.items()],
        chapters=[*page.chapters, *chapters],
    )


def _sentence(found: Measured) -> str:
    figures, which = found.figures, "" if found.split == "all" else f"{found.split} "
    distance = figures["kernel_distance"]
    return (
        f"{len(found.drawn):,} drawn pictures were compared with {len(found.ids):,} {which}pictures in the features of "
        f"{found.title}: kernel distance {distance.value:.4f} (KID's formula; 0 where nothing tells them apart; not "
        f"comparable with published KID), {figures['precision'].value:.0%} of them look real, "
        f"{figures['recall'].value:.0%} of the real ones could have been drawn."
    )


def _figure(name: str, figure: Interval) -> Figure:
    kind = "number" if name in NUMBERS else "share"
    note = f"{figure.n:,} drawn pictures" if name not in ("recall", "coverage") else f"{figure.n:,} real pictures"
    return Figure(NAMES.get(name, name), figure.value, _known(figure.low), _known(figure.high), kind=kind, note=note)  # type: ignore[arg-type]


def _known(bound: float) -> float | None:
    return bound if np.isfinite(bound) else None


def _drawn(model: Generate, decoded: PreparedPictures) -> Chapter:
    rows = decoded.rows[np.linspace(0, len(decoded.rows) - 1, min(SEEDS, len(decoded.rows))).round().astype(int)]
    drawn = sheets.by_class(model) if model.classes else _many(model)
    views = [Views("drawn", [("", drawn)], _seeds_told(model)),
             Views("real", [("", sheets.sheet(decoded.source.gather(rows), sheets.columns(len(rows))))],
                   "pictures of the data, to compare")]  # fmt: skip
    return Chapter(
        "drawn",
        "Drawn pictures",
        "From seeds in order, none chosen by hand; whether they are new, see further below.",
        pictures=views,
    )


def _many(model: Generate) -> np.ndarray:
    return sheets.sheet(sheets.of_seeds(model, range(SEEDS)), sheets.columns(SEEDS))


def _seeds_told(model: Generate) -> str:
    if model.recipe.conditional:
        return f"a row a class ({', '.join(model.classes)}), a column a seed, from 0 on"
    return "seeds from 0 on, row by row: anmok generate RUN --seeds 7 draws the eighth again"


def _course(model: Generate) -> list[Chapter]:
    pages = model.album.pages
    if len(pages) < 2:
        return []
    rows = [page for _, page in sorted(pages.items())]
    note = "the same seeds after epoch " + ", ".join(map(str, sorted(pages)))
    view = Views("epochs", [("", sheets.sheet(np.concatenate(rows), model.album.each))], note)
    return [
        Chapter("course", "How it came about", "Top to bottom: the same seeds, epoch after epoch.", pictures=[view])
    ]


def _variations(model: Generate) -> Chapter:
    walked = sheets.sheet(sheets.walks(model, range(5)), sheets.STEPS)
    cut = sheets.sheet(sheets.truncated(model, range(8)), 8)
    shares = ", ".join(f"{share:g}" for share in sheets.TRUNCATIONS)
    views = [
        Views("walks", [("", walked)], "from one seed's picture to the next one's, four times"),
        Views("truncation", [("", cut)],
              f"seeds 0 to 7; truncation {shares} from top to bottom: less variety, likelier pictures"),
    ]  # fmt: skip
    if model.styled:
        views.append(Views("mixing", [("", laid_out(model, range(4), range(4, 9)))],
                           "coarse styles of the pictures at the left, fine ones of those on top"))  # fmt: skip
    return Chapter("variations", "Between, and beside", "What lies between codes.", pictures=views)


def _neighbours(decoded: PreparedPictures, found: Measured) -> list[Chapter]:
    """The most suspicious drawn pictures beside the training pictures that they lie nearest to."""
    if found.near is None or found.ratio is None:
        return []
    order = np.argsort(found.ratio, kind="stable")[:SUSPECTS]
    pairs = zip(order.tolist(), decoded.source.gather(found.near[order]), strict=True)
    views = [
        Views(f"seed {place}", [("drawn", found.drawn[place]), ("nearest", real)],
              f"distance {found.ratio[place]:.2f} of what is usual there")
        for place, real in pairs
    ]  # fmt: skip
    share = found.figures["copies"].value
    held = f"; of held-out pictures {found.held_out.value:.1%} do" if found.held_out is not None else ""
    hint = (
        f"Drawn pictures beside the training pictures they lie nearest to, the most suspicious first. {share:.1%} lie "
        f"on top of one (nearer than a third of what is usual there){held}."
    )
    return [Chapter("neighbours", "Learned by heart?", hint, pictures=views)]
