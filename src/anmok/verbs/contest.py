"""Contest: networks of one task trained on the same pictures, side by side: accuracy, time and its parts, training."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from anmok.core.errors import UsageError
from anmok.engine.runfolder import RunFolder
from anmok.networks import card, task_of
from anmok.tasks._contesting import Contesting
from anmok.tasks._kind import TASKS
from anmok.verbs.contest_figure import draw_contest
from anmok.verbs.contest_page import write_contest
from anmok.verbs.evaluate import labelled_pictures
from anmok.verbs.run import Run, load
from anmok.verbs.setting import named_after
from anmok.verbs.settings import CompareSettings, EvalSettings
from anmok.verbs.terminal import Terminal
from anmok.verbs.train import train

DRAWN = (".png", ".svg", ".html")
TIMED = 20  # pictures that each network answers, one at a time


@dataclass(frozen=True)
class Contestant:
    """One trained network.

    Attributes:
        name: as it was asked for. `year`: of its paper. `run`: its folder.
        figures: on the test pictures, name → (value, low, high); unknown bounds are NaN.
        seconds: a picture, by part, in the order they are passed.
        training: seconds, without what all share. `shared`: seconds of that, where this run did it.
    """

    name: str
    year: int
    run: Path
    parameters: int
    figures: Mapping[str, tuple[float, float, float]]
    seconds: Mapping[str, float]
    training: float
    shared: float

    @property
    def row(self) -> dict[str, float]:
        """What claims are judged by: figures, seconds a picture by part, `training`."""
        return {**{name: value for name, (value, _, _) in self.figures.items()}, **self.seconds,
                "training": self.training}  # fmt: skip


@dataclass(frozen=True)
class Contest:
    """The networks in the order asked, on which pictures, what was found, and where it is drawn.

    `pictures`: judged. `remarks`: what holds of what was expected, a sentence each.
    """

    task: str
    data: str
    pictures: int
    headlines: Sequence[str]
    contestants: Sequence[Contestant]
    machine: Mapping[str, Any]
    remarks: Sequence[str]
    out: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        rows = [{**asdict(one), "run": str(one.run)} for one in self.contestants]
        plain = {name: getattr(self, name) for name in ("task", "data", "pictures", "machine", "remarks")}
        return {**plain, "networks": _finite(rows), "out": None if self.out is None else str(self.out)}


def contest(*names: str, quiet: bool = True, **settings: Any) -> Contest:
    """Train networks on the same pictures and lay them side by side.

    Args:
        names: networks; or runs that were trained on the same pictures already. The first may be the data. Without any
            network, the task's own line of them.
        settings: see `anmok.verbs.settings.CompareSettings`; `task` must be set.

    Raises:
        UsageError: a task whose networks cannot be timed part by part, or runs of other pictures.
    """
    asked: CompareSettings = CompareSettings.of(**settings)
    kind = contesting(asked.task)
    if kind is None:
        able = ", ".join(name for name in TASKS if contesting(name))
        raise UsageError("networks of this task are not trained side by side", got=asked.task, allowed=able)
    if asked.out is not None and asked.out.suffix.lower() not in DRAWN:
        raise UsageError("a comparison is drawn as PNG or SVG, or a page", got=str(asked.out), allowed=", ".join(DRAWN))
    data, nets = _told(names, asked.data, kind.bundled)
    terminal = Terminal(quiet)
    runs = {net: _run(net, data, asked, kind.name, terminal) for net in dict.fromkeys(nets or kind.contestants)}
    _same_pictures(runs)
    with terminal.bar("timing") as on_progress:
        found = []
        for done, (name, run) in enumerate(runs.items()):
            on_progress(done, len(runs))
            found.append(_measured(name, run, kind, terminal))
    first = next(iter(runs.values())).card
    remarks = kind.remarks({one.name.partition(":")[0]: one.row for one in found})
    told = Contest(kind.name, data, first["data"]["splits"]["test"], tuple(kind.headlines), found,
                   first["machine"], tuple(remarks), asked.out)  # fmt: skip
    if asked.out is not None:
        (write_contest if asked.out.suffix.lower() == ".html" else draw_contest)(told, asked.out)
    return told


def contesting(task: str) -> Contesting | None:
    """The task's kind, where its networks can be trained side by side."""
    kind: object = TASKS[task]() if task in TASKS else None
    return kind if isinstance(kind, Contesting) else None


def _told(names: Sequence[str], data: str | None, bundled: str) -> tuple[str, list[str]]:
    """The data and the networks: a first name that is neither a network nor a run names the data."""
    if names and task_of(names[0]) is None and not _is_run(names[0]):
        if data is not None:
            raise UsageError("neither a network nor a run", got=names[0], allowed="one set of pictures: --data")
        return names[0], list(names[1:])
    return data or bundled, list(names)


def _is_run(name: str) -> bool:
    return (Path(name) / "card.json").is_file()


def _run(name: str, data: str, asked: CompareSettings, task: str, terminal: Terminal) -> Run:
    """The run of this folder, or a new one of this network."""
    if _is_run(name):
        return load(name)
    terminal.say(f"— {name}")
    own = f"{named_after(data)}-{name.replace(':', '-')}"
    return train(data, task=task, net=name, name=own, project=asked.project, epochs=asked.epochs, time=asked.time,
                 seed=asked.seed, quiet=terminal.quiet)  # fmt: skip


def _same_pictures(runs: Mapping[str, Run]) -> None:
    prints = {name: (run.card["data"]["fingerprint"], tuple(run.card["data"]["splits"].items()))
              for name, run in runs.items()}  # fmt: skip
    if len(set(prints.values())) > 1:
        raise UsageError("these runs learned from different pictures", got=", ".join(prints), fix="train them anew")


def _measured(name: str, run: Run, kind: Contesting, terminal: Terminal) -> Contestant:
    if "test" not in run.metrics:
        raise UsageError("this run was not judged on test pictures", got=name, fix="train anew with --test 0.1")
    decoded, split = labelled_pictures(run, None, EvalSettings.of(split="test"), terminal)
    figures = {
        figure: tuple(math.nan if found[part] is None else float(found[part]) for part in ("value", "low", "high"))
        for figure, found in run.metrics["test"].items()
    }
    shared = sum(seconds for stage, seconds in stage_seconds(run.folder).items() if stage in kind.shared)
    return Contestant(
        name=Path(name).name if _is_run(name) else name,
        year=card(run.card["network"]["name"]).paper.year,
        run=run.path,
        parameters=sum(weight.numel() for weight in run.network.parameters()),
        figures=figures,  # type: ignore[arg-type]
        seconds=kind.timed(run.model, decoded, split, TIMED),
        training=run.card["seconds"] - shared,
        shared=shared,
    )


def stage_seconds(folder: RunFolder) -> dict[str, float]:
    """How long each stage of a run took, from its results.csv."""
    with folder.results.open(encoding="utf-8") as file:
        ends = {row["stage"]: float(row["seconds"]) for row in csv.DictReader(file)}
    starts = [0.0, *ends.values()]
    return {stage: end - start for (stage, end), start in zip(ends.items(), starts, strict=False)}


def _finite(value: Any) -> Any:
    """The same with None for what is not finite, which JSON cannot say."""
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(part) for part in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
