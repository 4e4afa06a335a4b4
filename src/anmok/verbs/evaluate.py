"""Evaluate: figures with their intervals, on a run's own test split or on other data."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import DataError, UsageError
from anmok.core.types import Dataset, Prediction, Report
from anmok.data.check import compare_classes
from anmok.data.grouping import group_entries
from anmok.data.load import load_data
from anmok.data.split import load_split
from anmok.metrics.summary import Summary
from anmok.tasks.pictures import Decoded, decode_all
from anmok.verbs import card as cards
from anmok.verbs.evaluation_page import write_evaluation_report
from anmok.verbs.leakage import leakage_bill
from anmok.verbs.measuring import Measured, calibration_rows, group_rows, grouped_accuracy, measure, spread_out
from anmok.verbs.opened import OpenedRun
from anmok.verbs.planning import read_settings
from anmok.verbs.rejection import Rejection, choose_rejection, rejection_row, unseen_row
from anmok.verbs.settings import EvalSettings
from anmok.verbs.terminal import Terminal

__all__ = ["Measured", "evaluate", "labelled_pictures", "measure"]


def evaluate(run: OpenedRun, data: str | Path | None = None, *, quiet: bool = True, **settings: Any) -> Report:
    """Figures of a run: every one with its 95 % interval, per class and group too, and the confusion matrix.

    Tables: `classes`, `confusion`, `calibration` (before and after the run's temperature); where there is something to
    say also `groups`, `rejection` (what the threshold for "I don't know" buys), `unseen` and `leakage`.

    Args:
        run: what `anmok.load` or `anmok.train` returned.
        data: other labelled data; None: the run's own.
        settings: see `anmok.verbs.settings.EvalSettings`. `reject_accuracy` and `reject_coverage` choose a new
            threshold on the run's validation pictures, and keep it in the card for `predict`.

    Raises:
        DataError: no such split, no labels, or classes that are not the run's: both lists are named.
        UsageError: both wishes for a threshold at once.
    """
    asked: EvalSettings = EvalSettings.of(**settings)
    terminal = Terminal(quiet)
    with terminal.hearing_warnings():
        rejection = _rejection(run, asked, terminal)
        decoded, split = labelled_pictures(run, data, asked, terminal)
        found = measure(run.model, decoded, split, asked.batch, run.temperature)
        tables = _tables(found.summary, run.classes) | {"calibration": calibration_rows(found)}
        if groups := group_rows(found, decoded.dataset):
            tables["groups"] = groups
        if rejection is not None:
            tables["rejection"] = [rejection_row(found, rejection)]
        if asked.unseen is not None:
            strange = _unseen(run, asked, terminal)
            tables["unseen"] = [unseen_row(found, strange, rejection.threshold if rejection else None)]
        if asked.leaks and split is not None:
            tables["leakage"] = [leakage_bill(decoded, split, found.ids, found.right).to_json()]
        report = Report(_plain(found, decoded.dataset), tables, list(_predictions(run, found, rejection)))
        if asked.report is not None:
            write_evaluation_report(asked.report, run, decoded, found, report)
    return report


def labelled_pictures(
    run: OpenedRun, data: str | Path | None, asked: EvalSettings, terminal: Terminal
) -> tuple[Decoded, str | None]:
    """The pictures a run is to be judged on, decoded as it wants them, and their split (None: all of them)."""
    saved, settings = read_settings(run.folder)
    place = str(data) if data is not None else saved
    reading = asked if data is not None else settings
    dataset = load_data(place, **reading.reading)
    group_by = asked.group_by or (settings.group_by if data is None else None)
    if group_by is not None:
        dataset = group_entries(dataset, group_by)
    if not dataset.classes:
        raise DataError("these pictures have no labels", path=place, fix="anmok predict, which needs none")
    compare_classes(run.classes, dataset.classes, place)
    if data is None:
        dataset = load_split(dataset, run.path / "split.csv")
    split: str | None = asked.split if asked.split in dataset.splits else None
    if split is None and (data is None or "split" in asked.model_fields_set):
        raise DataError("there is no such split", path=place, got=asked.split, allowed=", ".join(dataset.splits))
    with terminal.bar("decoding") as on_progress:
        return decode_all(dataset, run.preparation, on_progress=on_progress), split


def _rejection(run: OpenedRun, asked: EvalSettings, terminal: Terminal) -> Rejection | None:
    """The run's threshold; a new one, kept in its card, where the person wished one."""
    if asked.reject_accuracy is None and asked.reject_coverage is None:
        return run.rejection
    if "val" not in run.card["data"]["splits"]:
        raise UsageError(
            "a threshold is chosen on validation pictures, and this run has none", path=run.path, fix="train with --val"
        )
    decoded, split = labelled_pictures(run, None, EvalSettings.of(split="val"), terminal)
    found = measure(run.model, decoded, split, asked.batch, run.temperature)
    chosen = choose_rejection(found, asked.reject_accuracy, asked.reject_coverage)
    run.card = cards.write(run.folder, {**cards.read(run.folder), "rejection": chosen.to_json()})
    terminal.say(f"{chosen.sentence}. anmok predict uses it from now on.")
    return chosen


def _unseen(run: OpenedRun, asked: EvalSettings, terminal: Terminal) -> np.ndarray:
    """The run's certainty about pictures of classes it never learned, (M,)."""
    place = str(asked.unseen)
    dataset = load_data(place)
    shared = sorted(set(dataset.classes) & set(run.classes))
    if shared:
        raise DataError("unseen pictures are of other classes than the run's", path=place, got=", ".join(shared),
                        fix="leave these classes out")  # fmt: skip
    with terminal.bar("decoding") as on_progress:
        decoded = decode_all(dataset, run.preparation, on_progress=on_progress)
    logits, _ = run.model.collect(decoded.loader(None, asked.batch).epoch(0))
    scores = np.exp(logits / run.temperature - (logits / run.temperature).max(1, keepdims=True))
    return scores.max(1) / scores.sum(1)


def _predictions(run: OpenedRun, found: Measured, rejection: Rejection | None) -> list[Prediction]:
    scores = found.scores
    order = np.argsort(-scores, axis=1, kind="stable")
    sure = [None] * len(scores) if rejection is None else (scores.max(1) >= rejection.threshold).tolist()
    return [
        Prediction(name, tuple(run.classes[c] for c in ranks), tuple(float(row[c]) for c in ranks), sure=certain)
        for name, row, ranks, certain in zip(found.ids, scores, order, sure, strict=True)
    ]


def _plain(found: Measured, dataset: Dataset) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, figure in found.summary.figures.items():
        values |= spread_out(name, figure)
    grouped = grouped_accuracy(found, dataset)
    return values if grouped is None else values | spread_out("accuracy_for_new_groups", grouped)


def _tables(summary: Summary, classes: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    rows = []
    for row in summary.classes:
        values: dict[str, Any] = {"class": row.name, "pictures": row.pictures, "answered": row.answered}
        for name in ("precision", "recall", "f1"):
            values |= spread_out(name, getattr(row, name))
        rows.append(values)
    confusion = [
        {"truth": name, **{other: int(count) for other, count in zip(classes, counts, strict=True)}}
        for name, counts in zip(classes, summary.confusion, strict=True)
    ]
    return {"classes": rows, "confusion": confusion}
