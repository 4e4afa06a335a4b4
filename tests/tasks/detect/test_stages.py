"""Detectors that learn in stages: each is checkpointed, a killed run ends with the same bits, and all verbs work."""

from __future__ import annotations

import csv
import hashlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import anmok
from anmok.core.errors import UsageError
from anmok.engine.callbacks import Quiet
from anmok.tasks._kind import to_inspect
from tests.contracts.tiny import detect as tiny

STAGES = {
    "rcnn": ["proposals", "fine-tune", "svm", "boxes"],
    "sppnet": ["proposals", "fine-tune", "svm", "boxes"],
    "fast_rcnn": ["proposals", "deltas", "fit"],
}
ALWAYS = {"task": "detect", "epochs": 1, "batch": 3, "val": 0.25, "test": 0.25, "sample_log": True}


class Killed(BaseException):
    """Not an `Exception`: nothing on the way may take it for something it can mend."""


class KilledIn(Quiet):
    """Killed when the stage of this number begins, so that it starts again from the one before."""

    def __init__(self, number: int) -> None:
        self.number = number

    def on_stage(self, name: str, number: int, stages: int) -> None:
        if number == self.number:
            raise Killed


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    torch.set_num_threads(1)
    patch = pytest.MonkeyPatch()
    patch.setenv("ANMOK_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield
    patch.undo()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.write(tmp_path_factory.mktemp("data") / "tiny")


@pytest.fixture(scope="module", params=list(STAGES))
def run(request: pytest.FixtureRequest, data: Path, tmp_path_factory: pytest.TempPathFactory) -> anmok.Run:
    return anmok.train(data, net=request.param, project=tmp_path_factory.mktemp("runs"), **ALWAYS)


def outcome(folder: Path) -> list[str]:
    newest = max(folder.glob("state/checkpoint-*.safetensors"))
    files = [*sorted(folder.glob("weights/*.safetensors")), newest, folder / "state/samples.log"]
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in files]


def rows(run: anmok.Run) -> list[dict[str, str]]:
    with (run.path / "results.csv").open() as file:
        return list(csv.DictReader(file))


def test_stages_run_in_the_papers_order_and_say_what_they_found(run: anmok.Run) -> None:
    net = run.card["recipe"]["network"]
    assert [row["stage"] for row in rows(run)] == STAGES[net]
    found = {row["stage"]: row for row in rows(run)}
    assert float(found["proposals"]["covered"]) == 1.0  # a bright square on dark ground is always proposed
    assert float(found[STAGES[net][-1]]["val_map"]) >= 0.0
    if "svm" in found:
        assert bool(run.network.svm.solved) and bool(run.network.ridge.solved)
        assert run.network.svm.weight.abs().sum() > 0 and float(found["svm"]["trainings"]) >= 2
    else:
        assert float(found["deltas"]["regions"]) > 0
        assert not torch.equal(run.network.roi_heads.stds[1], torch.tensor([0.1, 0.1, 0.2, 0.2]))


def test_killed_between_stages_it_ends_with_the_same_bits(run: anmok.Run, data: Path, tmp_path: Path) -> None:
    net = run.card["recipe"]["network"]
    number = {"rcnn": 3, "sppnet": 4, "fast_rcnn": 3}[net]  # before the SVMs, the box regression, the descent
    with pytest.raises(Killed):
        anmok.train(data, net=net, project=tmp_path, name="killed", callbacks=[KilledIn(number)], **ALWAYS)
    folder = tmp_path / "detect" / "killed"
    again = anmok.train(resume=folder)
    assert outcome(folder) == outcome(run.path)
    assert again.metrics == run.metrics


def test_it_answers_is_opened_again_and_explains_a_box(run: anmok.Run, data: Path, tmp_path: Path) -> None:
    wide = tmp_path / "wide.png"
    Image.linear_gradient("L").resize((37, 20)).convert("RGB").save(wide)
    opened = anmok.load(run.path)
    assert opened.evaluate().figures["map50"] == pytest.approx(run.metrics["test"]["map50"]["value"], nan_ok=True)
    opened.model.threshold = 0.0
    tiny.check_answer(opened.predict([wide])[0], (20, 37))
    found = opened.explain(data / "00.png", method="occlusion", box=1, verdict=False, out=tmp_path / "why.png")
    assert found.answer in run.classes and found.explanation.heat.shape == (32, 32)
    assert found.png.stat().st_size > 5000
    with pytest.raises(UsageError, match="no such box"):
        opened.explain(data / "00.png", method="occlusion", box=10_000, out=tmp_path / "none.png")


def test_its_layers_can_be_inspected(run: anmok.Run) -> None:
    found = anmok.anatomy(*to_inspect(run.model))
    learned = sum(weight.numel() for weight in run.network.parameters())
    assert found.parameters == learned and found.macs > 0


def test_it_is_shipped_with_its_search(run: anmok.Run, data: Path, tmp_path: Path) -> None:
    shipped = anmok.export(run.path, out=tmp_path / "x.anmok")  # raises where the file answers otherwise
    assert all(found.holds for found in shipped.parity.values())
    for ours, its in zip(run.predict(data / "00.png"), anmok.predict(shipped.path, data / "00.png"), strict=True):
        np.testing.assert_allclose(its.boxes, ours.boxes, atol=0.5)


def test_pictures_without_anything_have_no_proposals_and_no_answers(run: anmok.Run) -> None:
    flat = torch.from_numpy(np.full((2, 3, 32, 32), 90, np.uint8))
    assert [len(one["boxes"]) for one in run.model.found(flat, 0.0)] == [0, 0]
