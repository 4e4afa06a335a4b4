"""Answers for pictures that nobody labelled: named by their classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from anmok.core.pictures import Decoded
from anmok.core.types import Batch, Pictures, Prediction
from anmok.tasks.answering import answered, stacked
from anmok.tasks.classify.learning import Classify


def answers(
    model: Classify, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], batch: int,
    reject_below: float | None = None,
) -> Iterator[Prediction]:  # fmt: skip
    """One prediction a picture, in order, the likeliest class first.

    `reject_below`: certainty below which an answer is not `sure`; None: the model's own threshold.
    """
    threshold = model.threshold if reject_below is None else reject_below

    def ask(names: Sequence[str], pictures: Sequence[Decoded]) -> Iterator[Prediction]:
        shown = Batch(stacked(pictures), None, list(names))
        model.network.eval()
        for told in model.predictions(shown, model.logits(shown).cpu()):
            sure = None if threshold is None or not told.scores else told.scores[0] >= threshold
            yield replace(told, sure=sure)

    return answered(ask, model.preparation, pictures, locators, names, batch)
