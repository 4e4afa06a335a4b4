"""What may listen to a run. Listeners cannot change it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

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

    def on_end(self, outcome: Outcome | None) -> None:
        """The run is done, or, with None, was cut short by an error or a signal. Always called."""


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

    def on_end(self, outcome: Outcome | None) -> None:
        """Nothing."""


class ProgressBar(Quiet):
    """On a terminal, a bar with the remaining time; everywhere, a line an epoch. Writes to standard error."""

    def __init__(self) -> None:
        from rich.console import Console  # only who wants a bar pays for it

        self._console = Console(stderr=True, highlight=False)
        self._bar: Bar | None = None
        self._line: TaskID | None = None
        self._title = ""

    def on_stage(self, name: str, number: int, stages: int) -> None:
        """A new bar."""
        from rich.progress import BarColumn, Progress, TextColumn

        self._stop()
        self._title = name if stages == 1 else f"{name} ({number}/{stages})"
        if self._console.is_terminal:
            columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[note]}"))
            self._bar = Progress(*columns, console=self._console, auto_refresh=False, transient=True)
            self._line = self._bar.add_task(self._title, total=None, note="")
            self._bar.start()

    def on_step(self, progress: Progress) -> None:
        """Move the bar."""
        if self._bar is None or self._line is None:
            return
        left = "" if progress.seconds_left is None else f"{spoken(progress.seconds_left)} left"
        self._bar.update(
            self._line,
            total=progress.steps,
            completed=progress.step,
            description=f"{self._title} epoch {progress.epoch}/{progress.epochs}",
            note="  ".join([*_figures(progress.figures), left]),
            refresh=True,
        )

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        """A line that stays."""
        figures = {name: value for name, value in row.items() if name not in ("stage", "epoch", "step", "seconds")}
        epoch = f" epoch {row['epoch']}" if row["epoch"] else ""
        self._say("  ".join([f"{self._title}{epoch}", *_figures(figures), spoken(row["seconds"])]))

    def on_message(self, text: str) -> None:
        """A paragraph."""
        self._say(text)

    def on_end(self, outcome: Outcome | None) -> None:
        """The bar goes."""
        self._stop()

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def _figures(figures: Mapping[str, float]) -> list[str]:
    return [f"{name} {value:.4g}" for name, value in figures.items()]


def spoken(seconds: float) -> str:
    """A duration as people say it.

    >>> spoken(4.2), spoken(75), spoken(7260)
    ('4 s', '1 min 15 s', '2 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
