"""Two runs on the same pictures: is one better, or may the difference be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anmok.core.errors import DataError
from anmok.data.check import compare_classes
from anmok.data.fingerprint import fingerprint
from anmok.tasks._kind import Duel, Measured
from anmok.verbs.evaluate import labelled_pictures
from anmok.verbs.opened import OpenedRun
from anmok.verbs.settings import EvalSettings
from anmok.verbs.terminal import Terminal


def duel(
    first: OpenedRun, second: OpenedRun, data: str | Path | None = None, *, quiet: bool = True, **settings: Any
) -> Duel:
    """Compare two runs on the same pictures.

    Args:
        first, second: what `anmok.load` or `anmok.train` returned.
        data: labelled pictures for both; None: their own test split, which must then be the same.
        settings: see `anmok.verbs.settings.EvalSettings`.

    Raises:
        DataError: the runs are of different tasks, have other classes, or the same in another order, or were tested on
            other pictures.
    """
    asked: EvalSettings = EvalSettings.of(**settings)
    terminal = Terminal(quiet)
    if first.kind.name != second.kind.name:
        raise DataError("runs of different tasks cannot be compared", path=second.path,
                        got=f"{first.kind.name} and {second.kind.name}")  # fmt: skip
    asked.refuse_foreign(first.kind.name)
    compare_classes(first.classes, second.classes, second.path, owner=str(first.path))
    with terminal.hearing_warnings():
        answers, marks = [], []
        for run in (first, second):
            decoded, split = labelled_pictures(run, data, asked, terminal)
            answers.append(run.kind.measure(run.model, decoded, split, asked.batch))
            marks.append(_marks(decoded, answers[-1]))
    _check_same(first, second, marks)
    return first.kind.duel(_names(first, second), answers[0], answers[1])


def _marks(decoded: Any, found: Measured) -> Mapping[str, str]:
    """What identifies each judged picture and its label, by id: files by size and time, rows by their pixels."""
    judged = set(found.ids)
    entries = [replace(e, group=None, split=None) for e in decoded.dataset.entries if e.id in judged]
    return fingerprint(replace(decoded.dataset, entries=entries)).items


def _check_same(first: OpenedRun, second: OpenedRun, marks: Sequence[Mapping[str, str]]) -> None:
    a, b = marks
    if a == b:
        return
    shared = sum(b.get(name) == mark for name, mark in a.items())
    raise DataError(
        "these runs were not tested on the same pictures, so their answers cannot be compared",
        path=second.path,
        got=f"{len(a):,} and {len(b):,} pictures, of which {shared:,} are the same",
        fix=f"name pictures that neither learned from: anmok eval {first.path} {second.path} DATA",
    )


def _names(first: OpenedRun, second: OpenedRun) -> tuple[str, str]:
    """The folders' names, or their whole paths where these are alike."""
    if first.path.name != second.path.name:
        return first.path.name, second.path.name
    return str(first.path), str(second.path)
