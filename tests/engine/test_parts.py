"""The loop's small parts: averages, meters, signals, progress in words."""

from __future__ import annotations

import io
import os
import signal
import threading
from pathlib import Path

import pytest
import torch
from torch import nn

from anmok.core.errors import CheckpointError, TrainingError
from anmok.core.types import Batch
from anmok.engine.average import Average
from anmok.engine.callbacks import Progress, ProgressBar, spoken
from anmok.engine.meter import Meter
from anmok.engine.randomness import rng_state, untouched_rng
from anmok.engine.signals import Interrupted, Signals
from anmok.engine.tree import same

CPU = torch.device("cpu")


def test_average_holds_statistics_and_swaps_without_copying() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    average = Average([net, net[0]], 0.5)  # a network may appear twice
    with torch.no_grad():
        net[0].weight.fill_(4.0)
        net[1].running_mean.fill_(8.0)
    start, pointer = average._shadow[0].clone(), net[0].weight.data_ptr()
    average.update()  # the ramp: decay is min(0.5, 2 / 11)
    parameter = net[0].weight
    with pytest.raises(KeyError), average.in_place():
        assert torch.allclose(net[0].weight, start * 2 / 11 + 4.0 * 9 / 11)
        assert torch.allclose(net[1].running_mean, torch.full((2,), 8.0 * 9 / 11))
        raise KeyError  # an evaluation that fails
    assert net[0].weight is parameter and net[0].weight.data_ptr() == pointer and bool((parameter == 4.0).all())


def test_average_of_other_networks_is_refused() -> None:
    with pytest.raises(CheckpointError):
        Average([nn.Linear(2, 3)], 0.9).load_state(Average([nn.Linear(2, 2)], 0.9).state())


def batch(count: int) -> Batch:
    return Batch(torch.zeros(count, 1), None, [f"{number}.png" for number in range(count)])


def test_meter_weighs_by_batch_size() -> None:
    meter = Meter(CPU, Path("run"))
    meter.add("d_", {"loss": torch.tensor(1.0)}, batch(3), "")
    meter.add("d_", {"loss": torch.tensor(5.0)}, batch(1), "")
    meter.add("g_", {"loss": torch.tensor(2.0, dtype=torch.bfloat16)}, batch(3), "")
    assert meter.means() == {"d_loss": 2.0, "g_loss": 2.0}


def test_meter_of_a_card_looks_later_and_misses_nothing() -> None:
    meter = Meter(torch.device("cuda"), Path("run"))
    meter.add("", {"loss": torch.tensor(torch.nan)}, batch(2), "epoch 1")
    meter.add("", {"loss": torch.tensor(1.0)}, batch(2), "epoch 1")
    assert meter.means() == {}
    with pytest.raises(TrainingError, match=r"epoch 1.*loss = nan for the batch 0\.png, 1\.png"):
        meter.flush()


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_meter_counts_files_beyond_what_a_message_holds(value: float) -> None:
    with pytest.raises(TrainingError, match=r"63\.png and 36 more"):
        Meter(CPU, Path("run")).add("", {"loss": torch.tensor(value)}, batch(100), "")


def test_signals_wait_for_the_end_of_a_step() -> None:
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        assert signals.pending == signal.SIGTERM
        with pytest.raises(Interrupted, match="SIGTERM"):
            signals.check()
        with pytest.raises(Interrupted), signals.interruptible():
            pytest.fail("a pending signal must be noticed on entry")


def test_signals_strike_at_once_where_they_may() -> None:
    with Signals() as signals, pytest.raises(Interrupted, match="SIGINT"), signals.interruptible():
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("was not interrupted")


def test_a_second_ctrl_c_does_not_wait() -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), Signals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is before


def test_signals_in_another_thread_do_nothing() -> None:
    failures: list[BaseException] = []

    def work() -> None:
        try:
            with Signals() as signals, signals.interruptible():
                pass
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert failures == []


def test_generators_come_back() -> None:
    import random

    import numpy as np

    before = rng_state()
    with untouched_rng():
        torch.randn(3), random.random(), np.random.rand()
        assert not same(before, rng_state())
    assert same(before, rng_state())


@pytest.mark.parametrize(
    "seconds, words", [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (7325, "2 h 2 min")]
)
def test_spoken(seconds: float, words: str) -> None:
    assert spoken(seconds) == words


def test_progress_bar_off_a_terminal_writes_a_line_an_epoch(capsys: pytest.CaptureFixture[str]) -> None:
    bar = ProgressBar()
    bar.on_stage("pair", 1, 2)
    bar.on_step(Progress("pair", 1, 2, 1, 3, 5, 10, {"loss": 0.5}, 4.0))
    bar.on_epoch({"stage": "pair", "epoch": 1, "step": 10, "seconds": 75.0, "loss": 0.123456})
    bar.on_message("[see] this")
    bar.on_end(None)
    assert capsys.readouterr().err == "pair (1/2) epoch 1  loss 0.1235  1 min 15 s\n[see] this\n"


def test_progress_bar_on_a_terminal_shows_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    bar = ProgressBar()
    bar._console = Console(force_terminal=True, width=100, record=True, file=io.StringIO())
    bar.on_stage("train", 1, 1)
    bar.on_step(Progress("train", 1, 1, 2, 3, 5, 10, {"loss": 0.5}, 75.0))
    bar.on_end(None)
    text = bar._console.export_text()
    assert "train epoch 2/3" in text and "loss 0.5" in text and "1 min 15 s left" in text
