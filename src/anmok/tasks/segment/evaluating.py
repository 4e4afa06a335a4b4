"""Everything `anmok eval` says about a segmentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anmok.core.types import Prediction, Report
from anmok.ship.answers.segment import by_share
from anmok.tasks.segment.measuring import Measured, class_rows, size_rows, spread_out


def report_of(found: Measured, classes: Sequence[str]) -> Report:
    """Figures, the tables `classes`, `sizes` (objects found by size), `confusion` (pixels) and `pictures`."""
    figures: dict[str, float] = {}
    for name, figure in found.figures.items():
        figures |= spread_out(name, figure)
    tables: Mapping[str, Sequence[Mapping[str, Any]]] = {
        "classes": class_rows(found),
        "sizes": size_rows(found),
        "confusion": [
            {"truth": name, **{other: int(count) for other, count in zip(classes, counts, strict=True)}}
            for name, counts in zip(classes, found.summary.confusion, strict=True)
        ],
        "pictures": [
            {"id": name, "mean_iou": float(value)}
            for name, value in zip(found.ids, found.summary.pictures, strict=True)
        ],
    }
    answers = [_prediction(name, shares, classes) for name, shares in zip(found.ids, found.shares, strict=True)]
    return Report(figures, tables, answers)


def _prediction(name: str, shares: np.ndarray, classes: Sequence[str]) -> Prediction:
    """The classes found, by their share of the pixels, largest first."""
    order = by_share(shares)
    return Prediction(name, tuple(classes[k] for k in order), tuple(float(shares[k]) for k in order))
