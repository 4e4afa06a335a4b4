"""What the parts of a running loop share: where the run is, how it is asked to run, what it has cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from time import perf_counter
from typing import Any

from anmok.core.task import Task
from anmok.engine.callbacks import Callback, Progress
from anmok.engine.devices import Devices
from anmok.engine.forecast import Forecast
from anmok.engine.runfolder import RunFolder
from anmok.engine.signals import Signals


@dataclass(frozen=True)
class Options:
    """How to run; nothing here changes what is learned, except `time_s`.

    Args:
        resume: continue from the folder's newest whole checkpoint; from the start if it has none.
        time_s: seconds the run may take. Steps are planned from a measured forecast so that schedules reach their end
            in time; the stages' epochs remain upper bounds.
        checkpoint_seconds: save in mid-epoch when the last save is this long ago.
        checkpoint_steps: save every so many steps too; None: do not.
        checkpoint_share: at an epoch's end, save only if saving has taken no more than this share of the run so far.
            (The interval above holds in any case.)
        keep: checkpoints that stay.
        sample_log: write `state/samples.log`, a line a batch in order: stage, epoch, batch, ids.
        forecast: measure a few steps before the first one to predict time and memory.
        devices: where to compute; None: `choose()`, or what the resumed run used.
    """

    resume: bool = False
    time_s: float | None = None
    checkpoint_seconds: float = 60.0
    checkpoint_steps: int | None = None
    checkpoint_share: float = 0.02
    keep: int = 2
    sample_log: bool = False
    forecast: bool = True
    devices: Devices | None = None


@dataclass(frozen=True)
class Outcome:
    """What a run came to.

    `stopped` is `done`, `patience` (a stage stopped early) or `time` (the budget cut it short). `best` is the row of
    `history` whose weights are in `weights/best.safetensors` and, now, in the task's networks. `seconds` counts every
    process that worked on the run; `parts` only this one, by what it spent them on: `data` (waiting for batches),
    `compute` (forward and backward), `optimizer`, `average`, `evaluate`, `solve`, `build`, `forecast`, `checkpoint`
    and `own` (everything else).
    """

    folder: RunFolder
    stopped: str
    steps: int
    history: list[dict[str, Any]]
    best: Mapping[str, Any] | None
    seconds: float
    parts: Mapping[str, float]
    forecast: Forecast | None


@dataclass
class Position:
    """Where a run is: saved with every checkpoint, JSON throughout."""

    plan: int = 0  # stages that are finished
    started: bool = False  # the current stage has been built
    epoch: int = 0  # epochs of this stage that are finished
    batch: int = 0  # batches of this epoch that are done
    step: int = 0  # steps of this stage that are done
    total: int = 0  # steps planned for this stage
    batches: int = 0  # batches an epoch when it was planned
    steps: int = 0  # steps of the whole run that are done
    sums: dict[str, list[float]] = field(default_factory=dict)  # this epoch: name → [weighted sum, weight]
    monitored: float | None = None  # this stage's best figure
    best: int | None = None  # its row in `history`
    best_sha256: str | None = None
    waiting: int = 0  # epochs since it was reached
    stopped: str = "done"
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)

    def next_stage(self) -> None:
        """Stand before the next stage."""
        self.plan, self.started = self.plan + 1, False
        self.epoch = self.batch = self.step = self.total = self.batches = self.waiting = 0
        self.sums, self.monitored = {}, None

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {item.name: getattr(self, item.name) for item in fields(self)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        for item in fields(self):
            setattr(self, item.name, state[item.name])


class Watch:
    """Seconds by what they were spent on. Every moment between two laps belongs to the later lap's name."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.start = self.now = perf_counter()

    def lap(self, name: str) -> float:
        """Book the time since the last lap under `name` and return what the clock (monotonic) says."""
        now = perf_counter()
        self.parts[name] = self.parts.get(name, 0.0) + now - self.now
        self.now = now
        return now


@dataclass
class Session:
    """One process's work on one run."""

    task: Task
    folder: RunFolder
    options: Options
    devices: Devices
    signals: Signals
    callbacks: tuple[Callback, ...]
    position: Position = field(default_factory=Position)
    watch: Watch = field(default_factory=Watch)
    before: float = 0.0  # seconds earlier processes have worked on the run

    @property
    def leading(self) -> bool:
        """Whether this process writes: the first of several does."""
        return self.devices.rank == 0

    @property
    def seconds(self) -> float:
        """Seconds worked on the run so far, by all processes one after the other."""
        return self.before + self.watch.now - self.watch.start

    def message(self, text: str) -> None:
        """Tell the person at the keyboard."""
        for callback in self.callbacks:
            callback.on_message(text)

    def progress(self, progress: Progress) -> None:
        """Show where the run is."""
        for callback in self.callbacks:
            callback.on_step(progress)
