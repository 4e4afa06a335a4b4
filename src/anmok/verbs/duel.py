"""Two runs on the same pictures: is one better, or may the difference be chance?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.data.check import compare_classes
from anmok.data.fingerprint import fingerprint
from anmok.metrics.calibration import expected_calibration_error
from anmok.metrics.compare import Comparison, compare, paired_bootstrap
from anmok.metrics.log_loss import log_loss
from anmok.metrics.precision_recall import macro_f1
from anmok.metrics.proportion import Interval
from anmok.tasks.pictures import Decoded
from anmok.verbs.evaluate import labelled_pictures
from anmok.verbs.measuring import Measured, measure
from anmok.verbs.opened import OpenedRun
from anmok.verbs.settings import EvalSettings
from anmok.verbs.terminal import Terminal

FIGURES = {  # beside accuracy: name → metric, whether more is better
    "macro_f1": (macro_f1, True),
    "log_loss": (log_loss, False),
    "expected_calibration_error": (expected_calibration_error, False),
}


@dataclass(frozen=True)
class Duel:
    """What came of it. `accuracy`: McNemar's test and the paired interval, with the verdict in words.

    `figures`: of each further figure the values of both runs and the interval of their difference, first minus second.
    """

    names: tuple[str, str]
    pictures: int
    accuracy: Comparison
    figures: Mapping[str, tuple[float, float, Interval]]

    @property
    def verdict(self) -> str:
        """The accuracy's verdict, then every other figure that certainly differs."""
        told = [self.accuracy.verdict]
        for name, (first, second, difference) in self.figures.items():
            if difference.low > 0 or difference.high < 0:
                better = self.names[int((first > second) != FIGURES[name][1])]
                told.append(f"{better} has the better {name.replace('_', ' ')} ({first:.3f} against {second:.3f}).")
        return " ".join(told)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        figures = {
            name: {"values": [first, second], "difference": asdict(difference)}
            for name, (first, second, difference) in self.figures.items()
        }
        return {
            "runs": list(self.names),
            "pictures": self.pictures,
            "accuracy": asdict(self.accuracy),
            "figures": figures,
            "verdict": self.verdict,
        }


def duel(
    first: OpenedRun, second: OpenedRun, data: str | Path | None = None, *, quiet: bool = True, **settings: Any
) -> Duel:
    """Compare two runs on the same pictures.

    Args:
        first, second: what `anmok.load` or `anmok.train` returned.
        data: labelled pictures for both; None: their own test split, which must then be the same.
        settings: see `anmok.verbs.settings.EvalSettings`.

    Raises:
        DataError: the runs have other classes, or the same in another order, or were tested on other pictures.
    """
    asked: EvalSettings = EvalSettings.of(**settings)
    terminal = Terminal(quiet)
    compare_classes(first.classes, second.classes, second.path, owner=str(first.path))
    with terminal.hearing_warnings():
        answers, marks = [], []
        for run in (first, second):
            decoded, split = labelled_pictures(run, data, asked, terminal)
            answers.append(measure(run.model, decoded, split, asked.batch, run.temperature))
            marks.append(_marks(decoded, answers[-1]))
    _check_same(first, second, marks)
    return _judged(_names(first, second), answers[0], answers[1])


def _judged(names: tuple[str, str], first: Measured, second: Measured) -> Duel:
    place = {name: i for i, name in enumerate(second.ids)}
    order = np.array([place[name] for name in first.ids])
    targets, scores = first.targets, (first.scores, second.scores[order])
    figures = {
        name: (metric(targets, scores[0]), metric(targets, scores[1]), paired_bootstrap(metric, targets, *scores))
        for name, (metric, _) in FIGURES.items()
    }
    return Duel(names, len(targets), compare(first.right, second.right[order], names=names), figures)


def _marks(decoded: Decoded, found: Measured) -> Mapping[str, str]:
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
