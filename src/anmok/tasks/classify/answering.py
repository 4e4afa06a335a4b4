"""Answers for pictures that nobody labelled: decoded as training did, in other processes, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np
import torch

from anmok.core.preparation import centre_crop
from anmok.core.types import Batch, Pictures, Prediction
from anmok.data.decoding import decode_many
from anmok.tasks.classify.learning import Classify


def answers(
    model: Classify, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], batch: int,
    reject_below: float | None = None,
) -> Iterator[Prediction]:  # fmt: skip
    """One prediction a picture, in order, the likeliest class first.

    `reject_below`: certainty below which an answer is not `sure`; None: the model's own threshold.
    """
    threshold = model.threshold if reject_below is None else reject_below
    decoded = iter(decode_many(pictures, locators, model.preparation))
    while chunk := list(islice(decoded, batch)):
        good = [answer for answer in chunk if isinstance(answer.pixels, np.ndarray)]
        found = iter(_batch(model, good, names)) if good else iter(())
        for answer in chunk:
            if not isinstance(answer.pixels, np.ndarray):
                yield Prediction(names[answer.position], error=answer.pixels.brief)
                continue
            told = next(found)
            sure = None if threshold is None or not told.scores else told.scores[0] >= threshold
            yield replace(told, sure=sure)


def _batch(model: Classify, answers: Sequence[Any], names: Sequence[str]) -> Iterator[Prediction]:
    pixels = np.stack([centre_crop(answer.pixels, model.preparation.size) for answer in answers])
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    batch = Batch(tensor, None, [names[answer.position] for answer in answers])
    model.network.eval()
    return model.predictions(batch, model.logits(batch).cpu())
