"""Predict: answers for files, folders and globs. One bad file never stops the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from anmok.core.pictures import load_picture
from anmok.core.preparation import Preparation, centre_crop
from anmok.core.types import Pictures, Prediction
from anmok.verbs.opened import subject_of
from anmok.verbs.places import answers_for
from anmok.verbs.settings import PredictSettings
from anmok.verbs.subject import Subject
from anmok.verbs.terminal import Terminal


def predict(
    subject: Subject | nn.Module | str | Path,
    pictures: str | Path | Iterable[str | Path],
    *,
    quiet: bool = True,
    **settings: Any,
) -> list[Prediction]:
    """Answers in the order asked, the likeliest class first. Files that cannot be read have `error` set instead.

    Where the first score lies below the run's threshold, `sure` is False: "I don't know" is then the better answer.

    Args:
        subject: what `anmok.load` or `anmok.train` returned; a run's folder; a network's name, answering with its
            published weights; an `anmok.Classifier` or any `nn.Module`.
        pictures: a file, a folder, a glob, a table or archive of pictures, or a list of these.
        settings: see `anmok.verbs.settings.PredictSettings`.

    Raises:
        UsageError: nothing was asked, or a file to write to has no known ending.
        DataError: nothing is there.
    """
    asked: PredictSettings = PredictSettings.of(**settings)
    one = subject_of(subject, asked.weights, device=asked.device)
    asked.refuse_foreign(one.kind.name)
    terminal = Terminal(quiet)
    answers: list[Prediction] = []

    def kept() -> Iterator[Prediction]:
        for answer in answered(one, pictures, asked, terminal):
            answers.append(answer)
            yield answer

    with terminal.hearing_warnings():
        if asked.to is not None:
            one.kind.write(asked.to, kept(), asked)
        else:
            for _ in kept():
                pass
    return answers


def answered(
    one: Subject, pictures: str | Path | Iterable[str | Path], asked: PredictSettings, terminal: Terminal
) -> Iterator[Prediction]:
    """The answers one by one, in order, in bounded memory. Decoding goes on in other processes meanwhile."""

    def answer(store: Pictures, locators: Sequence[str | int], names: Sequence[str]) -> Iterator[Prediction]:
        return one.kind.answers(one.model, store, locators, names, asked)

    return answers_for(pictures, answer, terminal.say)


def prepared_picture(path: str | Path, preparation: Preparation) -> np.ndarray:
    """One picture as the network sees it: uint8 (size, size, channels)."""
    return centre_crop(load_picture(Path(path), preparation).pixels, preparation.size)
