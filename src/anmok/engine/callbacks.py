"""What may listen to a run. Listeners cannot change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from anmok.engine.session import Outcome


@dataclass(frozen=True)
class Progress:
    """Where a stage is. `figures` are the running means of the losses; `seconds_left` is of this stage."""

    stage: str
    number: int  # this is stage `number` of `stages`, counted from 1
    stages: int
    epoch: int  # counted from 1
    epochs: int
    step: int
    steps: int
    figures: Mapping[str, float]
    seconds_left: float | None


class Callback(Protocol):
    """A listener. `on_step` comes a few times a second at most, whatever the speed of the steps."""

    def on_stage(self, name: str, number: int, stages: int) -> None:
        """A stage begins; counted from 1."""

    def on_step(self, progress: Progress) -> None:
        """Where the stage is."""

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        """An epoch ended, or a stage was solved: the row that results.csv gets."""

    def on_message(self, text: str) -> None:
        """Something worth knowing: one or a few plain sentences."""

    def on_end(self, outcome: Outcome) -> None:
        """The run is done."""


class Quiet:
    """Listens to nothing; a base for listeners that care for one thing."""

    def on_stage(self, name: str, number: int, stages: int) -> None:
        """Nothing."""

    def on_step(self, progress: Progress) -> None:
        """Nothing."""

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        """Nothing."""

    def on_message(self, text: str) -> None:
        """Nothing."""

    def on_end(self, outcome: Outcome) -> None:
        """Nothing."""
