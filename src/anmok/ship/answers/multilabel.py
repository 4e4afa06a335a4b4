"""Multi-label classification: logits (N, classes) → each class's own probability, and which classes are found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from anmok.core.registry import register
from anmok.core.types import Prediction
from anmok.ship.answers import Asked

_RESERVE = 1.5


@register("answers", name="multilabel")
class AnyClassAnswers:
    """σ(slope · logit + offset) of each class; found from its threshold on.

    Reads `classes` (names in the order of the logits) and `judgement` (of each name: slope, offset, threshold).
    """

    outputs = ("logits",)

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.classes = tuple(map(str, settings["classes"]))
        rows = [settings["judgement"][name] for name in self.classes]
        self.slopes, self.offsets, self.thresholds = (
            np.array([float(row[part]) for row in rows], np.float32) for part in ("slope", "offset", "threshold")
        )
        if not self.classes or (self.slopes <= 0).any():
            raise ValueError("there are classes, and slopes are above 0")

    def __call__(
        self, outputs: Mapping[str, np.ndarray], pictures: Sequence[Asked], top: int | None = None
    ) -> Iterator[Prediction]:
        """See `anmok.ship.answers.Answers`."""
        logits = outputs["logits"]
        if logits.shape != (len(pictures), len(self.classes)):
            raise ValueError(f"logits {logits.shape} for {len(pictures)} pictures of {len(self.classes)} classes")
        scores = 1 / (1 + np.exp(-(logits.astype(np.float32) * self.slopes + self.offsets)))
        for picture, row in zip(pictures, scores, strict=True):
            order = np.argsort(-row, kind="stable")
            found = tuple(self.classes[place] for place in order if row[place] >= self.thresholds[place])
            kept = order[:top]
            labels = tuple(self.classes[place] for place in kept)
            yield Prediction(picture.id, labels, tuple(row[kept].tolist()), found=found)

    def doubtful(self, outputs: Mapping[str, np.ndarray], slack: float) -> np.ndarray:
        """Whether any decision might be another if logits were off by `slack`, bool (N,)."""
        lines = outputs["logits"].astype(np.float64) * self.slopes + self.offsets
        border = np.log(self.thresholds.astype(np.float64)) - np.log1p(-self.thresholds.astype(np.float64))
        return (np.abs(lines - border) < slack * self.slopes).any(1)

    def slack(self, fast: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray]) -> float:
        """How far logits may be off: the largest error seen, and half again."""
        return _RESERVE * float(np.abs(fast["logits"] - exact["logits"]).max(initial=0.0))
