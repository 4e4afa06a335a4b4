"""Answers for pictures that nobody compares: each as the other domain would have it, in its own size."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np

from anmok.core.errors import PictureError, UsageError
from anmok.core.pictures import Decoded
from anmok.core.preparation import in_own_size
from anmok.core.seen import Seen
from anmok.core.types import Pictures, Prediction
from anmok.data.decoding import DecodingPool
from anmok.report.tables import WRITERS
from anmok.tasks.files import save_answers
from anmok.tasks.translate.learning import Translate


def answers(
    model: Translate, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], way: str, batch: int
) -> Iterator[Prediction]:
    """One prediction a picture, in order."""
    with DecodingPool(pictures, Seen(model.preparation)) as pool:  # the bytes that the shipped model sees
        decoded = zip(names, pool.map(locators), strict=True)
        while chunk := list(islice(decoded, batch)):
            good = [found.pixels for _, found in chunk if isinstance(found, Decoded)]
            translated = iter(model.translated(np.stack(good), way) if good else ())
            for name, found in chunk:
                if isinstance(found, PictureError):
                    yield Prediction(name, error=found.brief)
                else:
                    yield Prediction(name, picture=in_own_size(next(translated), found.original_size))


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
