"""Answer with a shipped model: decoding beside inference, in order, in bounded memory, without torch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.ahead import answers_ahead
from anmok.core.asking import in_order, refused
from anmok.core.errors import PictureError
from anmok.core.pictures import Decoded
from anmok.core.processor import processors
from anmok.core.seen import Seen
from anmok.core.types import Pictures, Prediction
from anmok.data.decoding import DecodingPool
from anmok.data.lasting_pool import lasting_pool
from anmok.data.whole_pictures import whole_pictures
from anmok.ship.answers import Asked
from anmok.ship.careful import mended
from anmok.ship.container import SUFFIX
from anmok.ship.engines import Outputs
from anmok.ship.runtime import Model
from anmok.verbs.places import answers_for

_Asked = tuple[tuple[str, str | int], Decoded | PictureError]  # a picture's name and locator, and what came of it
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
    top: int | None = None, threshold: float | None = None, near: float | None = None,
) -> Iterator[Prediction]:  # fmt: skip
    """One prediction a picture, in order; `error` set where one cannot be read.

    Args:
        batch: pictures at once.
        top: classes a picture; None: all of them.
        threshold: certainty below which an answer is not `sure`; None: the model's own.
        near: pictures are resized fast, and as the model's preparation has it only where the first two classes lie this
            close; None: always so.
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
    preparation = model.preparation if near is None else replace(model.preparation, exact=False)
    with lasting_pool(pictures, Seen(preparation)) as pool, _Closer(model, pictures, near) as closer:
        decoded = zip(zip(names, locators, strict=True), pool.map(locators), strict=True)
        chunks = iter(lambda: list(islice(decoded, batch)), [])
        # As many batches at once as there are processors: one of a single picture occupies one of them, and what one
        # batch's boxes cost in Python another computes meanwhile.
        for answers in answers_ahead(
            lambda chunk: list(_answer_chunk(model, chunk, top, closer)), chunks, processors()
        ):
            for answer in answers:
                told = threshold is not None and bool(answer.scores)
                yield replace(answer, sure=answer.scores[0] >= threshold) if told else answer  # type: ignore


def _answer_chunk(model: Model, asked: Sequence[_Asked], top: int | None, closer: _Closer) -> Iterator[Prediction]:
    locators = [locator for (_, locator), found in asked if isinstance(found, Decoded)]

    def ask(names: Sequence[str], pictures: Sequence[Decoded]) -> Iterator[Prediction]:
        outputs = closer(locators, model.outputs(model.questions(np.stack([one.pixels for one in pictures]))))
        sizes = [Asked(name, one.original_size) for name, one in zip(names, pictures, strict=True)]
        return model.answers_of(outputs, sizes, top)

    return in_order(ask, [(name, found) for (name, _), found in asked])


class _Closer:
    """What fast resizing leaves in doubt, decoded and asked again as the model's preparation has it."""

    def __init__(self, model: Model, pictures: Pictures, near: float | None) -> None:
        self._model, self._near = model, near
        self._pool = None if near is None else DecodingPool(pictures, Seen(model.preparation), workers=1)

    def __call__(self, locators: Sequence[str | int], found: Outputs) -> Outputs:
        """`found`, one row a picture, with the rows in doubt answered anew."""
        if self._pool is None:
            return found
        answers: Any = self._model.answers
        places = np.flatnonzero(answers.doubtful(found, self._near)).tolist()
        anew = zip(places, self._pool.map([locators[place] for place in places]), strict=True)
        read = [(place, one.pixels) for place, one in anew if isinstance(one, Decoded)]
        if not read:
            return found
        pixels = np.stack([picture for _, picture in read])
        again = np.isin(np.arange(len(locators)), [place for place, _ in read])
        return mended(found, again, self._model.outputs(self._model.questions(pixels)))

    def __enter__(self) -> _Closer:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.close()
