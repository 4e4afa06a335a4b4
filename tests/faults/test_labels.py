"""Mutations of tables of several labels: refused or accounted for, and what good rows say is kept."""

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest

from anmok.core.targets import Labels
from anmok.data.load import load_data
from tests.faults import labels
from tests.faults.judge import judge


@pytest.mark.parametrize("kind", labels.KINDS)
def test_every_row_is_used_or_named(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
    spoilt = 0
    for number in range(12):
        root = tmp_path / f"case{number}"
        ledger, shown = labels.build(root, kind, np.random.default_rng([7, number]))
        complaints, outcome, _ = judge(root, ledger)
        assert not complaints, (number, complaints, ledger.story)
        spoilt += len(ledger.bad)
        if outcome == "used" and kind != "packed":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                dataset = load_data(root)
            told = {entry.origin: entry.target for entry in dataset.entries}
            for (table, line), said in shown.items():
                target = told[f"{table}:{line}"]
                assert isinstance(target, Labels)
                assert {dataset.classes[at] for at in target.numbers} == said, (number, line)
        shutil.rmtree(root)
    assert spoilt > 20
