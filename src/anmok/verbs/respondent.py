"""Who answers `anmok predict`: torch, or what was measured to answer alike and faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from torch import nn

from anmok.core.errors import UsageError
from anmok.core.types import Pictures, Prediction
from anmok.ship.runtime import load_model
from anmok.tasks._kind import Overlaid
from anmok.verbs.export import cargo_of, in_float32
from anmok.verbs.opened import OpenedRun, subject_of
from anmok.verbs.places import Answer
from anmok.verbs.prepared import MANY, TORCH, Prepared, find, key_of, of_file, settled
from anmok.verbs.preparing import prepare, seen_before
from anmok.verbs.question import asking
from anmok.verbs.settings import PredictSettings
from anmok.verbs.shipped import shipped_answers
from anmok.verbs.subject import Subject
from anmok.verbs.terminal import Terminal


class ShippedRespondent:
    """A shipped model's file."""

    def __init__(self, path: str | Path, asked: PredictSettings, terminal: Terminal) -> None:
        if asked.weights is not None or asked.device not in ("auto", "cpu") or asked.engine == TORCH:
            raise UsageError("a shipped model has its own weights and answers on the CPU, without torch", got=str(path))
        if asked.into is not None:
            raise UsageError("a shipped model translates one way", got=f"--into {asked.into}",
                             fix=f"anmok export RUN --into {asked.into}")  # fmt: skip
        self._asked, self._terminal = asked, terminal
        self._ready = of_file(path)
        self._told = None if asked.engine == "auto" else load_model(path, asked.engine)
        self.task = str(self._ready.task)

    def answers(self, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str]) -> Iterator[Prediction]:
        """One prediction a picture, in order."""
        settings: dict[str, Any] = {"batch": self._asked.batch, "threshold": self._asked.reject_below}
        if self._told is not None:
            return shipped_answers(self._told, pictures, locators, names, **settings)
        self._ready = settled(self._ready, pictures, locators, self._terminal.say)
        return self._ready.answers(pictures, locators, names, **settings)


class Respondent:
    """A run or network in torch, and whatever answers in its stead."""

    def __init__(self, subject: Subject | nn.Module | str | Path, asked: PredictSettings, terminal: Terminal) -> None:
        if asked.engine not in ("auto", TORCH):
            raise UsageError("only a shipped model can be told its engine", got=f"--engine {asked.engine}",
                             fix="anmok export, then anmok predict FILE.anmok")  # fmt: skip
        self._one = subject_of(subject, asked.weights, device=asked.device)
        if asked.is_ is not None:
            self._one = asking(self._one, asked.is_)
        self._asked, self._terminal = asked, terminal
        self.task = self._one.kind.name
        self._on_cpu = self._one.model.devices.device.type == "cpu"
        self._kept = _kept_under(subject) if asked.weights is None and asked.is_ is None else None
        self._memory = self._one.remembered
        self._memory.refresh()
        if not self._memory.original:
            self._kept = None
        if self._may_choose and self._kept is not None and not self._memory.sought:
            self._memory.ready, self._memory.sought = find(self._kept), True
        if not self._holds(self._memory.ready):
            self._memory.ready = self._kept = None

    @property
    def _key(self) -> str | None:
        return None if self._kept is None else key_of(self._kept)

    def _holds(self, ready: Prepared | None) -> bool:
        """Whether what was made ready answers as the subject now would: a threshold may have been moved since."""
        if ready is None or ready.artefact is None:
            return True
        manifest = ready.artefact.manifest
        return replace(manifest, answers=cargo_of(self._one).answers) == manifest

    @property
    def _may_choose(self) -> bool:
        return self._on_cpu and self._asked.engine == "auto" and self._asked.into is None and not self._draws

    @property
    def _draws(self) -> bool:
        """Whether answers are pictures beside those they were given for, which what computes without torch forgets."""
        into_folder = self._asked.to is not None and not self._asked.to.suffix
        return into_folder and not isinstance(self._one.kind, Overlaid)

    def answers(self, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str]) -> Iterator[Prediction]:
        """One prediction a picture, in order. Many pictures may come in one question, or one after the other."""
        memory = self._memory
        memory.asked += len(locators)
        if not self._may_choose:
            return self._by_torch(pictures, locators, names)
        if memory.asked >= MANY:
            ready = memory.ready or prepare(self._one, self._key, self._terminal)
            memory.ready = ready and settled(ready, pictures, locators, self._terminal.say)
        if memory.ready is None or memory.ready.needs_torch:
            return self._by_torch(pictures, locators, names)
        least, batch = self._asked.reject_below, self._asked.batch
        return memory.ready.answers(pictures, locators, names, batch=batch, threshold=least)

    def _by_torch(
        self, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str]
    ) -> Iterator[Prediction]:
        """In float32, so that an answer does not depend on who computes it; in less only where that was compared."""
        ask = partial(self._one.kind.answers, self._one.model, pictures, locators, names, self._asked)
        chosen = None if self._memory.ready is None else self._memory.ready.chosen
        compared = chosen is not None and chosen.precision != "float32"
        if not self._on_cpu or compared:
            yield from ask()
            return
        with in_float32(self._one):
            yield from ask()

    def look_ahead(self) -> None:
        """Make what is asked for the second time ready to start sooner the third."""
        if self._may_choose and self._memory.ready is None and (key := self._key) and seen_before(key):
            prepare(self._one, key, self._terminal)


def overlaid(kind: Overlaid, answer: Answer) -> Answer:
    """The same answers, each drawn over its picture, which is read once more for that."""

    def answers(pictures: Pictures, locators: Sequence[str | int], names: Sequence[str]) -> Iterator[Prediction]:
        for locator, one in zip(locators, answer(pictures, locators, names), strict=True):
            yield one if one.error else replace(one, picture=kind.overlay(pictures.read(locator), one))

    return answers


def _kept_under(subject: object) -> str | Path | None:
    """What tells where the subject made ready is kept: its name or folder; None where neither decides its answers."""
    if isinstance(subject, OpenedRun):
        return None if subject.card["network"].get("own") else subject.path
    return subject if isinstance(subject, (str, Path)) else None
