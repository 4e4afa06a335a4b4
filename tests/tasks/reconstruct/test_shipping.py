"""A shipped network repeats pictures as the run does, and finds the same ones strange."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import anmok
from anmok.cli import run as command
from anmok.core.errors import ParityError
from anmok.core.strangeness import UNUSUAL, USUAL, Threshold
from anmok.ship.artefact import Artefact, read_artefact, write_artefact
from anmok.ship.gate import compare
from anmok.tasks import _shipping as shipping

from .conftest import bars, save_all, with_squares

QUICK = {"task": "reconstruct", "epochs": 2, "batch": 16}


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two bars as they should be, and two with a square."""
    place = tmp_path_factory.mktemp("strange")
    return save_all(place, np.concatenate([bars(2, seed=5), with_squares(bars(2, seed=6))[0]]))


@pytest.mark.parametrize(
    ("net", "novelty"),
    [("conv_autoencoder", "reconstruction"), ("autoencoder", "patches"), ("vae", "code"), ("conv_vae", "code")],
)
def test_it_answers_as_the_run_does(net: str, novelty: str, folder: Path, strange: Path, tmp_path: Path) -> None:
    run = anmok.train(folder, project=tmp_path, net=net, novelty=novelty, **QUICK)
    made = anmok.export(run)
    assert set(made.parity) == {"odd pictures", "the run's val pictures"}
    expected, found = run.predict(strange), anmok.predict(made.path, strange)
    assert [one.labels for one in found] == [one.labels for one in expected]
    for one, other in zip(expected, found, strict=True):
        assert other.scores == pytest.approx(one.scores) and other.labels[0] in (USUAL, UNUSUAL)
        assert np.abs(other.picture.astype(int) - one.picture).max() <= 1


def test_what_repairs_judges_nothing(folder: Path, strange: Path, tmp_path: Path) -> None:
    run = anmok.train(folder, project=tmp_path, corrupt="noise:0.2", **QUICK)
    made = anmok.export(run)
    manifest = read_artefact(made.path).manifest
    assert manifest.outputs == ("picture",) and manifest.answers == {"usual": None}
    (one, *_), (other, *_) = run.predict(strange), anmok.predict(made.path, strange)
    assert one.labels is None and other.labels is None
    assert np.abs(other.picture.astype(int) - one.picture).max() <= 1


def test_another_idea_of_strange_is_caught(folder: Path, strange: Path, tmp_path: Path) -> None:
    """The pictures stay, the judgement changes: the gate compares both."""
    run = anmok.train(folder, project=tmp_path, **QUICK)
    artefact = read_artefact(anmok.export(run).path)
    usual = Threshold.from_json(artefact.manifest.answers["usual"])
    for name, planted in (
        ("all are strange", replace(usual, value=0.0)),
        ("ranks among others", replace(usual, scores=tuple(2 * score for score in usual.scores))),
    ):
        file = tmp_path / f"{name}.anmok"
        answers = {"usual": planted.to_json()}
        write_artefact(file, Artefact(replace(artefact.manifest, answers=answers), artefact.graph))
        parity = compare(run.predict(strange), anmok.predict(file, strange))
        assert parity.pictures == 4 and not parity.holds, name


def test_a_darker_picture_is_caught(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = anmok.train(folder, project=tmp_path, **QUICK)
    honest = shipping.to_onnx

    def darker(network, preparation, *others):
        return honest(network, replace(preparation, mean=tuple(mean + 0.1 for mean in preparation.mean)), *others)

    monkeypatch.setattr(shipping, "to_onnx", darker)
    with pytest.raises(ParityError):
        anmok.export(run)


def test_the_command_tells_without_torch(folder: Path, strange: Path, tmp_path: Path, capsys) -> None:
    run = anmok.train(folder, project=tmp_path, **QUICK)
    file = anmok.export(run).path
    capsys.readouterr()
    assert command(["predict", str(file), str(strange), "--json", "--quiet"]) in (0, None)
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [row["label"] for row in rows] == [one.labels[0] for one in run.predict(strange)]
