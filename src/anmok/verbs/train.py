"""Train: from a folder of pictures to a run that is measured, reported and can be asked."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import nn

from anmok.core.errors import UsageError
from anmok.core.files import sha256_of
from anmok.engine.callbacks import Callback, ProgressBar
from anmok.engine.loop import Options, Outcome, run
from anmok.engine.runfolder import RunFolder
from anmok.metrics.proportion import Interval
from anmok.tasks._kind import Measured, Model
from anmok.tasks.own_network import demand_module
from anmok.tasks.published import RANDOM
from anmok.verbs import card as cards
from anmok.verbs.find_lr import draw_rate, find_rate
from anmok.verbs.findings import bill
from anmok.verbs.opened import load_weights
from anmok.verbs.planning import TrainingPlan, new_plan, save_plan, saved_plan
from anmok.verbs.reporting import write_training_report
from anmok.verbs.run import Run
from anmok.verbs.setting import AUTO, named_after
from anmok.verbs.tensorboard import TensorBoard, tensorboard_is_here
from anmok.verbs.terminal import Terminal, figures_line
from anmok.verbs.train_settings import TrainSettings


def train(
    data: str | Path | None = None,
    *,
    network: nn.Module | None = None,
    quiet: bool = True,
    callbacks: Sequence[Callback] = (),
    **settings: Any,
) -> Run:
    """Learn from pictures and return the run. What is learned follows from the data, or from `task`.

    Args:
        data: a folder of class folders, a CSV, IDX files, an archive of these, or the name of a known data set.
        network: a network of your own, normalised pictures (N, C, S, S) → logits (N, classes), or (N, classes, S, S)
            for segmentation, trained from the weights it has; else `net` by name.
        quiet: nothing in the terminal; what is worth noticing is a Python warning.
        callbacks: listeners, see `anmok.engine.callbacks`.
        settings: see `anmok.verbs.train_settings.TrainSettings`; the flags of `anmok train` have the same names.

    Raises:
        UsageError: a setting does not fit.
        DataError: the data cannot be used.
        TrainingError: training cannot go on; the last good state is kept.
    """
    asked: TrainSettings = TrainSettings.of(**settings)
    terminal = Terminal(quiet)
    listeners = [*([] if quiet else [ProgressBar()]), *callbacks]
    with terminal.hearing_warnings():
        _check(asked, network)
        if asked.resume is not None:
            if data is not None:
                raise UsageError("a resumed run has its data already", got=str(data), fix="leave DATA out")
            folder = RunFolder.open(asked.resume)
            if network is None:
                cards.refuse_without_network(
                    folder, cards.read(folder), "anmok.train(resume=path, network=YourNetwork(…))"
                )
            plan = saved_plan(folder, asked, terminal)
            model = plan.learner(network)
        elif data is not None:
            plan = new_plan(str(data), asked, terminal, own_network=network is not None)
            model = plan.learner(network)
            folder = RunFolder.create(asked.project / plan.kind.name, asked.name or named_after(str(data)))
            plan.kind.draw_augmentation(plan.plan, asked.seed, folder.path / "augmentation.png")
            _write_start(folder, plan, model, own=network is not None)
        else:
            raise UsageError("there is nothing to train on", fix="anmok train FOLDER, or anmok train samples")
        if plan.settings.find_lr and "found_rate" not in cards.read(folder):
            plan = _with_found_rate(plan, model, folder, terminal)
            model = plan.learner(model.network)
        return _go(folder, plan, model, terminal, listeners)


def _check(asked: TrainSettings, network: object) -> None:
    """Refuse what cannot come true before anything is read."""
    if network is not None:
        demand_module(network)
        _refuse_named(asked)
    if asked.tensorboard:
        tensorboard_is_here()
    if asked.find_lr and asked.lr is not None:
        raise UsageError("a learning rate is either given or found", got=f"--lr {asked.lr} and --find-lr")
    if asked.resume is None:
        RunFolder.check(asked.project)


def _refuse_named(asked: TrainSettings) -> None:
    """Refuse what belongs to networks by name, where the person brings one."""
    for name, meant in (("net", AUTO), ("weights", RANDOM), ("freeze", None)):
        value = getattr(asked, name)
        if value not in (None, meant):
            raise UsageError("a network is either given, with the weights it has, or named",
                             got=f"network= and {name}={value!r}", fix=f"leave {name} out")  # fmt: skip


def _go(folder: RunFolder, plan: TrainingPlan, model: Model, terminal: Terminal, listeners: Sequence[Callback]) -> Run:
    """Run the engine from wherever the folder stands to the end; then measure, write card and report."""
    name = cards.read(folder)["network"]["name"]
    terminal.say(
        f"training {name} at {plan.preparation.size} pixels, {plan.recipe.pace}, "
        f"{plan.devices.precision} on {plan.devices.device}; everything goes to {folder.path}"
    )
    options = Options(
        resume=plan.settings.resume is not None,
        time_s=plan.settings.time,
        checkpoint_seconds=plan.settings.save_every,
        sample_log=plan.settings.sample_log,
        devices=plan.devices,
    )
    if plan.settings.tensorboard:
        listeners = [*listeners, TensorBoard(folder.path / "tensorboard")]
    outcome = run(model, folder, options, listeners)
    load_weights(model, folder)
    measured, kept = plan.kind.finish(model, plan.plan)
    card = _write_end(folder, outcome, measured, kept)
    write_training_report(folder, card, plan, model, outcome, measured)
    for name, found in measured.items():
        known = {figure: found.figures[figure] for figure in plan.kind.headlines if figure in found.figures}
        terminal.say(f"{name}: {figures_line(known)}")
    for owed in bill(plan.kind, plan.plan.decoded, measured.get("test") or measured.get("val"), plan.copies):
        terminal.warn(owed)
    terminal.say(f"report: {folder.report}")
    return Run(folder, card, model)


def _with_found_rate(plan: TrainingPlan, model: Model, folder: RunFolder, terminal: Terminal) -> TrainingPlan:
    """The plan with a learning rate found on a throwaway copy; the curve goes to `learning-rate.png`.

    The card remembers the rate: a run that was stopped during the search searches again when it is resumed.
    """
    found = find_rate(plan.learner(copy.deepcopy(model.network)))
    curve = draw_rate(found, folder.path / "learning-rate.png")
    terminal.say(f"{found.sentence}; the curve: {curve}")
    plan = plan.with_rate(found.choice)
    cards.write(folder, {**cards.read(folder), "recipe": plan.recipe.to_json(), "found_rate": found.choice})
    return plan


def _write_start(folder: RunFolder, plan: TrainingPlan, model: Model, own: bool) -> None:
    """All decisions, before the first step: a killed run resumes from these."""
    save_plan(folder, plan)
    name = type(model.network).__name__ if own else plan.recipe.network
    cards.write(
        folder,
        {
            "task": plan.kind.name,
            "created": cards.now(),
            "classes": list(plan.dataset.classes),
            "network": {"name": name, "own": own, "arguments": {}},
            "preparation": plan.preparation.to_json(),
            "recipe": plan.recipe.to_json(),
            "seed": plan.settings.seed,
            "data": {
                "path": plan.data,
                "format": plan.dataset.format,
                "splits": plan.dataset.splits,
                "account": plan.dataset.accounts(),
                "fingerprint": plan.fingerprint.digest,
            },
            "machine": cards.machine(plan.devices.record()),
            "versions": cards.versions(),
        },
    )


def _write_end(
    folder: RunFolder, outcome: Outcome, measured: Mapping[str, Measured], kept: Mapping[str, Any]
) -> dict[str, Any]:
    """The card of a finished run: figures, what the task keeps beside them, what training cost."""
    figures = {split: _known(found.figures) for split, found in measured.items()}
    card = cards.read(folder)
    card |= {
        "finished": cards.now(),
        "stopped": outcome.stopped,
        "seconds": round(outcome.seconds, 2),
        "seconds_by_part": {name: round(seconds, 3) for name, seconds in outcome.parts.items()},
        "seconds_forecast": _forecast(outcome),
        **kept,
        "weights_sha256": sha256_of(folder.best),
        "metrics": figures,
    }
    return cards.write(folder, card)


def _known(figures: Mapping[str, Interval]) -> dict[str, dict[str, Any]]:
    """Figures as plain values: what is not defined on these pictures is left out, an unknown bound is None."""
    plain = {name: asdict(figure) for name, figure in figures.items() if math.isfinite(figure.value)}
    return {
        name: {part: None if isinstance(value, float) and not math.isfinite(value) else value
               for part, value in figure.items()}
        for name, figure in plain.items()
    }  # fmt: skip


def _forecast(outcome: Outcome) -> float | None:
    """What was foretold of the first stage before its first step, in seconds."""
    return None if outcome.forecast is None else round(outcome.forecast.seconds_total, 2)
