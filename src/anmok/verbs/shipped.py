"""Answer with a shipped model: decoding beside inference, in order, in bounded memory, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from anmok.core.ahead import answers_ahead
from anmok.core.asking import Chunk, in_order, refused
from anmok.core.errors import PictureError
from anmok.core.pictures import Decoded
from anmok.core.seen import Seen
from anmok.core.types import Pictures, Prediction
from anmok.data.lasting_pool import lasting_pool
from anmok.data.whole_pictures import whole_pictures
from anmok.ship.answers import Asked
from anmok.ship.container import SUFFIX
from anmok.ship.engines import processors
from anmok.ship.runtime import Model
from anmok.verbs.places import answers_for

BATCH = 32  # pictures at once: more gains nothing on a CPU, and answers come later


def is_shipped(subject: object) -> bool:
    """Whether this names a shipped model rather than a run or a network."""
    return isinstance(subject, (str, Path)) and str(subject).endswith(SUFFIX)


def ask_shipped(
    model: Model, pictures: str | Path | Iterable[str | Path], *, batch: int = BATCH, top: int | None = None,
    threshold: float | None = None, say: Callable[[str], None] = lambda _: None,
) -> Iterator[Prediction]:  # fmt: skip
    """Answers for files, folders and globs, in order; see `answers_for` and `shipped_answers`."""
    answer = partial(shipped_answers, model, batch=batch, top=top, threshold=threshold)
    return answers_for(pictures, answer, say)


def shipped_answers(
    model: Model, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], *, batch: int = BATCH,
    top: int | None = None, threshold: float | None = None,
) -> Iterator[Prediction]:  # fmt: skip
    """One prediction a picture, in order; `error` set where one cannot be read.

    Args:
        batch: pictures at once.
        top: classes a picture; None: all of them.
        threshold: certainty below which an answer is not `sure`; None: the model's own.
    """
    if model.preparation.fit == "window":
        for position, found in whole_pictures(pictures, locators):
            name = names[position]
            if isinstance(found, PictureError):
                yield refused(name, found)
                continue
            whole = model.answer_whole(found, Asked(name, (found.shape[0], found.shape[1])), top)
            del found  # a large picture goes before its answer is drawn and written
            yield whole
        return
    with lasting_pool(pictures, Seen(model.preparation)) as pool:
        decoded = zip(names, pool.map(locators), strict=True)
        chunks = iter(lambda: list(islice(decoded, batch)), [])
        # As many batches at once as there are processors: one of a single picture occupies one of them, and what one
        # batch's boxes cost in Python another computes meanwhile.
        for answers in answers_ahead(lambda chunk: list(_answer_chunk(model, chunk, top)), chunks, processors()):
            for answer in answers:
                told = threshold is not None and bool(answer.scores)
                yield replace(answer, sure=answer.scores[0] >= threshold) if told else answer  # type: ignore


def _answer_chunk(model: Model, chunk: Chunk, top: int | None) -> Iterator[Prediction]:
    def ask(names: Sequence[str], pictures: Sequence[Decoded]) -> Iterator[Prediction]:
        pixels = np.stack([one.pixels for one in pictures])
        asked = [Asked(name, one.original_size) for name, one in zip(names, pictures, strict=True)]
        return model.answer(pixels, asked, top)

    return in_order(ask, chunk)
