"""Predict: answers for files, folders and globs. One bad file never stops the rest."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from anmok.core.errors import PictureError, UsageError
from anmok.core.pictures import load_picture
from anmok.core.preparation import Preparation, centre_crop
from anmok.core.types import Batch, Pictures, Prediction
from anmok.data.decoding import decode_many
from anmok.data.load import load_data
from anmok.data.stores import PathPictures
from anmok.report.tables import write_predictions
from anmok.verbs.classifier import Classifier
from anmok.verbs.opened import OpenedRun, classifier_of
from anmok.verbs.settings import PredictSettings
from anmok.verbs.terminal import Terminal

_HOLDS_MANY = {".csv", ".tsv", ".gz", ".zip", ".tar", ".tgz", ".bz2", ".xz"}  # and so are read by `load_data`


def predict(
    subject: Classifier | nn.Module | str | Path,
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
    run = classifier_of(subject, asked.weights, device=asked.device)
    terminal = Terminal(quiet)
    answers: list[Prediction] = []

    def kept() -> Iterator[Prediction]:
        for answer in answered(run, pictures, asked, terminal):
            answers.append(answer)
            yield answer

    with terminal.hearing_warnings():
        if asked.to is not None:
            write_predictions(asked.to, kept(), asked.top)
        else:
            for _ in kept():
                pass
    return answers


def answered(
    run: Classifier, pictures: str | Path | Iterable[str | Path], asked: PredictSettings, terminal: Terminal
) -> Iterator[Prediction]:
    """The answers one by one, in order, in bounded memory. Decoding goes on in other processes meanwhile."""
    own = run.rejection if isinstance(run, OpenedRun) else None
    threshold = asked.reject_below if asked.reject_below is not None else (own.threshold if own else None)
    for answer in _of_places(run, pictures, asked.batch, terminal):
        if threshold is None or answer.scores is None:
            yield answer
        else:
            yield replace(answer, sure=answer.scores[0] >= threshold)


def _of_places(
    run: Classifier, pictures: str | Path | Iterable[str | Path], batch: int, terminal: Terminal
) -> Iterator[Prediction]:
    for single, places in groupby(_places(pictures), key=_is_picture_file):
        if single:
            names = [str(place) for place in places]
            yield from _answers(run, PathPictures(), names, names, batch)
        else:
            for place in places:
                yield from _of_place(run, place, batch, terminal)


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


def _of_place(run: Classifier, place: Path, batch: int, terminal: Terminal) -> Iterator[Prediction]:
    """A folder's pictures, at any depth; what a table, IDX file or archive holds."""
    plain = place.is_dir() and not any(item.suffix.lower() in _HOLDS_MANY for item in place.iterdir())
    dataset = load_data(place, format="flat_folder" if plain else None)
    names = [str(place / entry.id) if plain else entry.id for entry in dataset.entries]
    yield from _answers(run, dataset.pictures, [entry.locator for entry in dataset.entries], names, batch)
    for item in dataset.quarantined:
        yield Prediction(str(place / item.path), error=f"{item.reason}; try: {item.fix}")
    if dataset.skipped:
        terminal.say(f"{place}: {len(dataset.skipped)} files are no pictures and were passed over")


def _answers(
    run: Classifier, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], batch: int
) -> Iterator[Prediction]:
    decoded = iter(decode_many(pictures, locators, run.preparation))
    while chunk := list(islice(decoded, batch)):
        good = [answer for answer in chunk if isinstance(answer.pixels, np.ndarray)]
        found = iter(_batch(run, good, names)) if good else iter(())
        for answer in chunk:
            if isinstance(answer.pixels, np.ndarray):
                yield next(found)
            else:
                yield Prediction(names[answer.position], error=_why(answer.pixels))


def _batch(run: Classifier, answers: Sequence[Any], names: Sequence[str]) -> Iterator[Prediction]:
    pixels = np.stack([centre_crop(answer.pixels, run.preparation.size) for answer in answers])
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2)
    batch = Batch(tensor, None, [names[answer.position] for answer in answers])
    run.network.eval()
    return run.model.predictions(batch, run.model.logits(batch).cpu(), run.temperature)


def _why(error: PictureError) -> str:
    return f"{error.what}; try: {error.fix}" if error.fix else error.what


def prepared_picture(path: str | Path, preparation: Preparation) -> np.ndarray:
    """One picture as the network sees it: uint8 (size, size, channels)."""
    return centre_crop(load_picture(Path(path), preparation).pixels, preparation.size)
