"""The page of `anmok eval --report`: figures, confusions, mistakes and doubts on the pictures judged."""

from __future__ import annotations

import shlex
from pathlib import Path

from anmok.core.types import Report
from anmok.report import content
from anmok.report.page import write_report
from anmok.tasks.pictures import Decoded
from anmok.verbs import card as cards
from anmok.verbs import showing
from anmok.verbs.measuring import Measured
from anmok.verbs.opened import OpenedRun


def write_evaluation_report(path: Path, run: OpenedRun, decoded: Decoded, found: Measured, report: Report) -> Path:
    """Write the page. Raises `AnmokError` where that cannot be done."""
    accuracy = found.summary.figures["accuracy"]
    which = "" if found.split == "all" else f"{found.split} "
    summary = (
        f"On {accuracy.n:,} {which}pictures, {accuracy.value:.1%} of the answers are right "
        f"(95 % interval {accuracy.low:.1%} to {accuracy.high:.1%})."
    )
    return write_report(
        path,
        content.ReportContent(
            title=f"{run.path.name} on {decoded.dataset.root.name}",
            summary=summary,
            created=cards.now(),
            warnings=[*_leaks(report), *_unseen(report)],
            figures=showing.headlines(found),
            confusion=showing.confusion(found, decoded),
            classes=[showing.class_line(row) for row in found.summary.classes],
            groups=showing.group_lines(report.tables.get("groups", ())),
            calibration=showing.calibration(found, _rejection(report)),
            mistakes=showing.worst(found, decoded, run.model),
            doubtful=showing.doubtful(found, decoded),
            repeat=content.Repeat(
                shlex.join(["anmok", "eval", str(run.path)]),
                {"run": str(run.path), "pictures": str(decoded.dataset.root), "split": found.split,
                 "weights": str(run.card.get("weights_sha256", ""))[:16], **cards.versions()},
            ),
        ),
    )  # fmt: skip


def _rejection(report: Report) -> str:
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
