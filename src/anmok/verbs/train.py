"""Train: from a folder of pictures to a run that is measured, reported and can be asked."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from anmok.core.errors import UsageError
from anmok.core.files import sha256_of
from anmok.core.seeds import seed_everything
from anmok.engine.callbacks import Callback, ProgressBar
from anmok.engine.loop import Options, Outcome, run
from anmok.engine.runfolder import RunFolder
from anmok.networks import build
from anmok.tasks.balance import class_weights
from anmok.tasks.classify import Classify
from anmok.verbs import card as cards
from anmok.verbs.augmentation import draw_augmentation
from anmok.verbs.find_lr import draw_rate, find_rate
from anmok.verbs.measuring import Measured, measure
from anmok.verbs.opened import load_weights
from anmok.verbs.planning import TrainingPlan, new_plan, save_plan, saved_plan
from anmok.verbs.rejection import choose_rejection
from anmok.verbs.reporting import write_training_report
from anmok.verbs.run import Run
from anmok.verbs.settings import TrainSettings
from anmok.verbs.tensorboard import TensorBoard, tensorboard_is_here
from anmok.verbs.terminal import Terminal, figures_line

EVALUATED_AT_ONCE = 500  # pictures


def train(
    data: str | Path | None = None,
    *,
    network: nn.Module | None = None,
    quiet: bool = True,
    callbacks: Sequence[Callback] = (),
    **settings: Any,
) -> Run:
    """Train a classifier and return its run.

    Args:
        data: a folder of class folders, a CSV, IDX files, an archive of these, or the name of a known data set.
        network: a network of your own, normalised pictures (N, C, S, S) → logits (N, classes); else `net` by name.
        quiet: nothing in the terminal.
        callbacks: listeners, see `anmok.engine.callbacks`.
        settings: see `anmok.verbs.settings.TrainSettings`; the flags of `anmok train` have the same names.

    Raises:
        UsageError: a setting does not fit.
        DataError: the data cannot be used.
        TrainingError: training cannot go on; the last good state is kept.
    """
    asked: TrainSettings = TrainSettings.of(**settings)
    terminal = Terminal(quiet)
    listeners = [*([] if quiet else [ProgressBar()]), *callbacks]
    with terminal.hearing_warnings():
        _check(asked)
        if asked.resume is not None:
            if data is not None:
                raise UsageError("a resumed run has its data already", got=str(data), fix="leave DATA out")
            folder = RunFolder.open(asked.resume)
            plan = saved_plan(folder, asked, terminal)
            network = _network(plan, network)
        elif data is not None:
            plan = new_plan(str(data), asked, terminal)
            network, own = _network(plan, network), network is not None
            folder = RunFolder.create(asked.project / asked.task, asked.name or named_after(str(data)))
            draw_augmentation(plan, folder.path / "augmentation.png")
            if asked.find_lr:
                plan = _with_found_rate(plan, network, folder, terminal)
            _write_start(folder, plan, network, own)
        else:
            raise UsageError("there is nothing to train on", fix="anmok train FOLDER, or anmok train samples")
        return _go(folder, plan, network, terminal, listeners)


def _check(asked: TrainSettings) -> None:
    """Refuse what cannot come true before anything is read."""
    if asked.tensorboard:
        tensorboard_is_here()
    if asked.find_lr and asked.lr is not None:
        raise UsageError("a learning rate is either given or found", got=f"--lr {asked.lr} and --find-lr")


def _go(
    folder: RunFolder, plan: TrainingPlan, network: nn.Module, terminal: Terminal, listeners: Sequence[Callback]
) -> Run:
    """Run the engine from wherever the folder stands to the end; then measure, write card and report."""
    task = _task(plan, network)
    name = cards.read(folder)["network"]["name"]
    terminal.say(
        f"training {name} at {plan.preparation.size} pixels, batch {plan.recipe.batch}, up to {plan.recipe.epochs} "
        f"epochs, {plan.devices.precision} on {plan.devices.device}; everything goes to {folder.path}"
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
    outcome = run(task, folder, options, listeners)
    load_weights(network, folder)
    measured = _measured(task, plan)
    card = _write_end(folder, plan, outcome, measured)
    write_training_report(folder, card, plan, task, outcome, measured)
    for name, found in measured.items():
        terminal.say(f"{name}: {figures_line({'accuracy': found.summary.figures['accuracy']})}")
    terminal.say(f"report: {folder.report}")
    return Run(folder, card, network, str(plan.devices.device))


def _with_found_rate(plan: TrainingPlan, network: nn.Module, folder: RunFolder, terminal: Terminal) -> TrainingPlan:
    """The plan with a learning rate found on a throwaway copy; the curve goes to `learning-rate.png`."""
    found = find_rate(_task(plan, network))
    curve = draw_rate(found, folder.path / "learning-rate.png")
    terminal.say(f"{found.sentence}; the curve: {curve}")
    return replace(plan, recipe=plan.recipe.but(learning_rate=found.choice))


def _measured(task: Classify, plan: TrainingPlan) -> dict[str, Measured]:
    """Answers on validation and test; the temperature is fitted on the first and used on both."""
    measured: dict[str, Measured] = {}
    temperature: float | None = None  # fitted
    for name in ("val", "test"):
        if name in plan.dataset.splits:
            measured[name] = measure(task, plan.decoded, name, temperature=temperature)
        temperature = measured["val"].temperature if "val" in measured else 1.0
    return measured


def _network(plan: TrainingPlan, network: nn.Module | None) -> nn.Module:
    """The network with its first weights: the person's own, or one by name from the seed."""
    if network is not None:
        return network
    seed_everything(plan.settings.seed)
    return build(plan.recipe.network, num_classes=len(plan.dataset.classes), in_channels=plan.preparation.channels)


