"""What a command will want, started before torch is imported: that takes seconds, and one processor alone."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePath

from anmok.core.child import start_ahead
from anmok.core.magic import PICTURE_SUFFIXES
from anmok.core.processor import processors

_DECODING = ("train", "eval", "check")  # commands that decode folders of pictures
_DEEP, _LOOKED_AT = 3, 50  # folders in each other, names in each


def expect_pictures(arguments: Sequence[str]) -> None:
    """Start the workers that will decode, where the command is likely to want them: a third of a second each."""
    wanted = bool(arguments) and arguments[0] in _DECODING and processors() > 1
    if wanted and any(map(holds_pictures, arguments[1:])):
        start_ahead("anmok.data.decoding_worker", processors())


def holds_pictures(word: str) -> bool:
    """Whether this is a folder with pictures, or with folders of pictures: a guess by the first names of each."""
    folder = None if word.startswith("-") else Path(word)
    for _ in range(_DEEP):
        if folder is None or not folder.is_dir():
            return False
        with suppress(OSError), os.scandir(folder) as items:
            folder = None
            for item in islice(items, _LOOKED_AT):
                if PurePath(item.name).suffix.lower() in PICTURE_SUFFIXES:
                    return True
                folder = Path(item.path) if item.is_dir() else folder
    return False
