"""Answers for pictures that nobody compares: each whole again, in its own size, and how unusual it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import torch

from anmok.core.errors import PictureError
from anmok.core.preparation import fit_picture, in_own_size
from anmok.core.types import Batch, Pictures, Prediction
from anmok.data.decoding import decode_many
from anmok.report.tables import WRITERS, write_predictions
from anmok.tasks.files import save_answers
from anmok.tasks.reconstruct.learning import Reconstruct, arrays
from anmok.tasks.reconstruct.threshold import labelled


def answers(
    model: Reconstruct, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], batch: int
) -> Iterator[Prediction]:
    """One prediction a picture, in order: what the network makes of it, and how unusual it is where that is judged."""
    decoded = iter(decode_many(pictures, locators, None))
    while chunk := list(islice(decoded, batch)):
        good = [answer.pixels for answer in chunk if isinstance(answer.pixels, np.ndarray)]
        found = iter(_answered(model, good)) if good else iter(())
        for answer in chunk:
            name = names[answer.position]
            if isinstance(answer.pixels, PictureError):
                yield Prediction(name, error=answer.pixels.brief)
                continue
            picture, strangeness = next(found)
            label, score = labelled(model.threshold, strangeness)
            yield Prediction(name, label, score, picture=in_own_size(picture, answer.pixels.shape))


def _answered(model: Reconstruct, pictures: Sequence[np.ndarray]) -> Iterator[tuple[np.ndarray, float | None]]:
    """Each picture as the network repeats it, uint8 (S, S, C), and its strangeness where that is judged."""
    pixels = np.stack([fit_picture(picture, model.preparation) for picture in pictures])
    batch = Batch(torch.from_numpy(pixels).permute(0, 3, 1, 2), None, [""] * len(pixels))
    x, _ = model.ready(batch)
    scores: list[float | None] = [None] * len(pixels)
    with torch.no_grad(), model.judging():
        out = np.rint(arrays(model.reconstruct(x)) * 255).astype(np.uint8)
        if model.novelty is not None and model.threshold is not None:
            scores = model.novelty.judge(model, x)[0].tolist()
    yield from zip(out, scores, strict=True)


def write(to: Path, answers: Iterable[Prediction], top: int) -> None:
    """A table of what is unusual (.csv, .jsonl, .parquet), or a folder of pictures as the network repeats them (PNG).

    Raises:
        UnwrittenError: a file cannot be written.
    """
    if to.suffix.lower() in WRITERS:
        write_predictions(to, answers, top)
        return
    save_answers(to, answers)
