"""From a graph's outputs to predictions, a file a task, in plain NumPy: torch has no part in it.

A task's file holds one class tagged `@register("answers", name=<task>)`. It is built from the manifest's `answers` and
called with the outputs of a batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from anmok.core.registry import Registry
from anmok.core.types import Prediction


@dataclass(frozen=True)
class Asked:
    """One picture of a batch: its name, and its (height, width) upright before it was prepared."""

    id: str
    size: tuple[int, int]


class Answers(Protocol):
    """How one task answers.

    Where its graph takes more than pictures, it also has `questions(pixels)`, what the graph is asked about prepared
    pictures uint8 (N, S, S, C): inputs by name, one row a picture, or several such questions; and `joined(outputs)`,
    which makes one of the answers to several.
    """

    outputs: Sequence[str]

    def __init__(self, settings: Mapping[str, Any]) -> None:
        """Read the manifest's `answers`. Raises `KeyError`, `TypeError` or `ValueError` where something is missing."""

    def __call__(
        self, outputs: Mapping[str, np.ndarray], pictures: Sequence[Asked], top: int | None = None
    ) -> Iterator[Prediction]:
        """One prediction a picture, in order; `outputs` by name, one row a picture; at most `top` classes each."""


ANSWERS: Registry[type[Answers]] = Registry("anmok.ship.answers", "answers")
