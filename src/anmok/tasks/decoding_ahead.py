"""Decodes a training's pictures into the cache while the command that wants them is still importing torch.

A process of its own, started and asked by `anmok.cli.ahead`. It reads the data and decides how pictures are prepared
with the same functions as the command will, so the command finds the pictures decoded, or waits for the rest of them as
it would for any other process that fills the same cache. What it does not foresee (another task, another network's
preprocessing) or cannot read, it leaves to the command, which then says what is wrong.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from anmok.core.child import die_with_parent, private_pipes, start_ahead
from anmok.core.errors import AnmokError
from anmok.core.processor import processors
from anmok.data import cache
from anmok.data.load import load_data
from anmok.tasks.beginning import beginning
from anmok.tasks.published import RANDOM

_FORESEEN = ("classify", "multilabel")


@dataclass(frozen=True)
class Training:
    """What a training was asked for, as far as it decides which pictures are decoded and how.

    Args:
        data: as `anmok train` takes it.
        task, net, weights, imgsz: as its settings; "auto" leaves the choice to the data.
        reading: keyword arguments of `anmok.load_data`.
    """

    data: str
    task: str = "auto"
    net: str = "auto"
    weights: str | None = None
    imgsz: int | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)


def decode_ahead(training: Training) -> cache.Built | None:
    """Decode the pictures into the cache; None where that is not foreseen.

    Raises:
        AnmokError: the data cannot be read.
    """
    if training.task not in ("auto", *_FORESEEN) or (training.net != "auto" and training.weights not in (None, RANDOM)):
        return None
    dataset = load_data(training.data, task=None if training.task == "auto" else training.task, **training.reading)
    return cache.build(dataset, beginning(dataset, training)[1]) if dataset.task in _FORESEEN else None


def main() -> None:
    """Answer one request, which ends with standard input. Nothing is said: the command will find the same."""
    requests, _ = private_pipes()
    die_with_parent()
    start_ahead("anmok.data.decoding_worker", processors())
    asked = requests.read()
    if asked:
        try:
            decode_ahead(Training(**json.loads(asked)))
        except (AnmokError, OSError):
            return
