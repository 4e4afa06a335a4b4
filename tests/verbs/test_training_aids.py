"""Aids of training: learning rate, augmentation sheet, balance, several seeds, TensorBoard."""

import copy
import hashlib
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import anmok
from anmok.cli import run as command
from anmok.core.errors import UsageError
from anmok.verbs import find_lr, tensorboard
from anmok.verbs.planning import new_plan
from anmok.verbs.terminal import Terminal
from anmok.verbs.train_settings import TrainSettings

QUICK = {"epochs": 1, "imgsz": 32, "val": 0.2, "test": 0.2}


def digest(run: "anmok.Run") -> str:
    return hashlib.sha256(run.folder.best.read_bytes()).hexdigest()


def test_the_choice_is_a_third_of_the_rate_with_the_smallest_loss() -> None:
    rates = [10.0**power for power in range(-5, 2)]
    assert find_lr.choose_rate(rates, [2.3, 2.2, 1.9, 1.2, 0.9, 1.5, 6.0]) == pytest.approx(0.033)


def test_finding_a_rate_changes_nothing_of_the_task(photographs: Path) -> None:
    torch.set_num_threads(1)
    plan = new_plan(str(photographs), TrainSettings.of(**QUICK, batch=8), Terminal(quiet=True))
    task = plan.learner()
    trial = plan.learner(copy.deepcopy(task.network))
    before = {name: value.clone() for name, value in task.network.state_dict().items()}
    torch.manual_seed(5)
    found = find_lr.find_rate(trial, steps=40)
    after_search = torch.rand(3)
    assert all(torch.equal(value, before[name]) for name, value in task.network.state_dict().items())
    assert all(weight.grad is None for weight in task.network.parameters())
    torch.manual_seed(5)
    assert torch.equal(after_search, torch.rand(3))
    assert found.rates == tuple(sorted(found.rates)) and found.rates[0] < found.choice < found.rates[-1]
    assert min(found.losses) < found.losses[0], "a rising rate teaches something before it destroys"


def test_a_found_rate_is_used_drawn_and_kept(photographs: Path, tmp_path: Path) -> None:
    run = anmok.train(photographs, project=tmp_path, find_lr=True, batch=8, **QUICK)
    with Image.open(run.path / "learning-rate.png") as curve:
        assert curve.size[0] > 500
    rate = run.card["recipe"]["learning_rate"]
    plain = anmok.train(photographs, project=tmp_path, lr=rate, batch=8, **QUICK)
    assert digest(run) == digest(plain), "nothing but the rate may differ"
    with pytest.raises(UsageError, match="given or found"):
        anmok.train(photographs, project=tmp_path, find_lr=True, lr=0.1)


def test_a_search_that_was_stopped_is_made_again(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = anmok.train(photographs, project=tmp_path, name="whole", find_lr=True, batch=8, **QUICK)
    with monkeypatch.context() as patch:
        patch.setattr("anmok.verbs.train.find_rate", _stopped)
        with pytest.raises(KeyboardInterrupt):
            anmok.train(photographs, project=tmp_path, name="half", find_lr=True, batch=8, **QUICK)
    half = anmok.train(resume=whole.path.parent / "half")
    assert half.card["found_rate"] == whole.card["found_rate"] == half.card["recipe"]["learning_rate"]
    assert half.card["weights_sha256"] == whole.card["weights_sha256"]


def _stopped(*_: object) -> None:
    raise KeyboardInterrupt


def test_the_sheet_shows_originals_and_what_training_sees(photographs: Path, tmp_path: Path) -> None:
    run = anmok.train(photographs, project=tmp_path, flip=True, colour=0.4, rotate=20, **QUICK)
    with Image.open(run.path / "augmentation.png") as opened:
        sheet = np.asarray(opened.convert("RGB")).astype(int)
    side = 96  # three times 32 pixels
    assert sheet.shape[0] == 6 * (side + 4) + 4
    first, second = sheet[4 : 4 + side, 4 : 4 + side], sheet[4 : 4 + side, 16 + side : 16 + 2 * side]
    assert first.std() > 5 and np.abs(first - second).mean() > 3


def test_uneven_classes_are_weighed_or_drawn_evenly(photographs: Path, tmp_path: Path) -> None:
    data = shutil.copytree(photographs, tmp_path / "uneven")
    for extra in sorted((data / "cat").iterdir())[4:]:
        extra.unlink()
    told = {}
    for how in (None, "none", "weights", "sampling"):
        run = anmok.train(data, project=tmp_path / "runs", balance=how, val=0.25, test=0.0, epochs=3, imgsz=32)
        # Not the best weights: with so few pictures these may be those of the first step, before anything is learned.
        told[how] = (run.card["recipe"]["balance"], hashlib.sha256(run.folder.last.read_bytes()).hexdigest())
        assert ("val_macro_recall" in run.folder.results.read_text()) == (told[how][0] != "none")
    assert told[None] == told["weights"]
    assert len({digest for _, digest in told.values()}) == 3


def test_several_seeds_share_a_split_and_tell_the_spread(
    photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = f"--project {tmp_path} --epochs 1 --imgsz 32 --test 0.3".split()
    arguments = ["train", str(photographs), *flags]
    assert command([*arguments, "--seeds", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    runs = [anmok.load(path) for path in found["runs"]]
    assert [run.path.name for run in runs] == [f"photos-seed{n}" for n in range(3)] and found["seeds"] == [0, 1, 2]
    assert len({(run.path / "split.csv").read_text() for run in runs}) == 1
    assert len({digest(run) for run in runs}) == 3
    values = [run.metrics["test"]["log_loss"]["value"] for run in runs]
    spread = found["figures"]["log_loss"]
    assert spread["values"] == values and spread["mean"] == pytest.approx(np.mean(values))
    assert spread["deviation"] == pytest.approx(np.std(values, ddof=1))
    assert [path.name for path in (tmp_path / "classify").glob("*.json")] == ["photos-seed0-to-photos-seed2.json"]
    assert command([*arguments, "--seeds", "0"]) == 2
    assert anmok.train_seeds(photographs, seeds=1, project=tmp_path, **QUICK).figures["accuracy"].deviation is None


def test_without_tensorboard_the_error_names_the_command(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tensorboard, "find_spec", lambda name: None)
    with pytest.raises(UsageError, match=r"pip install 'anmok\[tensorboard\]'"):
        anmok.train(photographs, project=tmp_path / "runs", tensorboard=True, **QUICK)
    assert not (tmp_path / "runs").exists()


@pytest.mark.skipif(find_spec("tensorboard") is None, reason="the extra anmok[tensorboard] is not installed")
def test_tensorboard_reads_back_what_results_hold(photographs: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    run = anmok.train(photographs, project=tmp_path, tensorboard=True, **{**QUICK, "epochs": 2})
    curves = EventAccumulator(str(run.path / "tensorboard")).Reload()
    points = curves.Scalars("fit/val_accuracy")
    rows = run.folder.results.read_text().splitlines()
    column = rows[0].split(",").index("val_accuracy")
    assert [point.step for point in points] == [1, 2]
    assert [point.value for point in points] == pytest.approx([float(row.split(",")[column]) for row in rows[1:]])
