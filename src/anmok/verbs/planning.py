"""What a training run is going to do: decided from the data for a new run, read from its folder for a resumed one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from torch import nn

from anmok.core.errors import DataError, UsageError
from anmok.core.preparation import Preparation
from anmok.core.types import Dataset
from anmok.data.check import compare_classes
from anmok.data.fingerprint import Fingerprint, difference, fingerprint
from anmok.data.grouping import group_entries
from anmok.data.load import find_data, load_data
from anmok.data.split import assign_splits, load_split, save_split
from anmok.engine.devices import Devices, choose
from anmok.engine.runfolder import RunFolder
from anmok.tasks._kind import TASKS, Kind, Model, Plan
from anmok.tasks.copies import Copies, look_for_copies
from anmok.tasks.published import RANDOM
from anmok.verbs import card as cards
from anmok.verbs.setting import AUTO
from anmok.verbs.settings_file import read_settings_file
from anmok.verbs.terminal import Silence, Terminal
from anmok.verbs.train_settings import TrainSettings

FINGERPRINT = "state/fingerprint.json"
SHRUNK = 0.5  # of a split must be left when copies are kept together, else likeness says nothing about copies
_MAY_CHANGE = {"resume", "device", "workers", "save_every"}  # settings a resumed run may be given anew


@dataclass(frozen=True)
class TrainingPlan:
    """Data, decisions and machine of one training run."""

    data: str
    settings: TrainSettings
    kind: Kind
    plan: Plan
    devices: Devices
    found: Dataset  # as it was read and split, before any picture was decoded
    fingerprint: Fingerprint
    copies: Copies

    @property
    def dataset(self) -> Dataset:
        """The data set, with its splits and its quarantine."""
        return self.plan.decoded.dataset

    @property
    def preparation(self) -> Preparation:
        """What pictures go through before the network."""
        return self.plan.decoded.preparation

    @property
    def recipe(self) -> Any:
        """How to train, as the task's own recipe says."""
        return self.plan.recipe

    def learner(self, network: nn.Module | None = None) -> Model:
        """What the engine trains. `network`: the person's own; None: the recipe's, its first weights from the seed."""
        return self.kind.learner(self.plan, self.devices, self.settings, network)

    def with_rate(self, learning_rate: float) -> TrainingPlan:
        """The same plan with another learning rate."""
        return replace(self, plan=replace(self.plan, recipe=self.recipe.but(learning_rate=learning_rate)))


def new_plan(data: str, settings: TrainSettings, terminal: Terminal, own_network: bool = False) -> TrainingPlan:
    """Look at the data and choose what the person left open.

    Args:
        own_network: the person brings a network, with the weights it has: it starts from none that are published.
    """
    devices = choose(settings.device, settings.precision)
    whole = read_data(data, settings)
    dataset = split_data(whole, settings)
    kind = kind_for(dataset, settings.task)
    settings.refuse_foreign(kind.name)
    if own_network and settings.concerns("weights", kind.name):
        settings = settings.model_copy(update={"weights": RANDOM})
    terminal.say(describe(dataset))
    plan = kind.plan(dataset, settings, terminal)
    chosen = TrainingPlan(
        data, settings, kind, plan, devices, dataset, fingerprint(dataset), look_for_copies(plan.decoded)
    )
    return _without_torn_copies(chosen, whole, terminal)


def _without_torn_copies(plan: TrainingPlan, whole: Dataset, terminal: Terminal) -> TrainingPlan:
    """The plan, made again where a split that was cut here put copies of one picture on two sides.

    Copies are known only once pictures are decoded, and most data has none: so pictures are decoded but once, and a
    split that tears nothing stays as it is.
    """
    free = [now for now, was in zip(plan.found.entries, whole.entries, strict=True) if was.split in (None, "train")]
    if plan.settings.split is not None or len({entry.split for entry in free}) < 2:
        return plan
    if plan.copies.limit:
        terminal.say(plan.copies.limit)
    groups = plan.copies.groups_in(free)
    torn = [group for group in groups if len({free[at].split for at in group}) > 1]
    if not torn:
        return plan
    sides = {e.id: e.split for e in split_data(plan.copies.joined(whole), plan.settings).entries}
    dataset = replace(plan.found, entries=[replace(e, split=sides[e.id]) for e in plan.found.entries])
    if any(dataset.splits.get(name, 0) < SHRUNK * count for name, count in plan.found.splits.items()):
        terminal.say("pictures are so alike that keeping those together would leave a split almost empty: it stays")
        return plan
    known = plan.settings.model_copy(update={"flip": plan.recipe.augment.flip})  # was measured once
    again = replace(plan.kind.plan(dataset, known, Silence()), notes=plan.plan.notes)
    those = "a picture and its copies were" if len(torn) == 1 else f"{len(torn):,} pictures and their copies were"
    terminal.say(f"{those} on two sides of the split; it is cut anew, copies together: {_splits(dataset)}")
    copies = replace(plan.copies, dataset=again.decoded.dataset)
    return replace(plan, plan=again, found=dataset, fingerprint=fingerprint(dataset), copies=copies)


