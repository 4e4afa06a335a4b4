"""Evaluate: figures with their intervals, on a run's own test split or on other data."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from anmok.core.errors import DataError, UsageError
from anmok.core.types import Report
from anmok.data.check import compare_classes
from anmok.data.grouping import group_entries
from anmok.data.load import load_data
from anmok.data.split import load_split
from anmok.tasks._kind import Billing, Inquiry
from anmok.tasks.copies import look_for_copies
from anmok.verbs import card as cards
from anmok.verbs.evaluation_page import write_evaluation_report
from anmok.verbs.findings import leaks
from anmok.verbs.opened import OpenedRun, subject_of
from anmok.verbs.planning import read_settings
from anmok.verbs.question import answerable, asking
from anmok.verbs.setting import DataSettings
from anmok.verbs.settings import EvalSettings
from anmok.verbs.subject import Subject
from anmok.verbs.terminal import Terminal


def evaluate(
    subject: Subject | str | Path, data: str | Path | None = None, *, quiet: bool = True, **settings: Any
) -> Report:
    """Figures of a run, or of any network on labelled pictures, each with its 95 % interval; tables of where it errs.

    Tables of a classifier: `classes`, `confusion`, `calibration` (before and after the run's temperature); where there
    is something to say also `groups`, `rejection` (what the threshold for "I don't know" buys), `unseen`, `leakage`.

    Args:
        subject: what `anmok.load` or `anmok.train` returned, a run's folder, a network's name, an `anmok.Classifier`.
        data: other labelled data; None: the run's own.
        settings: see `anmok.verbs.settings.EvalSettings`. `reject_accuracy` and `reject_coverage` choose a new
            threshold on the run's validation pictures, and keep it in the card for `predict`.

    Raises:
        DataError: no such split, no labels, or classes that are not the run's: both lists are named.
        UsageError: both wishes for a threshold at once, or a setting that the run's task does not have.
    """
    asked: EvalSettings = EvalSettings.of(**settings)
    run = subject_of(subject, asked.weights, device=asked.device)
    asked.refuse_foreign(run.kind.name)
    terminal = Terminal(quiet)
    if asked.is_ is not None:
        run = asking(run, asked.is_)
    with terminal.hearing_warnings():
        inquiry = _inquiry(run, asked, terminal, own_pictures=data is None)
        decoded, split = labelled_pictures(run, data, asked, terminal)
        found, report = run.kind.evaluate(inquiry, decoded, split)
        if asked.report is not None:
            told = leaks(look_for_copies(decoded)) if data is None and not isinstance(run.kind, Billing) else []
            write_evaluation_report(asked.report, run, decoded, found, report, told)
    return report


def _inquiry(run: Subject, asked: EvalSettings, terminal: Terminal, own_pictures: bool) -> Inquiry:
    def own(split: str) -> tuple[Any, str | None]:
        return labelled_pictures(run, None, EvalSettings.of(split=split), terminal)

    def keep(entries: Mapping[str, Any]) -> None:
        if isinstance(run, OpenedRun):
            run.card = cards.write(run.folder, {**cards.read(run.folder), **entries})

    return Inquiry(run.model, run.card if isinstance(run, OpenedRun) else {}, asked, terminal, own, keep, own_pictures)


def labelled_pictures(
    run: Subject, data: str | Path | None, asked: EvalSettings, terminal: Terminal
) -> tuple[Any, str | None]:
    """The pictures a run is to be judged on, decoded as it wants them, and their split (None: all of them)."""
    reading: DataSettings
    if data is not None:
        place, reading, group_by = str(data), asked, asked.group_by
    elif isinstance(run, OpenedRun):
        place, own = read_settings(run.folder)
        reading, group_by = own, asked.group_by or own.group_by
    else:
        raise UsageError("only a run has pictures of its own", got=run.title, fix="name labelled pictures")
    dataset = load_data(place, task=run.kind.name, **reading.reading)
    if group_by is not None:
        dataset = group_entries(dataset, group_by)
    if run.classes and not dataset.classes:
        raise DataError("these pictures have no labels", path=place, fix="anmok predict, which needs none")
    if run.classes:  # a run that names nothing is judged on pictures of any kind
        if asked.is_ is not None:
            dataset = answerable(dataset, asked.is_)
        compare_classes(run.classes, dataset.classes, place)
    if data is None:
        dataset = load_split(dataset, run.path / "split.csv")
    split: str | None = asked.split if asked.split in dataset.splits else None
    if split is None and (data is None or "split" in asked.model_fields_set):
        raise DataError("there is no such split", path=place, got=asked.split, allowed=", ".join(dataset.splits))
    return run.kind.decode(dataset, run.model, terminal), split