def _task(plan: TrainingPlan, network: nn.Module) -> Classify:
    recipe, seed = plan.recipe, plan.settings.seed
    train_batches = plan.decoded.loader(
        "train", recipe.batch, seed=seed, augment=recipe.augment, workers=plan.settings.workers,
        even=recipe.balance == "sampling",
    )  # fmt: skip
    counts = np.bincount(train_batches.targets, minlength=len(plan.dataset.classes)).tolist()
    weights = class_weights(counts) if recipe.balance == "weights" else None
    val = plan.decoded.loader("val", EVALUATED_AT_ONCE) if "val" in plan.dataset.splits else None
    return Classify(network, plan.dataset.classes, plan.preparation, plan.devices, recipe, train_batches, val, weights)


def _write_start(folder: RunFolder, plan: TrainingPlan, network: nn.Module, own: bool) -> None:
    """All decisions, before the first step: a killed run resumes from these."""
    save_plan(folder, plan)
    name = type(network).__name__ if own else plan.recipe.network
    cards.write(
        folder,
        {
            "task": plan.settings.task,
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
    folder: RunFolder, plan: TrainingPlan, outcome: Outcome, measured: dict[str, Measured]
) -> dict[str, Any]:
    """The card of a finished run: figures, temperature, what training cost."""
    temperature = measured["val"].temperature if "val" in measured else 1.0
    card = cards.read(folder)
    card |= {
        "finished": cards.now(),
        "stopped": outcome.stopped,
        "seconds": round(outcome.seconds, 2),
        "seconds_by_part": {name: round(seconds, 3) for name, seconds in outcome.parts.items()},
        "temperature": temperature,
        "rejection": choose_rejection(measured["val"]).to_json() if "val" in measured else None,
        "weights_sha256": sha256_of(folder.best),
        "metrics": {name: found.to_json() for name, found in measured.items()},
    }
    return cards.write(folder, card)


def named_after(data: str) -> str:
    """A folder name from the data's own name."""
    stem = re.sub(r"\.(zip|tar|tgz|gz|bz2|xz|csv)", "", Path(data).expanduser().resolve().name) if data else ""
    return re.sub(r'[/\\\0:*?"<>|]', "_", stem).strip(". ") or "run"
