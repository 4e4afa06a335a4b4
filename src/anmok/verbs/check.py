"""Check: what a data set is, what is in it, what is wrong with it. Nothing is trained and nothing is changed."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import UsageError
from anmok.core.files import naming_the_cause
from anmok.core.types import Dataset
from anmok.data.check import Check, check_data
from anmok.data.convert import write_data
from anmok.data.duplicates import Duplicates, find_duplicates
from anmok.data.grouping import group_entries, joined, without_leaks
from anmok.data.load import load_data
from anmok.data.problems import Problem, all_problems
from anmok.data.split import assign_splits, save_split
from anmok.data.statistics import Statistics, measure_pictures
from anmok.tasks.beginning import beginning, choose_preparation, look
from anmok.tasks.classify.photographs import Photographs, are_photographs
from anmok.tasks.invariance import Invariance, measure_invariance
from anmok.tasks.mislabelled import Suspect, features_of, out_of_fold, suspects
from anmok.tasks.pictures import Decoded, decode_all
from anmok.tasks.recipe import choose_recipe, choose_transfer
from anmok.verbs.check_page import write_check_page
from anmok.verbs.check_targets import SeenTargets, are_pairs, decode_pairs, look_at_targets, read_masks
from anmok.verbs.setting import named_after
from anmok.verbs.settings import CheckSettings
from anmok.verbs.terminal import Terminal
from anmok.verbs.train_settings import TrainSettings


@dataclass(frozen=True)
class Looked:
    """All that looking at decoded pictures found."""

    decoded: Decoded
    duplicates: Duplicates
    statistics: Statistics
    suspects: Sequence[Suspect]
    vectors: Photographs | None = None  # what compared them, where it was a network

    @property
    def dataset(self) -> Dataset:
        """The data set, less the pictures that could not be decoded."""
        return self.decoded.dataset


def check(data: str | Path, *, quiet: bool = True, **settings: Any) -> Check:
    """Look at a data set as training would, and say what was found.

    Args:
        data: a folder, table, archive, or the name of a known data set.
        settings: see `anmok.verbs.settings.CheckSettings`.

    Raises:
        DataError: the data cannot be used at all.
        UsageError: `group_by` tells no groups apart.
    """
    asked: CheckSettings = CheckSettings.of(**settings)
    terminal = Terminal(quiet)
    with terminal.hearing_warnings():
        loaded = load_data(data, task=asked.task, **asked.reading)
        _keep_out(loaded, asked)
        if asked.group_by is not None:
            loaded = group_entries(loaded, asked.group_by)
        readable, masks = read_masks(loaded, terminal) if asked.decode else (loaded, None)
        looked = _look(readable, asked, terminal) if asked.decode and readable.entries else None
    dataset = looked.dataset if looked else readable
    seen = look_at_targets(readable, dataset, masks)
    problems = _problems(dataset, looked, seen)
    found = replace(
        check_data(dataset, data, seen.held),
        problems=tuple(problem.to_json(dataset) for problem in problems),
        statistics=(looked.statistics.to_json() if looked else {}) | seen.statistics,
        settings=_suggested(looked) if looked else {},
    )
    if asked.augment and looked is not None:
        found = replace(found, augmentation=tuple(one.to_json() for one in _augmentation(looked, terminal)))
    if asked.split is not None:
        left_out = _write_split(loaded, looked, asked)
        with_split = f"{found.suggestion} --split {shlex.quote(str(asked.split))}"
        found = replace(found, split=str(asked.split), left_out=tuple(left_out), suggestion=with_split)
    if asked.to is not None:
        found = replace(found, written=asdict(write_data(dataset, asked.to[1], asked.to[0])))
    if asked.html is not None:
        with naming_the_cause(asked.html):
            asked.html.parent.mkdir(parents=True, exist_ok=True)
        page = write_check_page(asked.html, found, problems, looked.decoded if looked else None)
        found = replace(found, html=str(page))
    return found


def default_page(data: str) -> Path | None:
    """Where `anmok check` puts its page unless it is told: `runs/check/NAME.html`.

    None where that would be inside the data, or nothing can be written here.
    """
    page, root = Path("runs") / "check" / f"{named_after(data)}.html", Path(data).expanduser().resolve()
    return page if os.access(Path.cwd(), os.W_OK) and not page.resolve().is_relative_to(root) else None


def _look(dataset: Dataset, asked: CheckSettings, terminal: Terminal) -> Looked:
    preparation = choose_preparation(look(dataset))
    if are_pairs(dataset):
        decoded = decode_pairs(dataset, preparation, asked.workers, terminal)
    else:
        with terminal.bar("decoding") as on_progress:
            decoded = decode_all(dataset, preparation, workers=asked.workers, on_progress=on_progress)
    dataset, source, rows = decoded.dataset, decoded.source, decoded.rows
    with terminal.bar("looking for copies") as on_progress:
        duplicates = find_duplicates(dataset, source, rows, on_progress=on_progress)
    statistics = measure_pictures(dataset, source, rows)
    vectors = _vectors(decoded, len(dataset))
    doubted = _suspects(decoded, duplicates, vectors, terminal) if asked.labels else []
    return Looked(decoded, duplicates, statistics, doubted, vectors)


def _suspects(
    decoded: Decoded, duplicates: Duplicates, vectors: Photographs | None, terminal: Terminal
) -> list[Suspect]:
    """Likely wrong labels. Copies of a picture, and pictures of one group, are asked about together."""
    dataset = decoded.dataset
    targets = np.array([e.target if isinstance(e.target, int) else -1 for e in dataset.entries], int)
    if dataset.task != "classify" or len(dataset.classes) < 2 or (targets < 0).all():
        return []
    together = joined(dataset, duplicates.groups)
    names = [entry.group or f"entry {i}" for i, entry in enumerate(together.entries)]
    groups = np.unique(names, return_inverse=True)[1]
    with terminal.bar("looking for wrong labels") as on_progress:
        features = features_of(decoded.source, decoded.rows, vectors, on_progress=on_progress)
    return suspects(targets, out_of_fold(features, targets, groups))


def _augmentation(looked: Looked, terminal: Terminal) -> list[Invariance]:
    """Which moves keep the class: asked of training pictures, by their pixels or, for photographs, a network."""
    decoded = looked.decoded
    labelled = [i for i, e in enumerate(decoded.dataset.entries) if isinstance(e.target, int) and e.split != "test"]
    if len(decoded.dataset.classes) < 2 or not labelled:
        raise UsageError("what keeps the class is measured on labelled pictures", path=decoded.dataset.root)
    targets = np.array([decoded.dataset.entries[i].target for i in labelled], np.int64)
    terminal.say("measuring which augmentation keeps the class")
    vectors = looked.vectors or _vectors(decoded, len(labelled))
    return measure_invariance(decoded.source.gather, decoded.rows[labelled], targets, vectors)


def _vectors(decoded: Decoded, pictures: int) -> Photographs | None:
    """What compares so many of these pictures: a network's features of photographs, else their pixels."""
    return Photographs(pictures) if are_photographs(decoded.preparation.shape, pictures) else None


