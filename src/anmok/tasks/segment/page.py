"""A segmentation's part of a report: what is missed, by class, by place and by size, with pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from anmok.core.types import Dataset, Entry
from anmok.metrics.proportion import Interval
from anmok.report.content import Chapter, Confusion, Figure, Grid, ReportContent, Views
from anmok.tasks.segment.colours import RIGHT, UNJUDGED, WRONG, errors, overlaid, palette
from anmok.tasks.segment.learning import Segment
from anmok.tasks.segment.maps import class_maps
from anmok.tasks.segment.measuring import Measured, truth_of

HEADLINES = ("mean_iou", "mean_dice", "pixel_accuracy", "mean_boundary_f1")
WORST, MISSED, SPREAD = 6, 8, 4  # pictures: the worst, with missed objects, and some from best to worst
AROUND = 2.5  # of a missed object's width is shown around it
LEAST = 24  # pixels shown at least


def fill(page: ReportContent, model: Segment, dataset: Dataset, found: Measured) -> ReportContent:
    """The page with everything that segmentation has to show."""
    shown = _Looked(model, dataset, found)
    return replace(
        page,
        summary=f"{page.summary} {_sentence(found)}".strip(),
        figures=[_figure(name, found.figures[name], found) for name in HEADLINES],
        chapters=[*page.chapters, _pictures(shown), _classes(found), _structures(found, shown)],
        confusion=Confusion(model.classes, found.summary.confusion, counted="pixels"),
    )


def _sentence(found: Measured) -> str:
    iou, which = found.figures["mean_iou"], "" if found.split == "all" else f"{found.split} "
    between = f" (95 % interval {iou.low:.1%} to {iou.high:.1%})" if iou.low == iou.low else ""
    return (
        f"On {len(found.entries):,} {which}pictures, answer and truth overlap by {iou.value:.1%}{between}: "
        "intersection over union, averaged over classes."
    )


def _figure(name: str, figure: Interval, found: Measured) -> Figure:
    names = {"mean_iou": "mean IoU", "mean_dice": "mean Dice", "mean_boundary_f1": "boundary F1"}
    note = f"{len(found.entries):,} pictures"
    return Figure(
        names.get(name, name.replace("_", " ")), figure.value, _known(figure.low), _known(figure.high), note=note
    )


def _known(value: float) -> float | None:
    return value if value == value else None


class _Looked:
    """Answers made once more for the few pictures that are shown: maps of all would not fit into memory."""

    def __init__(self, model: Segment, dataset: Dataset, found: Measured) -> None:
        self.model, self.dataset, self.found = model, dataset, found

    def at(self, places: Sequence[int]) -> dict[int, tuple[Entry, np.ndarray, np.ndarray, np.ndarray]]:
        """Entry, pixels, truth and answer of the judged pictures at `places`."""
        entries = [self.found.entries[place] for place in places]
        answers = class_maps(self.model, self.dataset.pictures, [entry.locator for entry in entries], batch=8)
        seen = {}
        for place, entry, answer in zip(places, entries, answers, strict=True):
            if answer.pixels is not None and answer.mask is not None:
                seen[place] = (entry, answer.pixels, truth_of(self.dataset, entry), answer.mask)
        return seen


def _pictures(shown: _Looked) -> Chapter:
    """The worst pictures, and some from the best to the worst."""
    values = shown.found.summary.pictures
    order = np.argsort(np.where(np.isfinite(values), values, np.inf), kind="stable")
    worst = order[:WORST]
    others = order[::-1][np.linspace(0, max(0, len(order) - WORST - 1), SPREAD).round().astype(int)]
    chosen = list(dict.fromkeys([*worst.tolist(), *others.tolist()]))
    views = [
        Views(
            entry.id,
            [("picture", pixels), ("truth", overlaid(pixels, truth)), ("answer", overlaid(pixels, mask)),
             ("errors", errors(pixels, truth, mask))],
            f"mean IoU {values[place]:.1%}",
        )
        for place, (entry, pixels, truth, mask) in shown.at(chosen).items()
    ]  # fmt: skip
    hint = f"First the {len(worst)} worst, then some from the best down. Outlines are drawn where classes meet."
    return Chapter("pictures", "Picture by picture", hint, colours=_legend(shown.model.classes), pictures=views)


def _legend(classes: Sequence[str]) -> dict[str, tuple[int, int, int]]:
    named = {name: _colour(number) for number, name in enumerate(classes)}
    return {**named, "wrong": WRONG, "right": RIGHT, "not judged": UNJUDGED}


def _colour(number: int) -> tuple[int, int, int]:
    red, green, blue = palette()[number].tolist()
    return red, green, blue


def _classes(found: Measured) -> Chapter:
    rows = sorted(found.summary.classes, key=lambda row: (row.iou.value != row.iou.value, row.iou.value))
    heading = ["class", "pixels", "IoU", "Dice", "precision", "recall", "boundary F1", "near outlines", "inside"]
    grid = Grid(
        heading,
        [[row.name, row.present, *(_triple(value) for value in (row.iou, row.dice, row.precision, row.recall,
                                                                row.boundary_f1, row.near, row.inside))]
         for row in rows],
        drawn=2,
    )  # fmt: skip
    hint = (
        "Weakest first; under each figure stands its 95 % interval over pictures. Near outlines and inside: the share "
        "of the class's pixels answered with it, within three pixels of an outline and away from them. Large inside, "
        "small near outlines: it is found, and drawn too loosely. Small inside too: it is taken for something else."
    )
    return Chapter("classes", "Class by class", hint, [grid])


def _triple(figure: Interval) -> tuple[float, float, float]:
    return figure.value, figure.low, figure.high


def _structures(found: Measured, shown: _Looked) -> Chapter:
    """Which objects were missed, by class and size, and the largest of them with their surroundings."""
    rows: list[Sequence[Any]] = [
        [row.name, row.size, f"{row.least:,} to {row.most:,}", row.objects, _triple(row.recall), row.covered]
        for row in found.summary.sizes
    ]
    sized = [[*row[:5], (row[5], float("nan"), float("nan"))] for row in rows]
    heading = ["class", "size", "pixels", "objects", "found", "covered"]
    objects = found.summary.objects
    missed = np.flatnonzero(~objects.found)
    chosen = missed[np.argsort(-objects.areas[missed], kind="stable")][:MISSED]
    seen = shown.at(sorted({int(objects.pictures[k]) for k in chosen}))
    views = [_missed(k, found, seen) for k in chosen.tolist() if int(objects.pictures[k]) in seen]
    hint = (
        "Every object counts once here, however many pixels it has: what hangs together of one class is an object, and "
        "it is found when at least half of it is answered with its class. Covered: how much of an object is, on "
        f"average. {len(missed):,} of {len(objects.found):,} were missed; the largest are shown."
    )
    return Chapter("structures", "Which structures are missed", hint, [Grid(heading, sized, drawn=4)],
                   _legend(shown.model.classes) if views else {}, views)  # fmt: skip


def _missed(k: int, found: Measured, seen: Mapping[int, tuple[Entry, np.ndarray, np.ndarray, np.ndarray]]) -> Views:
    objects = found.summary.objects
    entry, pixels, truth, mask = seen[int(objects.pictures[k])]
    part = _around(objects.centres[k], max(LEAST, AROUND * float(np.sqrt(objects.areas[k]))), truth.shape)
    name = found.summary.classes[int(objects.classes[k])].name
    return Views(
        entry.id,
        [("picture", pixels[part]), ("truth", overlaid(pixels[part], truth[part])),
         ("answer", overlaid(pixels[part], mask[part])), ("errors", errors(pixels[part], truth[part], mask[part]))],
        f"{name}, pixels: {int(objects.areas[k]):,}, of them answered rightly: {objects.covered[k]:.0%}",
    )  # fmt: skip


def _around(centre: np.ndarray, side: float, size: tuple[int, ...]) -> tuple[slice, ...]:
    """A square of `side` pixels with `centre` (y, x) in its middle; at the picture's edge it is moved, not cut."""
    middles = zip(centre.tolist(), size, strict=True)
    starts = [int(np.clip(round(middle - side / 2), 0, max(0, length - side))) for middle, length in middles]
    return tuple(slice(start, start + round(side)) for start in starts)
