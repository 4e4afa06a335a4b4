"""Predict: answers for files, folders and globs. One bad file never stops the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.pictures import load_picture
from anmok.core.preparation import Preparation, centre_crop
from anmok.core.types import Prediction
from anmok.ship.runtime import load_model
from anmok.tasks._kind import TASKS, Kind
from anmok.verbs.opened import subject_of
from anmok.verbs.places import Answer, answers_for
from anmok.verbs.question import asking
from anmok.verbs.settings import PredictSettings
from anmok.verbs.shipped import is_shipped, shipped_answers
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
            published weights; a shipped model's file; an `anmok.Classifier` or any `nn.Module`.
        pictures: a file, a folder, a glob, a table or archive of pictures, or a list of these.
        settings: see `anmok.verbs.settings.PredictSettings`.

    Raises:
        UsageError: nothing was asked, or a file to write to has no known ending.
        DataError: nothing is there.
    """
    asked: PredictSettings = PredictSettings.of(**settings)
    terminal = Terminal(quiet)
    kind, answer = _respondent(subject, asked)
    asked.refuse_foreign(kind.name)
    answers: list[Prediction] = []

    def kept() -> Iterator[Prediction]:
        for found in answers_for(pictures, answer, terminal.say):
            answers.append(found)
            yield found

    with terminal.hearing_warnings():
        if asked.to is not None:
            kind.write(asked.to, kept(), asked)
        else:
            for _ in kept():
                pass
    return answers


def _respondent(subject: Subject | nn.Module | str | Path, asked: PredictSettings) -> tuple[Kind, Answer]:
    """Whose answers these are, and who gives them: in bounded memory, decoding in other processes meanwhile."""
    if is_shipped(subject):
        if asked.is_ is not None:
            raise UsageError("a shipped model answers as it was shipped", got=f'--is "{asked.is_}"', fix="ask the run")
        if asked.weights is not None or asked.device not in ("auto", "cpu"):
            raise UsageError("a shipped model has its own weights and answers on the CPU", got=str(subject))
        model = load_model(str(subject))
        return TASKS[model.manifest.task](), partial(shipped_answers, model, threshold=asked.reject_below)
    one = subject_of(subject, asked.weights, device=asked.device)
    if asked.is_ is not None:
        one = asking(one, asked.is_)
    return one.kind, lambda pictures, locators, names: one.kind.answers(one.model, pictures, locators, names, asked)


def prepared_picture(path: str | Path, preparation: Preparation) -> np.ndarray:
    """One picture as the network sees it: uint8 (size, size, channels)."""
    return centre_crop(load_picture(Path(path), preparation).pixels, preparation.size)
