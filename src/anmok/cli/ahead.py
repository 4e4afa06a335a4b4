"""What a command will want, started before torch is imported: that takes seconds, and one processor alone.

`train` wants its pictures decoded, and has a process of its own begin with that; `eval` and `check` want workers.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import islice
from pathlib import Path, PurePath
from typing import Any

from anmok.core.child import start_ahead, waiting_child
from anmok.core.magic import PICTURE_SUFFIXES
from anmok.core.processor import processors

_DECODER, _WORKER = "anmok.tasks.decoding_ahead", "anmok.data.decoding_worker"
_DECODING = {"train": _DECODER, "eval": _WORKER, "check": _WORKER}  # commands that decode folders of pictures
_DECISIVE = ("task", "net", "weights", "imgsz")  # settings of a training that decide how pictures are prepared
_DEEP, _LOOKED_AT = 3, 50  # folders in each other, names in each


def expect_pictures(arguments: Sequence[str]) -> None:
    """Start what will decode, where the command is likely to want it: a third of a second each."""
    module = _DECODING.get(arguments[0]) if arguments and processors() > 1 else None
    if module is not None and any(map(holds_pictures, arguments[1:])):
        start_ahead(module, 1 if module == _DECODER else processors())


def decode_meanwhile(data: str | None, settings: Mapping[str, Any]) -> None:
    """Have the pictures of a training decoded, if a process for that was started: now that its settings are known.

    Args:
        data: as `anmok train` takes it.
        settings: those of its settings that are set.
    """
    decoder = None if data is None else waiting_child(_DECODER)
    if decoder is None:
        return
    from anmok.verbs.setting import DataSettings  # imported by now, and slow before

    reading = {name: settings[name] for name in DataSettings.model_fields if name in settings}
    asked = {"data": data, "reading": reading, **{name: settings[name] for name in _DECISIVE if name in settings}}
    request = json.dumps(asked, default=str).encode()
    threading.Thread(target=decoder.communicate, args=(request,), name="anmok-decoder", daemon=True).start()


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
