"""Answers for pictures that nobody compares: each as the other domain would have it, in its own size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from anmok.core.errors import UsageError
from anmok.core.pictures import Decoded
from anmok.core.preparation import in_own_size
from anmok.core.types import Pictures, Prediction
from anmok.report.tables import WRITERS
from anmok.tasks.answering import answered
from anmok.tasks.files import save_answers
from anmok.tasks.translate.learning import Translate


def answers(
    model: Translate, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], way: str, batch: int
) -> Iterator[Prediction]:
    """One prediction a picture, in order."""

    def ask(names: Sequence[str], pictures: Sequence[Decoded]) -> Iterator[Prediction]:
        translated = model.translated(np.stack([one.pixels for one in pictures]), way)
        for name, picture, one in zip(names, translated, pictures, strict=True):
            yield Prediction(name, picture=in_own_size(picture, one.original_size))

    return answered(ask, model.preparation, pictures, locators, names, batch)


def write(to: Path, answers: Iterable[Prediction]) -> None:
    """A folder of pictures (PNG), each named as the one it was made from.

    Raises:
        UsageError: a table was asked for, which holds no pictures.
        UnwrittenError: a file cannot be written.
    """
    if to.suffix.lower() in WRITERS:
        raise UsageError("translations are pictures, and go into a folder", got=f"--to {to}",
                         fix=f"--to {to.with_suffix('')}")  # fmt: skip
    save_answers(to, answers)
