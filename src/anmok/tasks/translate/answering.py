"""Answers for pictures that nobody compares: each as the other domain would have it, in its own size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from anmok.core.errors import PictureError, UsageError
from anmok.core.preparation import fit_picture, in_own_size
from anmok.core.types import Pictures, Prediction
from anmok.data.decoding import decode_many
from anmok.report.tables import WRITERS
from anmok.tasks.files import FileNames, save_picture
from anmok.tasks.translate.learning import Translate


def answers(
    model: Translate, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], way: str, batch: int
) -> Iterator[Prediction]:
    """One prediction a picture, in order."""
    decoded = iter(decode_many(pictures, locators, None))
    while chunk := list(islice(decoded, batch)):
        good = [answer.pixels for answer in chunk if isinstance(answer.pixels, np.ndarray)]
        fitted = [fit_picture(pixels, model.preparation) for pixels in good]
        translated = iter(model.translated(np.stack(fitted), way) if fitted else ())
        for answer in chunk:
            name = names[answer.position]
            if isinstance(answer.pixels, PictureError):
                error = answer.pixels
                yield Prediction(name, error=f"{error.what}; try: {error.fix}" if error.fix else error.what)
            else:
                yield Prediction(name, picture=in_own_size(next(translated), answer.pixels.shape))


def write(to: Path, answers: Iterable[Prediction]) -> None:
    """A folder of pictures (PNG), each named as the one it was made from.

    Raises:
        UsageError: a table was asked for, which holds no pictures.
        UnwrittenError: a file cannot be written.
    """
    if to.suffix.lower() in WRITERS:
        raise UsageError("translations are pictures, and go into a folder", got=f"--to {to}",
                         fix=f"--to {to.with_suffix('')}")  # fmt: skip
    to.mkdir(parents=True, exist_ok=True)
    names = FileNames()
    for answer in answers:
        if answer.picture is not None:
            save_picture(to / f"{names(answer.id)}.png", answer.picture)
