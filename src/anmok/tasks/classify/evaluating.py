"""Everything `anmok eval` says about a classifier: figures, tables, thresholds, unseen classes, the leakage bill."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from anmok.core.errors import DataError, UsageError
from anmok.core.types import Dataset, Prediction, Report
from anmok.data.load import load_data
from anmok.metrics.summary import Summary
from anmok.tasks._kind import Inquiry
from anmok.tasks.classify.choosing import decode
from anmok.tasks.classify.leakage import leakage_bill
from anmok.tasks.classify.learning import Classify
from anmok.tasks.classify.measuring import (
    Measured,
    calibration_rows,
    group_rows,
    grouped_accuracy,
    measure,
    spread_out,
)
from anmok.tasks.classify.rejection import Rejection, choose_rejection, rejection_row, unseen_row
from anmok.tasks.copies import look_for_copies
from anmok.tasks.pictures import Decoded


def evaluate(inquiry: Inquiry, decoded: Decoded, split: str | None) -> tuple[Measured, Report]:
    """Every figure with its interval; tables `classes`, `confusion`, `calibration` and, where there is something to
    say, `groups`, `rejection`, `unseen` and `leakage`.
    """
    model, asked = inquiry.model, inquiry.asked
    rejection = _rejection(inquiry)
    found = measure(model, decoded, split, asked.batch, model.temperature)
    tables = _tables(found.summary, model.classes) | {"calibration": calibration_rows(found)}
    if groups := group_rows(found, decoded.dataset):
        tables["groups"] = groups
    if rejection is not None:
        tables["rejection"] = [rejection_row(found, rejection)]
    if asked.unseen is not None:
        strange = _unseen(inquiry)
        tables["unseen"] = [unseen_row(found, strange, rejection.threshold if rejection else None)]
    if split is not None and (asked.leaks or inquiry.own_pictures):
        copies = look_for_copies(decoded, near=asked.leaks or None).found
        bill = leakage_bill(decoded, split, found.ids, found.right, copies)
        tables |= {"leakage": [bill.to_json()]} if asked.leaks or bill.leaked else {}
    return found, Report(_plain(found, decoded.dataset), tables, _predictions(model, found, rejection))


def _rejection(inquiry: Inquiry) -> Rejection | None:
    """The run's threshold; a new one, kept in its card, where the person wished one."""
    asked, model = inquiry.asked, inquiry.model
    if asked.reject_accuracy is None and asked.reject_coverage is None:
        own = inquiry.card.get("rejection")
        return None if own is None else Rejection.from_json(own)
    if "val" not in inquiry.card["data"]["splits"]:
        raise UsageError("a threshold is chosen on validation pictures, and this run has none", fix="train with --val")
    decoded, split = inquiry.own("val")
    found = measure(model, decoded, split, asked.batch, model.temperature)
    chosen = choose_rejection(found, asked.reject_accuracy, asked.reject_coverage)
    inquiry.keep({"rejection": chosen.to_json()})
    model.threshold = chosen.threshold
    inquiry.voice.say(f"{chosen.sentence}. anmok predict uses it from now on.")
    return chosen


def _unseen(inquiry: Inquiry) -> np.ndarray:
    """The run's certainty about pictures of classes it never learned, (M,)."""
    model: Classify = inquiry.model
    place = str(inquiry.asked.unseen)
    dataset = load_data(place)
    shared = sorted(set(dataset.classes) & set(model.classes))
    if shared:
        raise DataError("unseen pictures are of other classes than the run's", path=place, got=", ".join(shared),
                        fix="leave these classes out")  # fmt: skip
    decoded = decode(dataset, model.preparation, inquiry.voice)
    logits, _ = model.collect(decoded.loader(None, inquiry.asked.batch))
    scores = np.exp(logits / model.temperature - (logits / model.temperature).max(1, keepdims=True))
    return scores.max(1) / scores.sum(1)


def _predictions(model: Classify, found: Measured, rejection: Rejection | None) -> list[Prediction]:
    scores, classes = found.scores, model.classes
    order = np.argsort(-scores, axis=1, kind="stable")
    sure = [None] * len(scores) if rejection is None else (scores.max(1) >= rejection.threshold).tolist()
    return [
        Prediction(name, tuple(classes[c] for c in ranks), tuple(float(row[c]) for c in ranks), sure=certain)
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
