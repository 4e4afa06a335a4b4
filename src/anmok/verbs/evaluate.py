"""Evaluate: figures with their intervals, on a run's own test split or on other data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import DataError
from anmok.core.types import Prediction, Report
from anmok.data.check import compare_classes
from anmok.data.load import load_data
from anmok.data.split import load_split
from anmok.metrics.calibration import apply_temperature, fit_temperature
from anmok.metrics.summary import Summary, summarise
from anmok.tasks.classify import Classify
from anmok.tasks.pictures import Decoded, decode_all
from anmok.verbs.leakage import leakage_bill
from anmok.verbs.opened import OpenedRun
from anmok.verbs.planning import read_settings
from anmok.verbs.settings import EvalSettings
from anmok.verbs.terminal import Terminal


@dataclass(frozen=True)
class Measured:
    """One split's answers and figures. `logits` float32 (N, classes), `targets` int64 (N,), `rows` in the source."""

    split: str
    ids: Sequence[str]
    rows: np.ndarray
    logits: np.ndarray
    targets: np.ndarray
    summary: Summary
    temperature: float  # that fits this split best

    @property
    def scores(self) -> np.ndarray:
        """Probabilities (N, classes) at temperature 1."""
        return apply_temperature(self.logits, 1.0)

    def to_json(self) -> dict[str, Any]:
        """Every figure with its interval."""
        return {name: asdict(figure) for name, figure in self.summary.figures.items()}


def measure(task: Classify, decoded: Decoded, split: str | None, batch: int = 500) -> Measured:
    """Ask the network about every picture of a split."""
    loader = decoded.loader(split, batch)
    logits, targets = task.collect(loader.epoch(0))
    summary = summarise(targets, apply_temperature(logits, 1.0), task.classes)
    return Measured(split or "all", loader.ids, loader.rows, logits, targets, summary, fit_temperature(targets, logits))


def evaluate(run: OpenedRun, data: str | Path | None = None, *, quiet: bool = True, **settings: Any) -> Report:
    """Figures of a run: every one with its 95 % interval, per class too, and the confusion matrix.

    Args:
        run: what `anmok.load` or `anmok.train` returned.
        data: other labelled data; None: the run's own.
        settings: see `anmok.verbs.settings.EvalSettings`.

    Raises:
        DataError: no such split, no labels, or classes that are not the run's: both lists are named.
    """
    asked: EvalSettings = EvalSettings.of(**settings)
    terminal = Terminal(quiet)
    with terminal.hearing_warnings():
        decoded, split = _pictures(run, data, asked, terminal)
        found = measure(run.model, decoded, split, asked.batch)
        tables = _tables(found.summary, run.classes)
        if asked.leaks and split is not None:
            right = found.logits.argmax(1) == found.targets
            tables["leakage"] = [leakage_bill(decoded, split, found.ids, right).to_json()]
    temperature = run.card.get("temperature", 1.0)
    predictions = list(_predictions(run, found, temperature))
    return Report(_plain(found.summary), tables, predictions)


def _pictures(
    run: OpenedRun, data: str | Path | None, asked: EvalSettings, terminal: Terminal
) -> tuple[Decoded, str | None]:
    saved, settings = read_settings(run.folder)
    place = str(data) if data is not None else saved
    reading = asked if data is not None else settings
    dataset = load_data(place, **reading.reading)
    if data is None:
        dataset = load_split(dataset, run.path / "split.csv")
    if not dataset.classes:
        raise DataError("these pictures have no labels", path=place, fix="anmok predict, which needs none")
    compare_classes(run.classes, dataset.classes, place)
    split: str | None = asked.split if asked.split in dataset.splits else None
    if split is None and (data is None or "split" in asked.model_fields_set):
        raise DataError("there is no such split", path=place, got=asked.split, allowed=", ".join(dataset.splits))
    with terminal.bar("decoding") as on_progress:
        return decode_all(dataset, run.preparation, on_progress=on_progress), split


def _predictions(run: OpenedRun, found: Measured, temperature: float) -> list[Prediction]:
    scores = apply_temperature(found.logits, temperature)
    order = np.argsort(-scores, axis=1, kind="stable")
    return [
        Prediction(name, tuple(run.classes[c] for c in ranks), tuple(float(row[c]) for c in ranks))
        for name, row, ranks in zip(found.ids, scores, order, strict=True)
    ]


def _plain(summary: Summary) -> dict[str, float]:
    values: dict[str, float] = {}
    for name, figure in summary.figures.items():
        values |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return values


def _tables(summary: Summary, classes: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    rows = []
    for row in summary.classes:
        values: dict[str, Any] = {"class": row.name, "pictures": row.pictures, "answered": row.answered}
        for name in ("precision", "recall", "f1"):
            figure = getattr(row, name)
            values |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
        rows.append(values)
    confusion = [
        {"truth": name, **{other: int(count) for other, count in zip(classes, counts, strict=True)}}
        for name, counts in zip(classes, summary.confusion, strict=True)
    ]
    return {"classes": rows, "confusion": confusion}
