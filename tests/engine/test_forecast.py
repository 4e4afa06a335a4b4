"""A forecast measures on the real networks and leaves no trace."""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch
from torch import Tensor, nn

from anmok.core.task import Phase, Plan, Stage
from anmok.core.types import Batch
from anmok.engine import planning
from anmok.engine.forecast import Forecast, forecast
from anmok.engine.planning import planned_steps
from anmok.engine.randomness import rng_state
from anmok.engine.tree import same


class SleepyTask:
    """Batch statistics, dropout, momentum and a growing pool: everything a trial could leave changed."""

    name = "sleepy"

    def __init__(self) -> None:
        self.net = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 2))
        self.net[1].eval()  # a frozen part
        self.optimizer = torch.optim.Adam(self.net.parameters())
        self.pool: list[int] = []
        self.stage = Stage(
            "only", self, [Phase("p", {"net": self.net}, self.optimizer, self._loss)], epochs=2, evaluate=self._evaluate
        )

    def __len__(self) -> int:
        return 50

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        for number in range(start, 50):
            yield Batch(torch.ones(3, 4) * number, None, ["a", "b", "c"])

    def networks(self) -> Mapping[str, nn.Module]:
        return {"net": self.net}

    def stages(self) -> Any:
        raise NotImplementedError

    def state(self) -> Mapping[str, Any]:
        return {"pool": self.pool}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.pool = list(state["pool"])

    def _loss(self, batch: Batch) -> Mapping[str, Tensor]:
        self.pool.append(len(self.pool))
        time.sleep(0.01)
        return {"loss": self.net(batch.pictures).square().mean()}

    def _evaluate(self) -> Mapping[str, float]:
        self.net.eval()
        time.sleep(0.05)
        return {"loss": 0.0}

    def step(self, batch: Batch, number: int) -> None:
        self.optimizer.zero_grad()
        self._loss(batch)["loss"].backward()
        self.optimizer.step()

    def everything(self) -> Any:
        networks = dict(self.net.state_dict())
        modes = [module.training for module in self.net.modules()]
        grads = [parameter.grad for parameter in self.net.parameters()]
        kept = {"net": networks, "optimizer": self.optimizer.state_dict(), "pool": self.pool, "rng": rng_state()}
        return {**kept, "modes": modes, "grads": grads}


@pytest.mark.parametrize("steps_before", [0, 3])
def test_no_trace_is_left(steps_before: int) -> None:
    task = SleepyTask()
    for number in range(steps_before):  # an optimizer that has a state already
        task.step(Batch(torch.ones(3, 4), None, ["a"]), number)
    task.optimizer.zero_grad()
    before = copy.deepcopy(task.everything())
    found = forecast(task.stage, task, task.step, device=torch.device("cpu"), steps=100, evaluate=True)
    assert same(before, task.everything())
    assert 0.01 <= found.seconds_per_step < 1 and 0.05 <= (found.seconds_evaluate or 0) < 1
    assert found.seconds_total == pytest.approx(100 * found.seconds_per_step + 2 * (found.seconds_evaluate or 0))
    assert found.bytes_peak > 50 << 20


def test_an_error_in_the_trial_leaves_no_trace_either() -> None:
    task = SleepyTask()
    before = copy.deepcopy(task.everything())

    def fails(batch: Batch, number: int) -> None:
        task.step(batch, number)
        if number == 1:
            raise MemoryError

    with pytest.raises(MemoryError):
        forecast(task.stage, task, fails, device=torch.device("cpu"), steps=100, evaluate=False)
    assert same(before, task.everything())


@pytest.mark.parametrize(
    "step, evaluate, seconds, epochs, expected",
    [
        (1.0, 0.0, 25.0, 9, 25),
        (1.0, 5.0, 25.0, 9, 15),  # 10 steps, evaluation, 5 steps, evaluation
        (1.0, 5.0, 33.0, 9, 20),  # two epochs; the 3 seconds left hold no further evaluation
        (1.0, None, 1000.0, 3, 30),  # epochs are an upper bound
        (1.0, 5.0, 2.0, 3, 1),  # at least one step
        (1.0, 5.0, -2.0, 3, 1),
    ],
)
def test_planned_steps_by_hand(step: float, evaluate: float | None, seconds: float, epochs: int, expected: int) -> None:
    assert planned_steps(Forecast(step, evaluate, 0.0, 0), seconds, 10, epochs) == expected


def test_a_time_budget_is_shared_by_weight(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 100 s of which 20 are gone, a stage of weight 1 before one of weight 0.6 plans with 80 · 0.93 / 1.6 s."""
    told: list[float] = []
    monkeypatch.setattr(planning, "planned_steps", lambda measured, seconds, batches, epochs: told.append(seconds) or 7)
    monkeypatch.setattr(planning, "forecast", lambda *args, **kwargs: Forecast(0.01, 0.0, 1.0, 0))
    task = SleepyTask()
    task.stages = lambda: [Plan("past", list), Plan("now", list), Plan("later", list, weight=0.6)]  # type: ignore
    position = SimpleNamespace(total=0, plan=1)
    session: Any = MagicMock(position=position, seconds=20.0, task=task, leading=False)
    session.options.time_s, session.devices.agree, session.devices.world = 100.0, lambda value: value, 1
    planning.plan_stage(task.stage, session, task.step)
    assert told == [pytest.approx(80 * 0.93 / 1.6)] and position.total == 7