def kind_for(dataset: Dataset, asked: str) -> Kind:
    """The task that is meant, or with `auto` the one that the data is made for.

    Raises:
        UsageError: there is no such task yet.
    """
    name = dataset.task if asked == AUTO else asked
    if name not in TASKS:
        raise UsageError(
            f"training for this task is not there yet: {name}", path=dataset.root, allowed=", ".join(TASKS)
        )
    return TASKS[name]()


def saved_plan(folder: RunFolder, asked: TrainSettings, terminal: Terminal) -> TrainingPlan:
    """What the run in `folder` was going to do.

    Raises:
        UsageError: `asked` wants something else than the run was started with.
        DataError, CheckpointError: the data or the folder is not what it was; the differences are listed.
    """
    other = asked.model_fields_set - _MAY_CHANGE
    if other:
        raise UsageError(
            "a resumed run goes on as it was started",
            got=", ".join(f"--{name.replace('_', '-')}" for name in sorted(other)),
            allowed="--resume RUN with --device, --workers and --save-every",
            fix="leave the others out, or train anew",
        )
    card, data, settings = cards.read(folder), *read_settings(folder)
    settings = settings.model_copy(update={"task": card["task"]})
    settings = settings.model_copy(update={name: getattr(asked, name) for name in asked.model_fields_set & _MAY_CHANGE})
    dataset = read_data(data, settings)
    compare_classes(card["classes"], dataset.classes, data)
    dataset = load_split(dataset, folder.path / "split.csv")
    print_now = fingerprint(dataset)
    changed = difference(Fingerprint.from_json(folder.read_json(FINGERPRINT)), print_now)
    if changed:
        raise DataError(
            "the data is not what this run was started with",
            path=data,
            got=str(changed),
            fix="restore the data, or train anew",
        )
    kind = TASKS[card["task"]]()
    plan = kind.plan_again(dataset, card, terminal)
    devices = choose(settings.device, card["machine"]["precision"])
    return TrainingPlan(data, settings, kind, plan, devices, dataset, print_now, look_for_copies(plan.decoded))


def read_data(data: str, settings: TrainSettings) -> Dataset:
    """The data set at `data`, with the splits it came with."""
    dataset = load_data(data, task=None if settings.task == AUTO else settings.task, **settings.reading)
    if settings.group_by is not None:
        dataset = group_entries(dataset, settings.group_by)
    return dataset


def split_data(dataset: Dataset, settings: TrainSettings) -> Dataset:
    """The data set in splits: those of a file, those it came with, and what is missing cut from its training data."""
    if settings.split is not None:
        return load_split(dataset, settings.split)
    test = 0.0 if "test" in dataset.splits else settings.test
    return assign_splits(dataset, val=settings.val, test=test, seed=settings.seed)


def save_plan(folder: RunFolder, plan: TrainingPlan) -> None:
    """Settings, split and fingerprint: with the card, all that `saved_plan` needs."""
    _write_settings(folder, plan.data, plan.settings)
    save_split(plan.found, folder.path / "split.csv")
    folder.write_json(FINGERPRINT, plan.fingerprint.to_json())


def _write_settings(folder: RunFolder, data: str, settings: TrainSettings) -> None:
    """`settings.yaml`: the data and every setting, as plain YAML a person can edit and use again."""
    place = str(find_data(data).resolve()) if Path(data).expanduser().exists() else data
    values = {"data": place, **settings.model_dump(mode="json", exclude={"resume"})}
    folder.write_text("settings.yaml", yaml.safe_dump(values, sort_keys=False, allow_unicode=True))


def read_settings(folder: RunFolder) -> tuple[str, TrainSettings]:
    """The data and settings a run was started with."""
    values = read_settings_file(folder.settings)
    return values.pop("data"), TrainSettings.of(**values)


def describe(dataset: Dataset) -> str:
    """Two lines: what the data was taken for, since it may have been meant otherwise, and what was found."""
    account = dataset.account()
    return (
        f"{dataset.root}: {dataset.format}, for {dataset.task} ({dataset.why})\n"
        f"{len(dataset.classes)} classes, {_splits(dataset)} "
        f"({account['seen']:,} {dataset.unit} seen = {account['used']:,} used + {account['quarantined']:,} quarantined "
        f"+ {account['skipped']:,} skipped)"
    )


def _splits(dataset: Dataset) -> str:
    return ", ".join(f"{name or 'unsplit'} {count:,}" for name, count in dataset.splits.items())