def _problems(dataset: Dataset, looked: Looked | None, seen: SeenTargets) -> list[Problem]:
    if looked is None:
        found = all_problems(dataset, held=seen.held)
    else:
        found = all_problems(dataset, looked.duplicates, looked.statistics, seen.held)
    found += seen.problems
    if looked is not None and looked.suspects:
        count, names = len(looked.suspects), dataset.classes
        words = "labels are" if count > 1 else "label is"
        found.append(
            Problem(
                "doubtful labels",
                f"{count:,} {words} probably wrong, says a probe that learned from other pictures",
                False,
                "look at them, the surest first; some will be right",
                tuple((s.position,) for s in looked.suspects),
                tuple(f"{names[s.label]}, rather {names[s.other]} ({s.score:.0%})" for s in looked.suspects),
            )
        )
    return found


def _suggested(looked: Looked) -> dict[str, Any]:
    """What `anmok train` would choose for this data; of tasks other than classification only which."""
    if looked.dataset.task != "classify":
        return {"task": looked.dataset.task}
    learned = looked.dataset.splits.get("train") or len(looked.dataset)
    wishes = TrainSettings.of()
    start, preparation = beginning(looked.dataset, wishes)
    if start is None:
        recipe = choose_recipe(learned, preparation, mirror=False)
    else:
        recipe = choose_transfer(learned, *start, mirror=False, freeze="all")
    return {
        "task": looked.dataset.task,
        "net": recipe.network,
        "weights": recipe.pretrained or "random",
        "imgsz": preparation.size,
        "epochs": recipe.epochs,
        "batch": recipe.batch,
    }


def _keep_out(dataset: Dataset, asked: CheckSettings) -> None:
    """Refuse to write into the data: it is only looked at, and what is written there would be read next time."""
    root = dataset.root.resolve()
    for flag, path in (("--html", asked.html), ("--split", asked.split), ("--to", asked.to and asked.to[1])):
        if path is not None and root.is_dir() and path.expanduser().resolve().is_relative_to(root):
            raise UsageError(f"{flag} would write into the data", path=path, allowed=f"paths outside {root}")


def _write_split(loaded: Dataset, looked: Looked | None, asked: CheckSettings) -> list[str]:
    """Write a split in which copies and groups stay together; ids left out of a given one that did not keep them so.

    Pictures that cannot be decoded are in the file, without a split: it must name all that `load_data` finds.
    """
    whole = joined(looked.dataset, looked.duplicates.groups) if looked else loaded
    whole, left_out = without_leaks(whole)
    gone = set(left_out)
    kept = replace(whole, entries=[entry for entry in whole.entries if entry.id not in gone])
    test = 0.0 if "test" in kept.splits else asked.test
    chosen = {e.id: e.split for e in assign_splits(kept, val=asked.val, test=test, seed=asked.seed).entries}
    entries = [replace(entry, split=chosen.get(entry.id)) for entry in loaded.entries]
    save_split(replace(loaded, entries=entries), asked.split)  # type: ignore[arg-type]
    return left_out
