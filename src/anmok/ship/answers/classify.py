"""Classification: logits (N, classes) → labels and calibrated probabilities, the likeliest first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from anmok.core.registry import register
from anmok.core.types import Prediction
from anmok.ship.answers import Asked

_DEVIATIONS = 2.0  # docs/decisions/0011 says what fewer and more would cost
_BEYOND = 1.05  # how much further than the furthest decision that was another


@register("answers", name="classify")
class ClassAnswers:
    """Softmax of logits / temperature; below the threshold an answer is unsure.

    Reads `classes` (names in the order of the logits), `temperature`, and `threshold` (None: never unsure).
    """

    outputs = ("logits",)

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.classes = tuple(map(str, settings["classes"]))
        self.temperature = float(settings["temperature"])
        self.threshold = None if settings["threshold"] is None else float(settings["threshold"])
        if not self.classes or self.temperature <= 0:
            raise ValueError("a classifier has classes and a temperature above 0")

    def __call__(
        self, outputs: Mapping[str, np.ndarray], pictures: Sequence[Asked], top: int | None = None
    ) -> Iterator[Prediction]:
        """See `anmok.ship.answers.Answers`."""
        logits = outputs["logits"]
        if logits.shape != (len(pictures), len(self.classes)):
            raise ValueError(f"logits {logits.shape} for {len(pictures)} pictures of {len(self.classes)} classes")
        scores = softmax(logits.astype(np.float32) / np.float32(self.temperature))
        order = np.argsort(-scores, axis=1, kind="stable")[:, :top]
        ranked = np.take_along_axis(scores, order, axis=1)
        labels = np.array(self.classes, object)[order]
        for picture, names, row in zip(pictures, labels.tolist(), ranked.tolist(), strict=True):
            sure = None if self.threshold is None else row[0] >= self.threshold
            yield Prediction(picture.id, tuple(names), tuple(row), sure=sure)

    def doubtful(self, outputs: Mapping[str, np.ndarray], slack: float) -> np.ndarray:
        """Whether each decision might be another if differences of logits were off by `slack`, bool (N,)."""
        logits = outputs["logits"].astype(np.float64)
        if logits.shape[1] < 2:
            return np.zeros(len(logits), bool)
        best = np.sort(logits, axis=1)
        clear = best[:, -1] - best[:, -2] >= slack
        if self.threshold is not None:
            certainty = softmax(logits / self.temperature).max(axis=1)
            factor = np.exp(slack / self.temperature)  # by which its odds might be off
            low = certainty / (certainty + (1 - certainty) * factor)
            high = certainty * factor / (certainty * factor + 1 - certainty)
            clear &= (low >= self.threshold) | (high < self.threshold)
        return ~clear

    def slack(self, fast: Mapping[str, np.ndarray], exact: Mapping[str, np.ndarray]) -> float:
        """How far the difference of the first two classes may be off: `_DEVIATIONS` of its error's, and so far that
        every decision seen to be another in exact numbers lies within.

        A decision outside the slack is another in exact numbers only where an error beyond that meets a difference
        no larger: of 2,000 photographs three to eight (0.15 to 0.4 %), on a processor whose bf16 changes 4 to 7 % of
        all decisions.
        """
        first_two = np.argsort(-exact["logits"], axis=1)[:, :2]
        error = np.take_along_axis(fast["logits"] - exact["logits"], first_two, axis=1)
        usual = _DEVIATIONS * float(np.sqrt(np.mean((error[:, 0] - error[:, -1]) ** 2)))
        best = np.sort(fast["logits"].astype(np.float64), axis=1)
        other = fast["logits"].argmax(1) != exact["logits"].argmax(1)
        return max(usual, _BEYOND * float((best[other, -1:] - best[other, -2:-1]).max(initial=0.0)))


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows (N, classes) → probabilities that sum to 1.

    >>> softmax(np.array([[0.0, 0.0]])).tolist()
    [[0.5, 0.5]]
    """
    shifted = np.exp(logits - logits.max(axis=1, keepdims=True))
    return shifted / shifted.sum(axis=1, keepdims=True)
