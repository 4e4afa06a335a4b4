"""From answers to what a page shows of them: headlines, confusions, mistakes, doubts, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from anmok.explain.class_activation import class_activation
from anmok.explain.overlay import overlay
from anmok.metrics.calibration import apply_temperature, reliability_bins, temperature_limit
from anmok.report import content
from anmok.tasks.classify.learning import Classify
from anmok.tasks.classify.measuring import Measured
from anmok.tasks.pictures import Decoded

SHOWN_PER_CELL, WORST = 12, 12  # pictures
HEADLINES = ("accuracy", "top5_accuracy", "macro_f1", "expected_calibration_error")


def headlines(found: Measured) -> list[content.Figure]:
    """The large figures under the title."""
    figures = [(name, found.summary.figures[name]) for name in HEADLINES if name in found.summary.figures]
    note = "pictures" if found.split == "all" else f"{found.split} pictures"
    return [
        content.Figure(name.replace("_", " "), f.value, f.low, f.high, note=f"{f.n:,} {note}") for name, f in figures
    ]


def confusion(found: Measured, decoded: Decoded) -> content.Confusion:
    """The matrix, and the surest pictures of each of its wrong cells."""
    scores, answers = found.scores, found.logits.argmax(1)
    cells: dict[tuple[int, int], list[content.Shown]] = {}
    for i in np.argsort(-scores.max(1), kind="stable"):
        cell = (int(found.targets[i]), int(answers[i]))
        if cell[0] != cell[1] and len(cells.setdefault(cell, [])) < SHOWN_PER_CELL:
            cells[cell].append(shown(found, decoded, int(i)))
    return content.Confusion(decoded.dataset.classes, found.summary.confusion, cells)


def shown(found: Measured, decoded: Decoded, i: int, heat: np.ndarray | None = None) -> content.Shown:
    """The answer to picture `i`, with the picture."""
    picture = decoded.source.gather(found.rows[i : i + 1])[0]
    classes, answer = decoded.dataset.classes, int(found.logits[i].argmax())
    return content.Shown(
        picture,
        found.ids[i],
        classes[answer],
        float(found.scores[i, answer]),
        classes[int(found.targets[i])],
        None if heat is None else overlay(picture, heat),
    )


def worst(found: Measured, decoded: Decoded, task: Classify) -> list[content.Shown]:
    """The surest wrong answers, each with what the network looked at."""
    scores = found.scores.max(1)
    wrong = np.flatnonzero(~found.right)
    chosen = wrong[np.argsort(-scores[wrong], kind="stable")][:WORST]
    return [shown(found, decoded, int(i), _heat(decoded, task, int(found.rows[i]))) for i in chosen]


def _heat(decoded: Decoded, task: Classify, row: int) -> np.ndarray | None:
    size, store = decoded.preparation.size, decoded.preparation.store
    pixels = decoded.source.gather(np.array([row]))
    edge = (store - size) // 2
    picture = torch.from_numpy(pixels[:, edge : edge + size, edge : edge + size].copy()).permute(0, 3, 1, 2)
    try:
        heat = class_activation(task.network, task.normalise(picture)[0]).heat
    except Exception:  # a network of the person's own may have no maps to weigh; the page does without
        return None
    padded = np.zeros((store, store), np.float32)
    padded[edge : edge + size, edge : edge + size] = heat
    return padded


def doubtful(found: Measured, decoded: Decoded) -> list[content.Shown]:
    """Pictures between two answers: the smallest lead of the first over the second."""
    if found.scores.shape[1] < 2:
        return []
    ordered = np.sort(found.scores, axis=1)
    chosen = np.argsort(ordered[:, -1] - ordered[:, -2], kind="stable")[:WORST]
    return [shown(found, decoded, int(i)) for i in chosen]


def class_line(row: Any) -> content.ClassLine:
    """One class of a summary as the page shows it."""
    precision, recall, f1 = ((f.value, f.low, f.high) for f in (row.precision, row.recall, row.f1))
    return content.ClassLine(row.name, row.pictures, precision, recall, f1)


def group_lines(rows: Sequence[Mapping[str, Any]]) -> list[content.GroupLine]:
    """Rows of `group_rows` as the page shows them."""
    return [
        content.GroupLine(
            str(row["group"]), int(row["pictures"]), (row["accuracy"], row["accuracy_low"], row["accuracy_high"])
        )
        for row in rows
    ]


def calibration(found: Measured, rejection: str = "") -> content.Calibration:
    """The reliability curve of the calibrated scores, and the error before. `rejection`: the threshold in words."""
    before = reliability_bins(found.targets, apply_temperature(found.logits, 1.0))
    after = found.summary.reliability
    return content.Calibration(
        list(map(float, after.confidence)),
        list(map(float, after.accuracy)),
        list(map(int, after.count)),
        after.error,
        found.temperature,
        before.error,
        rejection,
        temperature_limit(found.temperature),
    )
