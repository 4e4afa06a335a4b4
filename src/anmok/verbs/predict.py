"""Predict: answers for files, folders and globs. One bad file never stops the rest."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.pictures import load_picture
from anmok.core.preparation import Preparation, centre_crop
from anmok.core.types import Prediction
from anmok.data.load import load_data
from anmok.data.stores import PathPictures
from anmok.verbs.opened import subject_of
from anmok.verbs.settings import PredictSettings
from anmok.verbs.subject import Subject
from anmok.verbs.terminal import Terminal

_HOLDS_MANY = {".csv", ".tsv", ".gz", ".zip", ".tar", ".tgz", ".bz2", ".xz"}  # and so are read by `load_data`


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
    for single, places in groupby(_places(pictures), key=_is_picture_file):
        if single:
            names = [str(place) for place in places]
            yield from one.kind.answers(one.model, PathPictures(), names, names, asked)
        else:
            for place in places:
                yield from _of_place(one, place, asked, terminal)


def _places(pictures: str | Path | Iterable[str | Path]) -> list[Path]:
    """Every file or folder asked for; a glob stands for what it matches."""
    asked = [pictures] if isinstance(pictures, (str, Path)) else list(pictures)
    found: list[Path] = []
    for item in asked:
        path = Path(item).expanduser()
        if not path.exists() and glob.has_magic(str(path)):
            matches = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207 - absolute patterns too
            if not matches:
                raise UsageError("nothing matches", got=str(item), fix="quote the pattern, or name a folder")
            found.extend(Path(match) for match in matches)
        else:
            found.append(path)
    if not found:
        raise UsageError("there is nothing to answer for", fix="name a picture, a folder or a glob")
    return found


def _is_picture_file(place: Path) -> bool:
    """A file is a picture unless it is a table, IDX file or archive; a file without ending is asked to be one too."""
    return not place.is_dir() and place.suffix.lower() not in _HOLDS_MANY


def _of_place(one: Subject, place: Path, asked: PredictSettings, terminal: Terminal) -> Iterator[Prediction]:
    """A folder's pictures, at any depth; what a table, IDX file or archive holds."""
    plain = place.is_dir() and not any(item.suffix.lower() in _HOLDS_MANY for item in place.iterdir())
    dataset = load_data(place, format="flat_folder" if plain else None)
    names = [str(place / entry.id) if plain else entry.id for entry in dataset.entries]
    locators = [entry.locator for entry in dataset.entries]
    yield from one.kind.answers(one.model, dataset.pictures, locators, names, asked)
    for item in dataset.quarantined:
        yield Prediction(str(place / item.path), error=f"{item.reason}; try: {item.fix}")
    if dataset.skipped:
        terminal.say(f"{place}: {len(dataset.skipped)} files are no pictures and were passed over")


def prepared_picture(path: str | Path, preparation: Preparation) -> np.ndarray:
    """One picture as the network sees it: uint8 (size, size, channels)."""
    return centre_crop(load_picture(Path(path), preparation).pixels, preparation.size)
