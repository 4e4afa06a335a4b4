"""A shipped generator at work: seeds in, pictures out. NumPy and one engine; never torch.

    painter = load_painter("garments.anmok")
    painter.draw(codes_of(range(16), painter.latent), None)        # uint8 (16, S, S, C), see `anmok.core.codes`

Its graph takes `codes`, float32 (N, latent + classes + 1): a code from N(0, 1), the class as one-hot numbers where
there are classes, and the truncation; it gives `pictures`, uint8 (N, S, S, C).
"""

from __future__ import annotations

from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import ArtefactError, UsageError
from anmok.ship.artefact import Artefact, read_artefact
from anmok.ship.engines import Engine, open_engine

CODES, PICTURES = "codes", "pictures"
TASK = "generate"


class Painter:
    """A shipped generator; see `anmok.core.codes.Canvas`.

    Attributes:
        latent: numbers in a code.
        classes: names of what it draws; empty: of one kind.

    Raises:
        ArtefactError: the model draws nothing, or does not say what it takes.
    """

    def __init__(self, artefact: Artefact, engine: str | None = None, path: Path | None = None) -> None:
        self.artefact, self._engine, self.path = artefact, engine, path
        task, answers = artefact.manifest.task, artefact.manifest.answers
        if task != TASK:
            raise ArtefactError("this model draws nothing", path=path, got=task, fix="anmok predict FILE PICTURES")
        try:
            self.latent, self.classes = int(answers["latent"]), tuple(map(str, answers["classes"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ArtefactError("the model's manifest does not say what it takes", path=path, got=error,
                                fix="export the run again") from error  # fmt: skip

    @cached_property
    def engine(self) -> Engine:
        """What computes."""
        return open_engine(self.artefact.graph, self._engine)

    def draw(self, codes: np.ndarray, labels: np.ndarray | None, truncation: float = 1.0) -> np.ndarray:
        """See `anmok.core.codes.Canvas`. Raises `UsageError` for codes or classes that do not fit."""
        if codes.ndim != 2 or codes.shape[1] != self.latent:
            raise UsageError("this generator takes codes", got=f"shape {codes.shape}", allowed=f"(N, {self.latent})")
        if (labels is None) == bool(self.classes):
            raise UsageError("classes do not fit this generator", got="none" if labels is None else "classes",
                             allowed=f"{len(self.classes)} classes")  # fmt: skip
        asked = rows(codes, labels, len(self.classes), truncation)
        drawn = [self._drawn(asked[row : row + 1]) for row in range(len(asked))]
        size, channels = self.artefact.manifest.preparation.size, self.artefact.manifest.preparation.channels
        return np.concatenate(drawn) if drawn else np.zeros((0, size, size, channels), np.uint8)

    def _drawn(self, asked: np.ndarray) -> Any:
        outputs = self.engine.run({CODES: asked})
        if PICTURES not in outputs or len(outputs[PICTURES]) != len(asked):
            got = ", ".join(f"{name} {found.shape}" for name, found in outputs.items())
            raise ArtefactError("the graph does not give one picture a code", path=self.path, got=got, allowed=PICTURES)
        return outputs[PICTURES]


def rows(codes: np.ndarray, labels: np.ndarray | None, classes: int, truncation: float) -> np.ndarray:
    """What the graph takes, float32 (N, latent + classes + 1)."""
    kinds = np.zeros((len(codes), classes), np.float32)
    if labels is not None:
        kinds[np.arange(len(codes)), labels] = 1
    cut = np.full((len(codes), 1), truncation, np.float32)
    return np.concatenate([codes.astype(np.float32), kinds, cut], 1)


def load_painter(path: str | Path, engine: str | None = None) -> Painter:
    """Open a shipped generator.

    Raises:
        ArtefactError: missing, foreign, damaged, hostile, or no generator.
    """
    return Painter(read_artefact(path), engine, Path(path))
