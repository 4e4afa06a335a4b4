"""Answers for pictures that nobody compares: each whole again, in its own size, and how unusual it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch

from anmok.core.pictures import Decoded
from anmok.core.preparation import in_own_size
from anmok.core.strangeness import labelled
from anmok.core.types import Batch, Pictures, Prediction
from anmok.report.tables import WRITERS, write_predictions
from anmok.tasks.answering import answered, stacked
from anmok.tasks.files import save_answers
from anmok.tasks.reconstruct.learning import Reconstruct, arrays


def answers(
    model: Reconstruct, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], batch: int
) -> Iterator[Prediction]:
    """One prediction a picture, in order: what the network makes of it, and how unusual it is where that is judged."""

    def ask(names: Sequence[str], pictures: Sequence[Decoded]) -> Iterator[Prediction]:
        x, _ = model.ready(Batch(stacked(pictures), None, list(names)))
        scores: list[float | None] = [None] * len(x)
        with torch.no_grad(), model.judging():
            repeated = np.rint(arrays(model.reconstruct(x)) * 255).astype(np.uint8)
            if model.novelty is not None and model.threshold is not None:
                scores = model.novelty.judge(model, x)[0].tolist()
        for name, picture, score, one in zip(names, repeated, scores, pictures, strict=True):
            own = in_own_size(picture, one.original_size)
            yield Prediction(name, *labelled(model.threshold, score), picture=own)

    return answered(ask, model.preparation, pictures, locators, names, batch)


def write(to: Path, answers: Iterable[Prediction], top: int) -> None:
    """A table of what is unusual (.csv, .jsonl, .parquet), or a folder of pictures as the network repeats them (PNG).

    Raises:
        UnwrittenError: a file cannot be written.
    """
    if to.suffix.lower() in WRITERS:
        write_predictions(to, answers, top)
        return
    save_answers(to, answers)
