"""Collapse and learning by heart are noticed while they happen; figures are the published formulas'."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torchmetrics.image.fid import _compute_fid
from torchmetrics.image.kid import poly_mmd

import anmok
from anmok.metrics.proportion import Interval
from anmok.tasks.generate.health import Alarms, Judged, Known, Look, look
from tests.tasks.generate.players import QUICK, patterns, players, write


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("data") / "patterns")


@pytest.mark.parametrize(
    ("pictures", "raised"),
    [(patterns(1, 5), ["collapse"]), (patterns(40, 0), ["memorisation", "collapse"]), (patterns(3000, 7), [])],
    ids=["always the same", "the few it was shown, again and again", "new ones"],
)
def test_alarms_are_raised_while_it_trains(pictures: np.ndarray, raised: list[str], data: Path, tmp_path: Path) -> None:
    epochs = 4
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ANMOK_CACHE", str(tmp_path / "cache"))
        run = anmok.train(data, network=players(pictures), project=tmp_path, epochs=epochs, **QUICK)
    alarms = run.card["health"]["alarms"]
    assert [alarm["kind"] for alarm in alarms] == raised
    assert all(alarm["epoch"] < epochs for alarm in alarms)  # before the run ended
    page = run.report.read_text(encoding="utf-8")
    assert ("which is collapse" in page) == ("collapse" in raised)
    assert ("by heart. Try" in page) == ("memorisation" in raised)
    assert run.metrics["test"]["copies"]["value"] == pytest.approx(float("memorisation" in raised), abs=0.1)


def features(count: int, seed: int, shift: float = 0.0) -> np.ndarray:
    return np.random.default_rng(seed).normal(shift, 1, (count, 10))


def test_figures_are_the_formulas_of_kid_and_fid() -> None:
    drawn, real = features(60, 1, 0.5), features(60, 2)
    found = look(drawn, Judged(tuple(map(str, range(60))), real), Known(np.arange(50), features(50, 3))).figures
    kid = poly_mmd(torch.from_numpy(real), torch.from_numpy(drawn), degree=3, gamma=None, coef=1.0)
    moments = [torch.from_numpy(part) for f in (real, drawn) for part in (f.mean(0), np.cov(f, rowvar=False))]
    assert found["kernel_distance"].value == pytest.approx(kid.item(), rel=1e-9)
    assert found["frechet_distance"].value == pytest.approx(_compute_fid(*moments).item(), rel=1e-3)
    assert found["kernel_distance"].low < found["kernel_distance"].value < found["kernel_distance"].high
    assert found["copies"].value == 0 and found["variety"].value == pytest.approx(1, abs=0.25)


def seen(variety: float, room: float) -> Look:
    figures = {
        name: Interval(value, np.nan, np.nan, 64) for name, value in (("variety", variety), ("elbow_room", room))
    }
    return Look(figures, np.zeros(0, bool))


def test_pictures_may_be_alike_before_anything_is_learned() -> None:
    alarms = Alarms()
    assert not any(alarms.watch(seen(0.05, 0.1), None, epoch, epoch / 100) for epoch in range(1, 25))
    assert alarms.watch(seen(0.05, 0.1), None, 25, 0.25) and not alarms.watch(seen(0.05, 0.1), None, 26, 0.26)
    fallen = Alarms()
    assert not fallen.watch(seen(0.9, 0.8), None, 1, 0.01) and not fallen.watch(seen(0.9, 0.1), None, 2, 0.02)
    again = Alarms(**fallen.to_json())  # as a resumed run takes it up
    assert "10%" in again.watch(seen(0.9, 0.1), None, 3, 0.03)[0]


def test_doubles_in_the_data_are_no_learning_by_heart() -> None:
    train, held_out = features(60, 1), features(40, 2)
    doubled = Known(np.arange(60), train, Interval(0.6, 0.44, 0.74, 40))
    plain = Known(np.arange(60), train, Interval(0.0, 0.0, 0.07, 40))
    drawn = np.concatenate([train[:30] + 1e-4, features(30, 3)])
    found = look(drawn, Judged(tuple(map(str, range(40))), held_out), plain)
    assert found.figures["copies"].value == 0.5
    assert Alarms().watch(found, plain, 1, 0.1) and not Alarms().watch(found, doubled, 1, 0.1)
