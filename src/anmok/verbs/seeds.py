"""Several seeds in one command: how much of a figure is luck?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

from anmok.core.errors import UsageError
from anmok.core.files import write_json
from anmok.verbs.run import Run
from anmok.verbs.setting import named_after
from anmok.verbs.terminal import Terminal
from anmok.verbs.train import train
from anmok.verbs.train_settings import TrainSettings


@dataclass(frozen=True)
class Spread:
    """One figure over all seeds. `deviation`: the sample standard deviation, None for one seed."""

    mean: float
    deviation: float | None
    lowest: float
    highest: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of some values.

        >>> Spread.of([0.90, 0.92, 0.94]).deviation   # √((0.02² + 0 + 0.02²) / 2)
        0.02
        """
        deviation = round(stdev(values), 12) if len(values) > 1 else None
        return cls(mean(values), deviation, min(values), max(values), tuple(values))


@dataclass(frozen=True)
class SeedRuns:
    """The runs, and each figure's spread by split (`test`, else `val`). `path`: the JSON that holds it."""

    runs: Sequence[Run]
    split: str
    figures: Mapping[str, Spread]
    path: Path

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "runs": [str(run.path) for run in self.runs],
            "seeds": [run.card["seed"] for run in self.runs],
            "split": self.split,
            "figures": {name: asdict(spread) for name, spread in self.figures.items()},
        }


def train_seeds(data: str | Path, *, seeds: int = 5, quiet: bool = True, **settings: Any) -> SeedRuns:
    """Train the same several times, with seeds that follow each other, into runs `<name>-seed0`, `<name>-seed1` …

    All runs learn from one split, the first run's: the spread is then the training's, and pairs of runs can be compared
    (`anmok eval RUN RUN2`).

    Args:
        data: as in `anmok.train`.
        seeds: how many; the first is `seed`.
        settings: as in `anmok.train`.

    Raises:
        UsageError: no seed, or `resume`, which goes on with one run.
    """
    asked: TrainSettings = TrainSettings.of(**settings)
    if seeds < 1:
        raise UsageError("several seeds are one or more", got=f"--seeds {seeds}", fix="--seeds 5")
    if asked.resume is not None:
        raise UsageError("one run is resumed at a time", got="--seeds with --resume", fix="leave --seeds out")
    name, terminal = asked.name or named_after(str(data)), Terminal(quiet)
    runs: list[Run] = []
    for seed in range(asked.seed, asked.seed + seeds):
        terminal.say(f"seed {seed}: {len(runs) + 1} of {seeds}")
        own = {**settings, "seed": seed, "name": f"{name}-seed{seed}"}
        if runs and asked.split is None:
            own["split"] = runs[0].path / "split.csv"
        runs.append(train(data, quiet=quiet, **own))
    split = "test" if "test" in runs[0].metrics else "val"
    measured = [run.metrics.get(split, {}) for run in runs]
    values = {name: [figures[name]["value"] for figures in measured] for name in measured[0]}
    figures = {name: Spread.of(known) for name, known in values.items() if all(map(math.isfinite, known))}
    found = SeedRuns(runs, split, figures, runs[0].path.parent / f"{runs[0].path.name}-to-{runs[-1].path.name}.json")
    write_json(found.path, found.to_json())
    return found
