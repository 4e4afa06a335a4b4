"""The quick form of `python -m tests.faults`, and proof that the harness would notice."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from anmok.core.types import Dataset
from tests.faults import judge, mutations, odd_beside, oddities, planted


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))


def test_mutations_are_refused_or_accounted_for(tmp_path: Path) -> None:
    tally = mutations.run(tmp_path / "data", 112, seed=1)
    assert tally.complaints == [] and tally.longest < judge.LONGEST
    assert tally.planted > 100 and sum(tally.outcomes.values()) == 112


def test_legal_oddities_are_read(tmp_path: Path) -> None:
    count, complaints = oddities.run(tmp_path)
    assert count >= 60 and complaints == []


def test_legal_oddities_of_boxes_masks_partners_and_archives_are_read(tmp_path: Path) -> None:
    count, complaints = odd_beside.run(tmp_path)
    assert count >= 25 and complaints == []


def test_planted_faults_are_found_and_named(tmp_path: Path) -> None:
    count, found, complaints = planted.run(tmp_path / "data")
    assert count >= 60 and found == count and complaints == []


def _drops_one(dataset: Dataset) -> Dataset:
    return replace(dataset, entries=list(dataset.entries)[1:], seen=dataset.seen - 1)


def _forgets_a_quarantine(dataset: Dataset) -> Dataset:
    return replace(dataset, quarantined=dataset.quarantined[1:], seen=dataset.seen - bool(dataset.quarantined))


def _swaps_labels(dataset: Dataset) -> Dataset:
    return replace(dataset, classes=dataset.classes[::-1])


def _says_no_fix(dataset: Dataset) -> Dataset:
    return replace(dataset, quarantined=tuple(replace(item, fix="") for item in dataset.quarantined))


def _sets_all_aside(dataset: Dataset) -> Dataset:
    raise judge.DataError("too hard", path=dataset.root, fix="give up")


def _crashes(dataset: Dataset) -> Dataset:
    raise KeyError("a bug")


def _writes(dataset: Dataset) -> Dataset:
    (dataset.root / "cache.bin").write_bytes(b"x")
    return dataset


@pytest.mark.parametrize(
    ("bug", "kind", "words"),
    [
        (_drops_one, "class_folders", "lost"),
        (_drops_one, "csv_pixels", "lost"),
        (_forgets_a_quarantine, "csv", "not set aside"),
        (_swaps_labels, "class_folders", "became"),
        (_says_no_fix, "csv", "does not say all"),
        (_sets_all_aside, "csv", "refused for nothing"),
        (_crashes, "idx", "traceback KeyError"),
        (_drops_one, "coco", "lost"),
        (_swaps_labels, "yolo", "holds"),
        (_forgets_a_quarantine, "voc", "not named"),
        (_drops_one, "masks", "lost"),
        (_writes, "class_folders", "the source was changed"),
    ],
)
def test_the_harness_notices_planted_bugs(
    bug: Callable[[Dataset], Dataset], kind: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = judge.load_data
    monkeypatch.setattr(judge, "load_data", lambda path: bug(honest(path)))
    told = []
    for number in range(12):
        root = tmp_path / str(number)
        ledger = mutations.build(root, kind, np.random.default_rng(number))
        if ledger.fatal is None:
            told += judge.judge(root, ledger)[0]
    assert any(words in line for line in told)
