"""One split's answers and figures: what evaluation, reports and the choice of thresholds start from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from anmok.core.types import Dataset
from anmok.metrics.bootstrap import bootstrap
from anmok.metrics.calibration import apply_temperature, calibration_interval, fit_temperature
from anmok.metrics.proportion import Interval, share
from anmok.metrics.summary import Summary, summarise
from anmok.tasks.classify.learning import Classify
from anmok.tasks.pictures import Decoded


@dataclass(frozen=True)
class Measured:
    """One split's answers and figures. `logits` float32 (N, classes), `targets` int64 (N,), `rows` in the source.

    `summary` is of the scores at `temperature`: of the probabilities that `anmok predict` gives.
    """

    split: str
    ids: Sequence[str]
    rows: np.ndarray
    logits: np.ndarray
    targets: np.ndarray
    summary: Summary
    temperature: float = 1.0

    @property
    def figures(self) -> Mapping[str, Interval]:
        """Every figure with its interval."""
        return self.summary.figures

    @cached_property
    def scores(self) -> np.ndarray:
        """Probabilities (N, classes), calibrated."""
        return apply_temperature(self.logits, self.temperature)

    @property
    def right(self) -> np.ndarray:
        """Whether each answer is right, bool (N,)."""
        return self.logits.argmax(1) == self.targets

    def fitted_temperature(self) -> float:
        """The temperature that makes these answers likeliest."""
        return fit_temperature(self.targets, self.logits)


def measure(
    task: Classify, decoded: Decoded, split: str | None, batch: int = 500, temperature: float | None = 1.0
) -> Measured:
    """Ask the network about every picture of a split (None: all).

    Args:
        temperature: divides the logits; None: the one that fits these very pictures, as for validation pictures.
    """
    loader = decoded.loader(split, batch)
    logits, targets = task.collect(loader)
    used = fit_temperature(targets, logits) if temperature is None else temperature
    summary = summarise(targets, apply_temperature(logits, used), task.classes)
    return Measured(split or "all", loader.ids, loader.rows, logits, targets, summary, used)


def calibration_rows(found: Measured) -> list[dict[str, Any]]:
    """The expected calibration error of these pictures before and after the run's temperature, with intervals."""
    rows = []
    for name, temperature in (("before", 1.0), ("after", found.temperature)):
        figure = calibration_interval(found.targets, apply_temperature(found.logits, temperature))
        rows.append({"scores": name, "temperature": temperature, **spread_out("error", figure)})
    return rows


def group_rows(found: Measured, dataset: Dataset) -> list[dict[str, Any]]:
    """Accuracy within each group (a video, a patient, a folder), the weakest first; none where no picture has one."""
    names = groups_of(found, dataset)
    if names is None:
        return []
    rows = []
    for name in sorted(set(names)):
        right = found.right[names == name]
        figure = share(int(right.sum()), len(right))
        rows.append({"group": name, "pictures": len(right), **spread_out("accuracy", figure)})
    return sorted(rows, key=lambda row: (row["accuracy"], -row["pictures"]))


def grouped_accuracy(found: Measured, dataset: Dataset) -> Interval | None:
    """Accuracy with an interval for new groups, not just new pictures: groups are drawn whole. None without groups."""
    names = groups_of(found, dataset)
    if names is None or not 1 < len(set(names)) < len(names):
        return None
    return bootstrap(np.mean, found.right.astype(np.float64), groups=names)  # type: ignore[arg-type]


def groups_of(found: Measured, dataset: Dataset) -> np.ndarray | None:
    """Each picture's group (N,), a picture without one being its own; None where no picture has one."""
    known: Mapping[str, str | None] = {entry.id: entry.group for entry in dataset.entries}
    if not any(known[name] is not None for name in found.ids):
        return None
    return np.array([known[name] if known[name] is not None else name for name in found.ids], dtype=object).astype(str)


def spread_out(name: str, figure: Interval) -> dict[str, float]:
    """A figure and its interval as three plain values: `accuracy`, `accuracy_low`, `accuracy_high`."""
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
