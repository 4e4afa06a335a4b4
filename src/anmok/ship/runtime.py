"""A shipped model at work: decoded pictures in, predictions out. NumPy and one engine; never torch.

    model = load_model("flowers.anmok")
    model.answer(pixels, [Asked("a.jpg", (480, 640))])     # pixels uint8 (1, S, S, C), see `model.preparation`

`anmok predict flowers.anmok photos/` decodes and answers.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import ArtefactError
from anmok.core.preparation import Preparation
from anmok.core.types import Prediction
from anmok.ship.answers import ANSWERS, Asked
from anmok.ship.artefact import INPUT, Artefact, Manifest, read_artefact
from anmok.ship.engines import Engine, Inputs, Outputs, open_engine


class Model:
    """A shipped model, ready to answer. Its engine starts with the first question.

    Attributes:
        answers: what makes predictions of the graph's outputs.

    Args:
        artefact: as `read_artefact` gives it.
        engine: `onnxruntime` or `openvino`; None: the first that is installed and reads the graph; or one made ready.
        precision: `float32`, or `bf16` on OpenVINO.
        path: for errors.

    Raises:
        ArtefactError: the manifest asks for a task this version does not know, or lacks what the task needs.
        AnmokError: the task needs what is not installed.
    """

    def __init__(
        self,
        artefact: Artefact,
        engine: str | Engine | None = None,
        precision: str = "float32",
        path: Path | None = None,
    ) -> None:
        self.artefact, self._engine, self._precision, self.path = artefact, engine, precision, path
        self._opening = threading.Lock()
        task = artefact.manifest.task
        if task not in ANSWERS:
            raise ArtefactError("this version does not know how such a model answers", path=path, got=repr(task),
                                allowed=", ".join(ANSWERS), fix="pip install -U anmok")  # fmt: skip
        try:
            self.answers = ANSWERS[task](artefact.manifest.answers)
        except (KeyError, TypeError, ValueError) as error:
            what = f"the model's manifest does not say how to answer ({type(error).__name__}: {error})"
            raise ArtefactError(what, path=path, fix="export the run again") from error

    @property
    def manifest(self) -> Manifest:
        """Everything about the model but its graph."""
        return self.artefact.manifest

    @property
    def preparation(self) -> Preparation:
        """What pictures go through before `answer`."""
        return self.manifest.preparation

    @property
    def engine(self) -> Engine:
        """What computes. Raises `UsageError` where none is installed, `ArtefactError` where it refuses the graph."""
        with self._opening:  # batches come from several threads
            if self._engine is None or isinstance(self._engine, str):
                self._engine = open_engine(self.artefact.graph, self._engine, self._precision)
            return self._engine

    def answer(self, pixels: np.ndarray, pictures: Sequence[Asked], top: int | None = None) -> Iterator[Prediction]:
        """Predictions for prepared pictures.

        Args:
            pixels: uint8 (N, size, size, channels), as `preparation` makes them, cropped to its `size`.
            pictures: the same N pictures' names and original sizes.
            top: classes a picture; None: all.
        """
        yield from self.answer_to(self.questions(pixels), pictures, top)

    def questions(self, pixels: np.ndarray) -> Sequence[Inputs]:
        """What the graph is asked about prepared pictures: these, with what the task finds in them before."""
        answers: Any = self.answers
        if hasattr(answers, "questions"):
            found: Sequence[Inputs] = answers.questions(pixels)
            return found
        return [{INPUT: np.ascontiguousarray(pixels)}]

    def outputs(self, questions: Sequence[Inputs]) -> Outputs:
        """What the graph says to `questions`, several answers joined as the task joins them."""
        answers: Any = self.answers
        found = [self._run(question) for question in questions]
        with self._fitting():
            joined: Outputs = found[0] if len(found) == 1 else answers.joined(found)
        return joined

    def answer_to(
        self, questions: Sequence[Inputs], pictures: Sequence[Asked], top: int | None = None
    ) -> Iterator[Prediction]:
        """`answer`, where the questions are known already."""
        yield from self.answers_of(self.outputs(questions), pictures, top)

    def answers_of(self, outputs: Outputs, pictures: Sequence[Asked], top: int | None = None) -> Iterator[Prediction]:
        """`answer`, where the graph's outputs are known already."""
        with self._fitting():
            yield from self.answers(outputs, pictures, top)

    def answer_whole(self, pixels: np.ndarray, picture: Asked, top: int | None = None) -> Prediction:
        """The prediction for a picture uint8 (H, W, 1 or 3) that is looked at tile by tile, at its own size.

        For models whose preparation has the fit "window".
        """
        answers: Any = self.answers
        if not hasattr(answers, "whole"):
            raise ArtefactError("models of this task do not look at pictures tile by tile", path=self.path,
                                got=f"{self.manifest.task}, fit 'window'")  # fmt: skip
        with self._fitting():
            found: Prediction = answers.whole(lambda part: self.outputs(self.questions(part)), pixels, picture, top)
        return found

    def _run(self, question: Inputs) -> Outputs:
        unlike = set(self.manifest.inputs) ^ set(question)
        if unlike:
            raise ArtefactError("the graph's inputs are not those that the model's task knows", path=self.path,
                                got=", ".join(self.manifest.inputs), allowed=", ".join(question))  # fmt: skip
        outputs = self.engine.run(question)
        missing = set(self.manifest.outputs) - set(outputs)
        if missing:
            raise ArtefactError("the graph lacks outputs its manifest names", path=self.path, got=", ".join(outputs),
                                allowed=", ".join(self.manifest.outputs))  # fmt: skip
        return outputs

    @contextmanager
    def _fitting(self) -> Iterator[None]:
        """What the graph gives is what the task's answers expect."""
        try:
            yield
        except (KeyError, ValueError) as error:
            raise ArtefactError(f"the graph does not fit its manifest: {error}", path=self.path) from error


def load_model(path: str | Path, engine: str | None = None, precision: str = "float32") -> Model:
    """Open a shipped model; see `Model`.

    Raises:
        ArtefactError: missing, foreign, damaged, hostile, or made by a newer version.
        AnmokError: it needs what is not installed.
    """
    return Model(read_artefact(path), engine, precision, Path(path))
