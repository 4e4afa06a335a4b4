"""What the loop does with a plan: order, intervals, schedules, stopping, saving, failing."""

from __future__ import annotations

import csv
import math
import os
import signal
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from anmok.core.errors import CheckpointError, DataError, RunBusyError, TrainingError, UsageError
from anmok.core.task import Phase, Plan, Solve, Stage
from anmok.core.types import Batch
from anmok.engine.callbacks import Progress, Quiet
from anmok.engine.checkpoint import Checkpoints
from anmok.engine.devices import PlainDevices
from anmok.engine.loop import Options, Outcome, run
from anmok.engine.runfolder import RunFolder
from anmok.engine.tensors import load_weights, read_tensors

from .fake_task import PairTask, train


class Numbers:
    """`length` batches of two pictures an epoch; every picture is 1."""

    def __init__(self, length: int = 4) -> None:
        self.length, self.drawn = length, list[tuple[int, int]]()

    def __len__(self) -> int:
        return self.length

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for number in range(start, self.length):
            self.drawn.append((epoch, number))
            yield Batch(torch.ones(2, 1, 1, 1), None, [f"{epoch}-{number}-a.png", f"{epoch}-{number}-b.png"])


class Scalar(nn.Module):
    """One weight, so that every step can be worked by hand."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(value))


class ScalarTask:
    """One stage of one phase on one weight: loss = w, so a step of SGD subtracts the learning rate."""

    name = "scalar"

    def __init__(self, figures: Sequence[float] = (), **changes: Any) -> None:
        self.net, self.batches = Scalar(), changes.pop("batches", Numbers())
        self.figures, self.changes, self.rates = list(figures), changes, list[float]()
        self.phase = changes.pop("phase", {})
        self.plans: list[Plan] = [Plan("only", self._stage)]

    def networks(self) -> Mapping[str, nn.Module]:
        return {"net": self.net}

    def stages(self) -> Sequence[Plan]:
        return self.plans

    def state(self) -> Mapping[str, Any]:
        return {}

    def load_state(self, state: Mapping[str, Any]) -> None:
        pass

    def _loss(self, batch: Batch) -> Mapping[str, Tensor]:
        return {"loss": self.net.w * batch.pictures.mean()}

    def _stage(self) -> Stage:
        optimizer = torch.optim.SGD(self.net.parameters(), lr=1.0)
        optimizer.register_step_post_hook(lambda o, *_: self.rates.append(o.param_groups[0]["lr"]))
        phase = {"name": "p", "networks": {"net": self.net}, "optimizer": optimizer, "loss": self._loss} | self.phase
        stage = {"name": "only", "batches": self.batches, "phases": [Phase(**phase)], "epochs": 2}
        if self.figures:
            figures = iter(self.figures)
            stage |= {"evaluate": lambda: {"score": next(figures)}, "monitor": "score", "mode": "max"}
        return Stage(**(stage | self.changes))


class Listener(Quiet):
    def __init__(self) -> None:
        self.stages: list[Any] = []
        self.rows: list[Mapping[str, Any]] = []
        self.messages: list[str] = []
        self.steps: list[Progress] = []
        self.ends: list[Outcome | None] = []

    def on_stage(self, name: str, number: int, stages: int) -> None:
        self.stages.append((name, number, stages))

    def on_step(self, progress: Progress) -> None:
        self.steps.append(progress)

    def on_epoch(self, row: Mapping[str, Any]) -> None:
        self.rows.append(row)

    def on_message(self, text: str) -> None:
        self.messages.append(text)

    def on_end(self, outcome: Outcome | None) -> None:
        self.ends.append(outcome)


def go(path: Path, task: Any, *callbacks: Any, **options: Any) -> Outcome:
    for folder in ("weights", "state"):
        (path / folder).mkdir(parents=True, exist_ok=True)
    chosen = {"forecast": False, "devices": PlainDevices("float32"), "checkpoint_share": 1e9} | options
    return run(task, RunFolder(path), Options(**chosen), callbacks)


def saved_weight(path: Path, which: str) -> float:
    return float(read_tensors(path / f"weights/{which}.safetensors")["net.w"])


def test_steps_by_hand(tmp_path: Path) -> None:
    task = ScalarTask()
    outcome = go(tmp_path, task)
    assert outcome.steps == 8 and outcome.stopped == "done" and task.net.w.item() == -8.0
    # Before step k the weight is -k: means over steps 0-3 and 4-7.
    assert [row["train_loss"] for row in outcome.history] == [-1.5, -5.5]
    assert task.batches.drawn == [(epoch, number) for epoch in (0, 1) for number in range(4)]
    assert saved_weight(tmp_path, "last") == saved_weight(tmp_path, "best") == -8.0


def test_schedule_is_a_function_of_progress(tmp_path: Path) -> None:
    task = ScalarTask(phase={"schedule": lambda progress: 1 - progress})
    go(tmp_path, task)
    assert task.rates == [1 - step / 8 for step in range(8)]


def test_every_and_the_order_of_phases(tmp_path: Path) -> None:
    order: list[str] = []

    class Two(ScalarTask):
        def _stage(self) -> Stage:
            phases = []
            for name, every in (("d", 1), ("g", 2), ("r", 3)):
                weights = Scalar()
                optimizer = torch.optim.SGD(weights.parameters(), lr=0.1)

                def loss(batch: Batch, name: str = name, weights: Scalar = weights) -> Mapping[str, Tensor]:
                    order.append(name)
                    return {"loss": weights.w * 1.0}

                phases.append(Phase(name, {name: weights}, optimizer, loss, every=every))
            return Stage("two", self.batches, phases, epochs=2)

    outcome = go(tmp_path, Two())
    expected = "".join("d" + ("g" if s % 2 == 0 else "") + ("r" if s % 3 == 0 else "") for s in range(8))
    assert "".join(order) == expected
    assert {"train_d_loss", "train_g_loss", "train_r_loss"} <= outcome.history[0].keys()


def test_phases_spare_each_others_weights(tmp_path: Path) -> None:
    """While one phase runs, weights that only others learn take no gradient; afterwards they may again."""
    task = PairTask()
    seen = []
    real = task._loss_g

    def loss(batch: Batch) -> Mapping[str, Tensor]:
        seen.append([weight.requires_grad for weight in task.critic.parameters()])
        return real(batch)

    task._loss_g = loss  # type: ignore[method-assign]
    train(tmp_path, task=task)
    assert seen and not any(map(any, seen))
    assert all(weight.requires_grad for net in task.networks().values() for weight in net.parameters())


def test_clipping(tmp_path: Path) -> None:
    task = ScalarTask(phase={"clip": 0.25})
    go(tmp_path, task)
    assert task.net.w.item() == pytest.approx(-8 * 0.25, rel=1e-5)


def test_best_weights_and_patience(tmp_path: Path) -> None:
    task = ScalarTask([0.1, 0.5, 0.4, 0.5, math.nan, 0.9], epochs=6, patience=3)
    outcome = go(tmp_path, task)
    assert outcome.stopped == "patience" and len(outcome.history) == 5  # 0.5 again is not better, NaN never is
    assert outcome.best is not None and outcome.best["epoch"] == 2
    assert saved_weight(tmp_path, "best") == -8.0 == task.net.w.item()
    assert saved_weight(tmp_path, "last") == -20.0


@pytest.mark.parametrize("mode, best", [("max", 2), ("min", 3)])
def test_monitor_mode(tmp_path: Path, mode: str, best: int) -> None:
    outcome = go(tmp_path, ScalarTask([0.3, 0.5, 0.1], epochs=3, mode=mode))
    assert outcome.best is not None and outcome.best["epoch"] == best


def test_figures_that_are_never_finite(tmp_path: Path) -> None:
    listener = Listener()
    go(tmp_path, ScalarTask([math.nan] * 2), listener)
    assert saved_weight(tmp_path, "best") == -8.0 and any("never finite" in text for text in listener.messages)


def test_evaluation_sees_averages_and_best_keeps_them(tmp_path: Path) -> None:
    seen: list[float] = []
    task = ScalarTask(average=0.5)

    def evaluate() -> dict[str, float]:
        seen.append(task.net.w.item())
        return {"score": len(seen)}

    task.changes |= {"evaluate": evaluate, "monitor": "score", "mode": "max"}
    go(tmp_path, task)
    average, by_hand = 0.0, []
    for step in range(1, 9):
        decay = min(0.5, (1 + step) / (10 + step))
        average = decay * average + (1 - decay) * -step
        by_hand.append(average)
    assert seen == pytest.approx([by_hand[3], by_hand[7]], rel=1e-5)
    assert saved_weight(tmp_path, "best") == task.net.w.item() == seen[1]


def test_without_a_monitor_the_last_weights_are_the_best_whatever_was_measured(tmp_path: Path) -> None:
    task = ScalarTask([1.0, 2.0])
    task.changes |= {"monitor": None}
    go(tmp_path, task)
    assert saved_weight(tmp_path, "best") == saved_weight(tmp_path, "last") == task.net.w.item() == -8.0


def test_a_phase_may_stay_out_of_the_average(tmp_path: Path) -> None:
    task, other = ScalarTask(average=0.5), Scalar()
    rival = Phase("rival", {"other": other}, torch.optim.SGD(other.parameters(), 1.0), lambda _: {"loss": other.w},
                  averaged=False)  # fmt: skip
    stage = task.stages()[0].build()
    assert isinstance(stage, Stage)
    seen: list[tuple[float, float]] = []

    def evaluate() -> dict[str, float]:
        seen.append((task.net.w.item(), other.w.item()))
        return {"score": 0.0}

    both = replace(stage, phases=[*stage.phases, rival], evaluate=evaluate, monitor="score")
    task.stages = lambda: [Plan("both", lambda: both)]  # type: ignore[method-assign]
    task.networks = lambda: {"net": task.net, "other": other}  # type: ignore[method-assign]
    go(tmp_path, task)
    assert [place for _, place in seen] == [-4.0, -8.0]  # where its steps took it
    assert seen[0][0] > -4 and seen[1][0] > -8  # the average lags behind


def test_modes_survive_an_evaluation(tmp_path: Path) -> None:
    task = PairTask()
    task.critic[1].eval()  # frozen statistics, as when fine-tuning
    modes: list[bool] = []
    real = task._loss_tune
    task.critic.train = lambda mode=True: nn.Sequential.train(task.critic, mode) and task.critic  # type: ignore
    task._loss_tune = lambda batch: modes.append(task.critic[3].training) or real(batch)  # type: ignore
    train(tmp_path, task=task)
    assert modes and all(modes)


def test_results_csv(tmp_path: Path) -> None:
    outcome = train(tmp_path)
    rows = list(csv.DictReader((tmp_path / "results.csv").open()))
    assert [(row["stage"], row["epoch"], row["step"]) for row in rows] == [
        ("pair", "1", "4"), ("pair", "2", "8"), ("solve", "0", "0"), ("tune", "1", "4"), ("tune", "2", "8"),
    ]  # fmt: skip
    assert float(rows[3]["train_loss"]) == outcome.history[3]["train_loss"] and rows[0]["residual"] == ""
    assert [float(row["seconds"]) for row in rows] == sorted(float(row["seconds"]) for row in rows)


def test_results_are_made_again_from_the_checkpoint(tmp_path: Path) -> None:
    """A process may die between its last checkpoint and results.csv."""
    train(tmp_path)
    results = tmp_path / "results.csv"
    whole = results.read_text()
    results.write_text("torn")
    train(tmp_path, resume=True)
    assert results.read_text() == whole


def test_listeners(tmp_path: Path) -> None:
    listener = Listener()
    outcome = train(tmp_path / "a")
    go(tmp_path / "b", PairTask(), listener)
    assert listener.stages == [("pair", 1, 3), ("solve", 2, 3), ("tune", 3, 3)]
    assert len(listener.rows) == len(outcome.history) == 5 and listener.ends[0] is not None
    assert len(listener.steps) < 16  # at most a few a second


def test_sample_log(tmp_path: Path) -> None:
    train(tmp_path)
    lines = (tmp_path / "state/samples.log").read_text().splitlines()
    places = [tuple(line.split()[:4]) for line in lines]
    assert places == [(stage, str(e), str(n), "16") for stage in ("pair", "tune") for e in (0, 1) for n in range(4)]
    assert len({line.split()[4] for line in lines[:8]}) == 8  # the pictures' order differs from epoch to epoch


def test_solve_only(tmp_path: Path) -> None:
    task = ScalarTask()

    def solve() -> Mapping[str, float]:
        with torch.no_grad():
            task.net.w.fill_(3.0)
        return {"residual": 0.5}

    task.plans = [Plan("svm", lambda: Solve("svm", solve))]
    outcome = go(tmp_path, task)
    assert outcome.best is not None and outcome.best["residual"] == 0.5 and saved_weight(tmp_path, "best") == 3.0


def test_second_stage_starts_from_the_first_ones_best(tmp_path: Path) -> None:
    task, starts = ScalarTask([0.9, 0.1]), []

    def second() -> Stage:
        starts.append(task.net.w.item())
        return task._stage()

    task.plans.append(Plan("second", second))
    task.figures = [0.9, 0.1]
    go(tmp_path, task)
    assert starts == [-4.0]


# Failing


@pytest.mark.parametrize("place", [(0, 2), (1, 1)])
def test_nan_names_the_files_and_keeps_the_last_good_state(tmp_path: Path, place: tuple[int, int]) -> None:
    with pytest.raises(TrainingError) as caught:
        train(tmp_path, task=PairTask(poison=place))
    order = list(PairTask().batches.epoch(place[0]))[place[1]].ids
    message = str(caught.value)
    assert all(name in message for name in order) and f"epoch {place[0] + 1}" in message
    assert message.index(order[3]) == min(message.index(name) for name in order)  # the poisoned one comes first
    state = Checkpoints(tmp_path / "state").load()
    assert state is not None
    for network in state["networks"].values():
        assert all(bool(torch.isfinite(tensor).all()) for tensor in network["state"].values())
    best = tmp_path / "weights/best.safetensors"
    assert not best.exists() or all(bool(torch.isfinite(tensor).all()) for tensor in read_tensors(best).values())


def test_nan_weights_are_never_saved(tmp_path: Path) -> None:
    """A finite loss can leave NaN weights behind; a save right then must notice."""
    task = ScalarTask()
    task._loss = lambda batch: {"loss": (task.net.w * 0).sqrt() * task.net.w}  # type: ignore  # 0 with slope NaN
    with pytest.raises(TrainingError, match="no longer finite"):
        go(tmp_path, task, checkpoint_steps=1)
    state = Checkpoints(tmp_path / "state").load()
    assert state is not None and float(state["networks"]["net"]["state"]["w"]) == 0.0
    assert not (tmp_path / "weights/best.safetensors").exists()


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: 1 TB")])
def test_memory_exhausted(tmp_path: Path, error: Exception) -> None:
    task = ScalarTask()
    real = task._loss

    def loss(batch: Batch) -> Mapping[str, Tensor]:
        if batch.ids[0].startswith("1-2"):
            raise error
        return real(batch)

    task._loss = loss  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"smaller batch.*resume"):
        go(tmp_path, task)
    go(tmp_path, ScalarTask(), resume=True)
    assert saved_weight(tmp_path, "last") == -8.0


def test_resume_with_a_smaller_batch(tmp_path: Path) -> None:
    task = ScalarTask(epochs=3)
    real = task.batches.epoch
    task.batches.epoch = lambda epoch, start=0: _failing(real(epoch, start), epoch == 1)  # type: ignore
    with pytest.raises(TrainingError):
        go(tmp_path, task, checkpoint_steps=1)
    listener = Listener()
    again = ScalarTask(epochs=3, batches=Numbers(8))
    outcome = go(tmp_path, again, listener, resume=True)
    assert again.batches.drawn == [(epoch, number) for epoch in (1, 2) for number in range(8)]
    assert outcome.history[-1]["step"] == 24 and any("epoch 2 begins again" in text for text in listener.messages)


def _failing(batches: Iterator[Batch], fails: bool) -> Iterator[Batch]:
    for number, batch in enumerate(batches):
        if fails and number == 2:
            raise MemoryError
        yield batch


def test_other_errors_pass_through(tmp_path: Path) -> None:
    task = ScalarTask()
    task._loss = lambda batch: {"loss": 1 / 0}  # type: ignore
    listener = Listener()
    with pytest.raises(ZeroDivisionError):
        go(tmp_path, task, listener)
    assert listener.ends == [None]
    assert not (tmp_path / "state/lock.json").exists()


def test_impossible_stages(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing to learn from"):
        go(tmp_path / "a", ScalarTask(batches=Numbers(0)))
    with pytest.raises(UsageError, match=r"monitor 'accuracy'.*score"):
        go(tmp_path / "b", ScalarTask([0.5], monitor="accuracy"))
    task = ScalarTask()
    task._loss = lambda batch: {"total": task.net.w}  # type: ignore
    with pytest.raises(UsageError, match="no 'loss'"):
        go(tmp_path / "c", task)


def test_a_busy_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with RunFolder(tmp_path).lock(), pytest.raises(RunBusyError, match=str(os.getpid())):
        go(tmp_path, ScalarTask())


def test_a_folder_that_holds_a_run_is_not_begun_again(tmp_path: Path) -> None:
    go(tmp_path, ScalarTask())
    with pytest.raises(UsageError, match="already holds a run"):
        go(tmp_path, ScalarTask())
    assert saved_weight(tmp_path, "last") == -8.0


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    go(tmp_path, ScalarTask())
    other = ScalarTask()
    other.net.v = nn.Parameter(torch.zeros(2))
    with pytest.raises(CheckpointError, match=r"net\.v is missing"):
        go(tmp_path, other, resume=True)


def test_damaged_best_weights_are_replaced_by_the_last(tmp_path: Path) -> None:
    task, listener = ScalarTask(epochs=2), Listener()

    def evaluate() -> dict[str, float]:
        best = tmp_path / "weights/best.safetensors"
        if best.exists():
            best.write_bytes(best.read_bytes()[:-1] + b"\xff")
        return {"score": 1.0}

    task.changes |= {"evaluate": evaluate, "monitor": "score", "mode": "max"}
    go(tmp_path, task, listener)
    assert any("cannot be read back" in text for text in listener.messages)
    assert task.net.w.item() == -8.0
    load_weights(tmp_path / "weights/best.safetensors", task.networks())  # what is there fits what is in memory
    assert task.net.w.item() == -8.0


# Signals


@pytest.mark.parametrize("number, raised", [(signal.SIGTERM, SystemExit), (signal.SIGINT, KeyboardInterrupt)])
@pytest.mark.parametrize("during", ["loss", "evaluate"])
def test_signals_save_first(tmp_path: Path, number: signal.Signals, raised: type, during: str) -> None:
    before = signal.getsignal(number)
    task, listener = ScalarTask([0.1, 0.2]), Listener()
    real, calls = task._loss, [0]

    def loss(batch: Batch) -> Mapping[str, Tensor]:
        calls[0] += 1
        if during == "loss" and calls[0] == 6:
            os.kill(os.getpid(), number)
        return real(batch)

    def evaluate() -> dict[str, float]:
        if during == "evaluate":
            os.kill(os.getpid(), number)
        return {"score": 0.1}

    task._loss = loss  # type: ignore[method-assign]
    task.changes |= {"evaluate": evaluate}
    with pytest.raises(raised) as caught:
        go(tmp_path, task, listener, checkpoint_share=0.0)
    assert raised is KeyboardInterrupt or caught.value.code == 143
    assert any(f"--resume {tmp_path}" in text for text in listener.messages)
    state = Checkpoints(tmp_path / "state").load()
    assert state is not None and state["position"]["steps"] == (6 if during == "loss" else 4)
    assert signal.getsignal(number) is before
    outcome = go(tmp_path, ScalarTask([0.1, 0.2]), resume=True)
    assert [row["train_loss"] for row in outcome.history] == [-1.5, -5.5]


# Time


def test_time_budget_plans_steps_and_schedules_end_in_time(tmp_path: Path) -> None:
    task = slow_task(0.02, epochs=1000, phase={"schedule": lambda progress: 1 - progress})
    outcome = go(tmp_path, task, time_s=1.0)
    assert outcome.forecast is not None and outcome.forecast.seconds_per_step >= 0.02
    assert 5 <= outcome.steps <= 50 and outcome.seconds < 10
    if outcome.stopped == "done":
        assert task.rates[-1] == pytest.approx(1 / outcome.steps)


def test_a_resumed_run_keeps_its_plan(tmp_path: Path) -> None:
    task = slow_task(0.01, epochs=1000)
    real, calls = task._loss, [0]

    def loss(batch: Batch) -> Mapping[str, Tensor]:
        calls[0] += 1
        if calls[0] == 7:
            raise ZeroDivisionError
        return real(batch)

    task._loss = loss  # type: ignore[method-assign]
    with pytest.raises(ZeroDivisionError):
        go(tmp_path, task, time_s=1.0)
    planned = Checkpoints(tmp_path / "state").load()["position"]["total"]  # type: ignore[index]
    outcome = go(tmp_path, slow_task(0.0, epochs=1000), resume=True, time_s=60.0)
    assert outcome.steps == planned > 1


def test_time_budget_stops_what_overruns(tmp_path: Path) -> None:
    task = slow_task(0.002, epochs=1000, later=0.1)
    outcome = go(tmp_path, task, time_s=1.0)
    assert outcome.stopped == "time" and outcome.seconds < 10
    assert (tmp_path / "weights/best.safetensors").exists()


def slow_task(seconds: float, later: float | None = None, **changes: Any) -> ScalarTask:
    import time

    task, calls = ScalarTask([0.1] * 1000, **changes), [0]
    real = task._loss

    def loss(batch: Batch) -> Mapping[str, Tensor]:
        calls[0] += 1
        time.sleep(seconds if later is None or calls[0] < 8 else later)
        return real(batch)

    task._loss = loss  # type: ignore[method-assign]
    return task


def test_parts_account_for_the_run(tmp_path: Path) -> None:
    outcome = go(tmp_path, slow_task(0.01), forecast=True)
    assert sum(outcome.parts.values()) == pytest.approx(outcome.seconds, rel=0.05)
    assert outcome.parts["compute"] >= 8 * 0.01 and outcome.parts["forecast"] >= 3 * 0.01
