"""One split's answers and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from anmok.core.types import Prediction, Report
from anmok.metrics.multilabel import LabelSummary, exact, label_summary
from anmok.metrics.proportion import Interval
from anmok.tasks.classify.learning import Classify
from anmok.tasks.classify.measuring import spread_out
from anmok.tasks.multilabel.objective import Judgement
from anmok.tasks.pictures import Decoded


@dataclass(frozen=True)
class Measured:
    """`logits` float32 (N, C), `targets` bool (N, C), `rows` in the source; `summary` is of the scores that `judgement`
    makes of the logits, as `anmok predict` gives them.
    """

    split: str
    ids: Sequence[str]
    rows: np.ndarray
    logits: np.ndarray
    targets: np.ndarray
    summary: LabelSummary
    judgement: Judgement

    @property
    def figures(self) -> Mapping[str, Interval]:
        """Every figure with its interval."""
        return self.summary.figures

    @property
    def scores(self) -> np.ndarray:
        """Probabilities (N, C), each class's own."""
        return self.judgement.scores(self.logits)

    @property
    def answered(self) -> np.ndarray:
        """Which classes each answer names, bool (N, C)."""
        return self.judgement.answered(self.scores)

    @property
    def right(self) -> np.ndarray:
        """Whether each answer names exactly what there is, bool (N,)."""
        return exact(self.targets, self.answered)


def measure(
    model: Classify, decoded: Decoded, split: str | None, batch: int = 500, judgement: Judgement | None = None
) -> Measured:
    """Ask the network about every picture of a split (None: all).

    Args:
        judgement: how logits become answers; None: the one that fits these very pictures, as for validation pictures.
    """
    loader = decoded.loader(split, batch)
    logits, targets = model.collect(loader)
    used = Judgement.fitted(targets, logits) if judgement is None else judgement
    truths, thresholds = targets > 0.5, np.array(used.thresholds, np.float32).tolist()
    summary = label_summary(truths, used.scores(logits), thresholds, model.classes)
    return Measured(split or "all", loader.ids, loader.rows, logits, truths, summary, used)


def report_of(found: Measured, classes: Sequence[str]) -> Report:
    """Figures; a table `classes`; predictions."""
    plain: dict[str, float] = {}
    for name, figure in found.figures.items():
        plain |= spread_out(name, figure)
    rows: list[dict[str, Any]] = []
    for row in found.summary.labels:
        values: dict[str, Any] = {"class": row.name, "pictures": row.pictures, "answered": row.answered}
        for name in ("average_precision", "precision", "recall", "f1"):
            values |= spread_out(name, getattr(row, name))
        rows.append({**values, "threshold": row.threshold})
    order = np.argsort(-found.scores, axis=1, kind="stable")
    predictions = [
        Prediction(name, tuple(classes[c] for c in ranks), tuple(float(scores[c]) for c in ranks),
                   found=tuple(classes[c] for c in ranks if said[c]))
        for name, scores, said, ranks in zip(found.ids, found.scores, found.answered, order, strict=True)
    ]  # fmt: skip
    return Report(plain, {"classes": rows}, predictions)
