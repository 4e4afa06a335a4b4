"""Predict: answers for files, folders and globs. One bad file never stops the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.pictures import load_picture
from anmok.core.preparation import Preparation, centre_crop
from anmok.core.types import Prediction
from anmok.tasks._kind import TASKS, Overlaid
from anmok.verbs.places import Answer, answers_for
from anmok.verbs.respondent import Respondent, ShippedRespondent, overlaid
from anmok.verbs.settings import PredictSettings
from anmok.verbs.shipped import is_shipped
from anmok.verbs.subject import Subject
from anmok.verbs.terminal import Terminal


def predict(
    subject: Subject | nn.Module | str | Path,
    pictures: str | Path | Iterable[str | Path],
    *,
    quiet: bool = True,
    ahead: bool = False,
    **settings: Any,
) -> list[Prediction]:
    """Answers in the order asked, the likeliest class first. Files that cannot be read have `error` set instead.

    Where the first score lies below the run's threshold, `sure` is False: "I don't know" is then the better answer.
    On the CPU whatever answers fastest computes, among torch, ONNX Runtime and OpenVINO, if its answers are those of
    torch in float32: measured once a machine and network where many pictures are asked, see `anmok.verbs.preparing`.

    Args:
        subject: what `anmok.load` or `anmok.train` returned; a run's folder; a network's name, answering with its
            published weights; a shipped model's file; an `anmok.Classifier` or any `nn.Module`.
        pictures: a file, a folder, a glob, a table or archive of pictures, or a list of these.
        ahead: having answered, make a run or network that is asked for the second time ready to start sooner.
        settings: see `anmok.verbs.settings.PredictSettings`.

    Raises:
        UsageError: nothing was asked, or a file to write to has no known ending.
        DataError: nothing is there.
    """
    asked: PredictSettings = PredictSettings.of(**settings)
    terminal = Terminal(quiet)
    respondent: Respondent | ShippedRespondent
    if is_shipped(subject):
        respondent = ShippedRespondent(str(subject), asked, terminal)
    else:
        respondent = Respondent(subject, asked, terminal)
    kind = TASKS[respondent.task]()
    asked.refuse_foreign(kind.name)
    answers: list[Prediction] = []

    answer: Answer = respondent.answers
    if isinstance(kind, Overlaid) and kind.overlays(asked.to):
        answer = overlaid(kind, answer)

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
        if ahead and isinstance(respondent, Respondent):
            respondent.look_ahead()
    return answers


def prepared_picture(path: str | Path, preparation: Preparation) -> np.ndarray:
    """One picture as the network sees it: uint8 (size, size, channels). Raises `UsageError` for a folder, and
    `PictureError`."""
    if Path(path).is_dir():
        raise UsageError("one picture is asked for", got=f"{path}, a folder", fix="a picture in it")
    return centre_crop(load_picture(Path(path), preparation).pixels, preparation.size)
