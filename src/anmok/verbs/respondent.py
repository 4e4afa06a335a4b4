"""Who answers `anmok predict`: torch, or what was measured to answer alike and faster."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from torch import nn

from anmok.core.errors import UsageError
from anmok.core.types import Pictures, Prediction
from anmok.ship.runtime import load_model
from anmok.verbs.export import in_float32
from anmok.verbs.opened import subject_of
from anmok.verbs.prepared import MANY, TORCH, find, key_of, of_file, settled
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
        if self._told is not None:
            return shipped_answers(self._told, pictures, locators, names, threshold=self._asked.reject_below)
        self._ready = settled(self._ready, pictures, locators, self._terminal.say)
        return self._ready.answers(pictures, locators, names, threshold=self._asked.reject_below)


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
        self._key = key_of(subject) if asked.weights is None and asked.is_ is None else None
        self._prepared = find(subject) if self._may_choose and self._key else None

    @property
    def _may_choose(self) -> bool:
        return self._on_cpu and self._asked.engine == "auto" and self._asked.into is None and not self._draws

    @property
    def _draws(self) -> bool:
        """Whether answers are drawn into a folder: what computes without torch sees no picture as it was."""
        return self._asked.to is not None and not self._asked.to.suffix

    def answers(self, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str]) -> Iterator[Prediction]:
        """One prediction a picture, in order."""
        if self._may_choose and len(locators) >= MANY:
            ready = self._prepared or prepare(self._one, self._key, self._terminal)
            self._prepared = ready and settled(ready, pictures, locators, self._terminal.say)
        if self._prepared is None or self._prepared.needs_torch:
            return self._by_torch(pictures, locators, names)
        return self._prepared.answers(pictures, locators, names, threshold=self._asked.reject_below)

    def _by_torch(
        self, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str]
    ) -> Iterator[Prediction]:
        """In float32, so that an answer does not depend on who computes it; in less only where that was compared."""
        ask = partial(self._one.kind.answers, self._one.model, pictures, locators, names, self._asked)
        chosen = None if self._prepared is None else self._prepared.chosen
        compared = chosen is not None and chosen.precision != "float32"
        if not self._on_cpu or compared:
            yield from ask()
            return
        with in_float32(self._one):
            yield from ask()

    def look_ahead(self) -> None:
        """Make what is asked for the second time ready to start sooner the third."""
        if self._key and self._may_choose and self._prepared is None and seen_before(self._key):
            prepare(self._one, self._key, self._terminal)
