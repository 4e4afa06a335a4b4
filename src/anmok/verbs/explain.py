"""Explain: why a network answered as it did, drawn over the picture, with a verdict on the explanation itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor, nn

from anmok.anatomy.dissect import anatomy
from anmok.core.errors import UsageError, nearest, unknown_name
from anmok.core.registry import Registry
from anmok.explain._explanation import Explainer, Explanation
from anmok.explain.verdict import Verdict, judge
from anmok.verbs.opened import OpenedRun, subject_of
from anmok.verbs.predict import prepared_picture
from anmok.verbs.settings import ExplainSettings
from anmok.verbs.subject import Subject
from anmok.verbs.terminal import Terminal

EXPLAINERS: Registry[Explainer] = Registry("anmok.explain", "explainer")

FEW = 40  # classes that an error lists
TRIALS = ((39, 12), (19, 12), (19, 8), (9, 8))  # misplaced maps, points on a curve: the more the better, as affordable
BYTE = 45  # multiply-adds that a processor does in the time it takes to write a byte of activations and read it again
MOST_WORK = 10**12  # multiply-adds of deletion and insertion together: about half a minute on two processor cores


@runtime_checkable
class Marking(Protocol):
    """A scorer of a part of the picture, which it can show."""

    def marked(self, pixels: np.ndarray) -> np.ndarray:
        """uint8 (S, S, C) → (S, S, 3) with the part marked."""


@runtime_checkable
class Certain(Protocol):
    """A model whose answer is more than the explained network's: calibrated, or the mean of several views."""

    def certainty(self, x: Tensor, target: int) -> float:
        """How sure `anmok predict` is of this class, for one normalised picture (C, S, S)."""


@dataclass(frozen=True)
class Explained:
    """An explanation, whose picture it is, what it says, and the PNG that shows it.

    `score` is how sure `anmok predict` is of `answer`; `explanation.score`, how sure the network alone.
    """

    picture: Path
    answer: str
    score: float
    explanation: Explanation
    verdict: Verdict | None
    png: Path


def explain(
    subject: Subject | nn.Module | str | Path, picture: str | Path, *, quiet: bool = True, **settings: Any
) -> Explained:
    """Draw what a network looked at in one picture, and write it as a PNG.

    Args:
        subject: what `anmok.load` or `anmok.train` returned; a run's folder; a network's name, answering with its
            published weights; an `anmok.Classifier` or any `nn.Module`.
        picture: a file.
        settings: see `anmok.verbs.settings.ExplainSettings`.

    Raises:
        UsageError: no such network, method, class or layer.
        PictureError: the file cannot be read.
    """
    asked: ExplainSettings = ExplainSettings.of(**settings)
    from anmok.explain.figure import explanation_png  # matplotlib: a second that no other verb should wait

    method = EXPLAINERS[asked.method]
    one = subject_of(subject, asked.weights)
    asked.refuse_foreign(one.kind.name)
    if asked.target is not None and asked.target not in one.classes:
        raise _no_such_class(asked.target, one.classes)
    target = None if asked.target is None else one.classes.index(asked.target)
    options: dict[str, Any] = {} if asked.layer is None else {"layer": asked.layer}
    pixels = prepared_picture(picture, one.preparation)
    x = one.model.normalise(torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1)[None])[0]
    chosen = {} if asked.box is None else {"box": asked.box}
    scorer, target = one.model.to_explain(x, target, **chosen)
    found = method(scorer, x, target, **options)
    verdict = _judged(scorer, x, method, found, options, Terminal(quiet)) if asked.verdict else None
    out = asked.out or one.path / _file_name(one, Path(picture), asked.method)
    out.parent.mkdir(parents=True, exist_ok=True)
    shown = scorer.marked(pixels) if isinstance(scorer, Marking) else pixels
    score = one.model.certainty(x, found.target) if isinstance(one.model, Certain) else found.score
    out.write_bytes(explanation_png(shown, found, one.classes, verdict.sentence if verdict else None, score))
    return Explained(Path(picture), one.classes[found.target], score, found, verdict, out)


def _judged(
    scorer: nn.Module, x: Tensor, method: Explainer, found: Explanation, options: dict[str, Any], terminal: Terminal
) -> Verdict:
    """The verdict, with as many trials as a network of this size allows in about half a minute."""
    try:
        seen = anatomy(scorer, tuple(x.shape))
        work = seen.macs + BYTE * seen.activation_bytes
    except UsageError:  # what it computes depends on what it sees, as with a detector's regions
        work = MOST_WORK
    orders, steps = next((trials for trials in TRIALS if passes(*trials) * work <= MOST_WORK), TRIALS[-1])
    with terminal.bar("judging") as on_progress:
        return judge(scorer, x, method, found, orders=orders, steps=steps, on_progress=on_progress, **options)


def passes(orders: int, steps: int) -> int:
    """Forward passes that deletion and insertion take."""
    return (orders + 1) * 2 * steps


def _no_such_class(target: str, classes: Sequence[str]) -> UsageError:
    if len(classes) <= FEW:
        return unknown_name("class", target, classes)
    return UsageError("there is no class of this name", got=repr(target), fix=nearest(target, classes),
                      allowed=f"one of {len(classes):,}, such as {classes[0]!r}")  # fmt: skip


def _file_name(one: Subject, picture: Path, method: str) -> str:
    """Beside its run the run's name goes without saying; anywhere else the network's is part of the file's."""
    whose = "" if isinstance(one, OpenedRun) else f"{re.sub(r'[^0-9A-Za-z_.]+', '-', one.title).strip('-')}-"
    return f"explain-{whose}{picture.stem}-{method}.png"
