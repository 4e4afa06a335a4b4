"""Check: what a data set is, what is in it, what is wrong with it. Nothing is trained and nothing is changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from anmok.core.types import Dataset
from anmok.data.check import Check, check_data
from anmok.data.load import load_data
from anmok.tasks.pictures import decode_all
from anmok.tasks.recipe import choose_preparation, look
from anmok.verbs.settings import CheckSettings
from anmok.verbs.terminal import Terminal


def check(data: str | Path, *, quiet: bool = True, **settings: Any) -> Check:
    """Look at a data set as training would, and say what was found.

    Args:
        data: a folder, table, archive, or the name of a known data set.
        settings: see `anmok.verbs.settings.CheckSettings`.

    Raises:
        DataError: the data cannot be used at all.
    """
    asked: CheckSettings = CheckSettings.of(**settings)
    terminal = Terminal(quiet)
    with terminal.hearing_warnings():
        dataset: Dataset = load_data(data, **asked.reading)
        if asked.decode and dataset.entries:
            preparation = choose_preparation(look(dataset))
            with terminal.bar("decoding") as on_progress:
                dataset = decode_all(dataset, preparation, workers=asked.workers, on_progress=on_progress).dataset
    return check_data(dataset)
