"""Run by torchrun in `test_devices`: the fake task on two processes, each with its half of every batch."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import torch

from anmok.core.types import Batch
from anmok.engine.devices import choose
from anmok.engine.loop import Options, run
from anmok.engine.runfolder import RunFolder

from .fake_task import PairTask


def main() -> None:
    """Train this process's share and report what came of it."""
    torch.set_num_threads(1)
    path, resume = Path(sys.argv[1]), sys.argv[2] == "resume"
    devices = choose("cpu", "float32")
    devices.launch()
    task = PairTask()
    whole = task.batches.epoch

    def mine(epoch: int, start: int = 0) -> Iterator[Batch]:
        for batch in whole(epoch, start):
            part = slice(devices.rank, None, devices.world)
            yield replace(batch, pictures=batch.pictures[part], targets=batch.targets[part], ids=batch.ids[part])

    task.batches.epoch = mine  # type: ignore[method-assign]
    outcome = run(task, RunFolder(path), Options(resume=resume, devices=devices, sample_log=True))
    weights = {name: [p.double().sum().item() for p in net.parameters()] for name, net in task.networks().items()}
    report = {"world": devices.world, "steps": outcome.steps, "weights": weights, "history": outcome.history}
    (path / f"rank{devices.rank}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main()
