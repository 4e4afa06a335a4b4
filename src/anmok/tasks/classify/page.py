"""A classifier's part of a report: headlines, confusions, classes, groups, calibration, mistakes and doubts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from anmok.core.types import Report
from anmok.report.content import ReportContent
from anmok.tasks.classify import showing
from anmok.tasks.classify.learning import Classify
from anmok.tasks.classify.measuring import Measured, group_rows
from anmok.tasks.classify.rejection import Rejection
from anmok.tasks.pictures import Decoded


def fill(
    page: ReportContent, model: Classify, decoded: Decoded, found: Measured, card: Mapping[str, Any],
    report: Report | None,
) -> ReportContent:  # fmt: skip
    """The page with everything that classification has to show. `report`: of an evaluation; None: of training."""
    return replace(
        page,
        summary=f"{page.summary} {_sentence(found)}".strip(),
        warnings=[*page.warnings, *(() if report is None else [*_leaks(report), *_unseen(report)])],
        figures=showing.headlines(found),
        confusion=showing.confusion(found, decoded),
        classes=[showing.class_line(row) for row in found.summary.classes],
        groups=showing.group_lines(group_rows(found, decoded.dataset)),
        calibration=showing.calibration(found, _rejection(card) if report is None else _rejection_here(report)),
        mistakes=showing.worst(found, decoded, model),
        doubtful=showing.doubtful(found, decoded),
    )


def _sentence(found: Measured) -> str:
    accuracy = found.summary.figures["accuracy"]
    which = "" if found.split == "all" else f"{found.split} "
    return (
        f"On {accuracy.n:,} {which}pictures, {accuracy.value:.1%} of its answers are right "
        f"(95 % interval {accuracy.low:.1%} to {accuracy.high:.1%})."
    )


def _rejection(card: Mapping[str, Any]) -> str:
    return Rejection.from_json(card["rejection"]).sentence if card.get("rejection") else ""


def _rejection_here(report: Report) -> str:
    rows = report.tables.get("rejection", ())
    return "; ".join(
        f"{row['sentence']}. On these pictures {row['coverage']:.1%} are answered, "
        f"{row['accuracy']:.1%} ({row['accuracy_low']:.1%} to {row['accuracy_high']:.1%}) of these rightly"
        for row in rows
    )


def _leaks(report: Report) -> list[str]:
    return [row["sentence"] for row in report.tables.get("leakage", ()) if row["leaked"]]


def _unseen(report: Report) -> list[str]:
    return [
        f"Certainty tells pictures of these classes from {row['pictures']:,} of unseen ones with an AUROC of "
        f"{row['auroc']:.3f} ({row['auroc_low']:.3f} to {row['auroc_high']:.3f}; 0.5 is chance, 1 is perfect)."
        for row in report.tables.get("unseen", ())
    ]
