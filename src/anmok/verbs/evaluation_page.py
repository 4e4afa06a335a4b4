"""The page of `anmok eval --report`: everything the task can say about the pictures judged."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from anmok.core.types import Report
from anmok.report import content
from anmok.report.page import write_report
from anmok.tasks._kind import Measured
from anmok.verbs import card as cards
from anmok.verbs.opened import OpenedRun
from anmok.verbs.subject import Subject


def write_evaluation_report(
    path: Path, run: Subject, decoded: Any, found: Measured, report: Report, warnings: Sequence[str] = ()
) -> Path:
    """Write the page, with these warnings at its top. Raises `AnmokError` where that cannot be done."""
    card = run.card if isinstance(run, OpenedRun) else {}
    name = str(run.path) if card else run.title
    facts = {
        "run" if card else "network": name,
        "pictures": str(decoded.dataset.root),
        "split": found.split,
        "weights": str(card.get("weights_sha256", ""))[:16],
        **cards.versions(),
    }
    page = content.ReportContent(
        title=f"{Path(name).name} on {decoded.dataset.root.name}",
        created=cards.now(),
        warnings=warnings,
        repeat=content.Repeat(shlex.join(["anmok", "eval", name]), facts),
    )
    return write_report(path, run.kind.page(page, run.model, decoded, found, card, report))
