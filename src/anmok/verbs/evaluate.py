"""Evaluate: figures with their intervals, on a run's own test split or on other data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anmok.core.errors import DataError
from anmok.core.types import Report
from anmok.data.check import compare_classes
from anmok.data.grouping import group_entries
from anmok.data.load import load_data
from anmok.data.split import load_split
from anmok.tasks._kind import Inquiry
from anmok.verbs import card as cards
from anmok.verbs.evaluation_page import write_evaluation_report
from anmok.verbs.opened import OpenedRun
from anmok.verbs.planning import read_settings
from anmok.verbs.settings import EvalSettings
from anmok.verbs.terminal import Terminal


def evaluate(run: OpenedRun, data: str | Path | None = None, *, quiet: bool = True, **settings: Any) -> Report:
    """Figures of a run: every one with its 95 % interval, and tables that say where it errs.

    Tables of a classifier: `classes`, `confusion`, `calibration` (before and after the run's temperature); where there
    is something to say also `groups`, `rejection` (what the threshold for "I don't know" buys), `unseen`, `leakage`.

    Args:
        run: what `anmok.load` or `anmok.train` returned.
        data: other labelled data; None: the run's own.
        settings: see `anmok.verbs.settings.EvalSettings`. `reject_accuracy` and `reject_coverage` choose a new
            threshold on the run's validation pictures, and keep it in the card for `predict`.

    Raises:
        DataError: no such split, no labels, or classes that are not the run's: both lists are named.
        UsageError: both wishes for a threshold at once, or a setting that the run's task does not have.
    """
    asked: EvalSettings = EvalSettings.of(**settings)
    asked.refuse_foreign(run.kind.name)
    terminal = Terminal(quiet)
    with terminal.hearing_warnings():
        inquiry = _inquiry(run, asked, terminal)
        decoded, split = labelled_pictures(run, data, asked, terminal)
        found, report = run.kind.evaluate(inquiry, decoded, split)
        if asked.report is not None:
            write_evaluation_report(asked.report, run, decoded, found, report)
    return report


def _inquiry(run: OpenedRun, asked: EvalSettings, terminal: Terminal) -> Inquiry:
    def own(split: str) -> tuple[Any, str | None]:
        return labelled_pictures(run, None, EvalSettings.of(split=split), terminal)

    def keep(entries: Mapping[str, Any]) -> None:
        run.card = cards.write(run.folder, {**cards.read(run.folder), **entries})

    return Inquiry(run.model, run.card, asked, terminal, own, keep)


def labelled_pictures(
    run: OpenedRun, data: str | Path | None, asked: EvalSettings, terminal: Terminal
) -> tuple[Any, str | None]:
    """The pictures a run is to be judged on, decoded as it wants them, and their split (None: all of them)."""
    saved, settings = read_settings(run.folder)
    place = str(data) if data is not None else saved
    reading = asked if data is not None else settings
    dataset = load_data(place, task=run.kind.name, **reading.reading)
    group_by = asked.group_by or (settings.group_by if data is None else None)
    if group_by is not None:
        dataset = group_entries(dataset, group_by)
    if run.classes and not dataset.classes:
        raise DataError("these pictures have no labels", path=place, fix="anmok predict, which needs none")
    if run.classes:  # a run that names nothing is judged on pictures of any kind
        compare_classes(run.classes, dataset.classes, place)
    if data is None:
        dataset = load_split(dataset, run.path / "split.csv")
    split: str | None = asked.split if asked.split in dataset.splits else None
    if split is None and (data is None or "split" in asked.model_fields_set):
        raise DataError("there is no such split", path=place, got=asked.split, allowed=", ".join(dataset.splits))
    return run.kind.decode(dataset, run.model, terminal), split
