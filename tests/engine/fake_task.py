"""A small task with everything the engine must carry: two stages of descent, the first of two phases, a solved one."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.seeds import numpy_generator
from anmok.core.task import Phase, Plan, Solve, Stage
from anmok.core.types import Batch
from anmok.engine.checkpoint import Checkpoints
from anmok.engine.devices import PlainDevices
from anmok.engine.loop import Options, Outcome, run
from anmok.engine.randomness import seed_everything
from anmok.engine.runfolder import RunFolder
from anmok.engine.tree import pack

SIZE, BATCH, PICTURES = 8, 16, 64


class RandomBatches:
    """Noise pictures in an order and with jitter that depend on (seed, epoch, number) alone."""

    def __init__(self, seed: int = 0, poison: tuple[int, int] | None = None, batch: int = BATCH) -> None:
        self.seed, self.poison, self.batch = seed, poison, batch
        generator = numpy_generator(seed, "pictures")
        self.pictures = generator.random((PICTURES, 3, SIZE, SIZE), dtype=np.float32)

    def __len__(self) -> int:
        return PICTURES // self.batch

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        order = numpy_generator(self.seed, "order", epoch).permutation(PICTURES)
        for number in range(start, len(self)):
            rows = order[number * self.batch : (number + 1) * self.batch]
            jitter = numpy_generator(self.seed, "jitter", epoch, number).random(dtype=np.float32)
            pictures = torch.from_numpy(self.pictures[rows] + jitter)
            if self.poison == (epoch, number):
                pictures[3, 0, 0, 0] = torch.nan
            targets = torch.from_numpy(rows % 2).long()
            yield Batch(pictures, targets, [f"pictures/{row:03d}.png" for row in rows])


class PairTask:
    """`pair`: a generator against a critic, the generator at every other step; `solve`: ridge; `tune`: one phase."""

    name = "pair"

    def __init__(self, *, epochs: int = 2, poison: tuple[int, int] | None = None, batch: int = BATCH, seed: int = 0):
        seed_everything(seed)
        self.epochs, self.batches = epochs, RandomBatches(seed, poison, batch)
        self.generator = nn.Sequential(
            nn.ConvTranspose2d(4, 6, 4, 4), nn.BatchNorm2d(6), nn.ReLU(), nn.Conv2d(6, 3, 3, padding=1)
        )
        self.critic = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU(), nn.Dropout2d(0.3), nn.Flatten(),
        )  # fmt: skip
        self.head = nn.Linear(6 * SIZE * SIZE, 2)
        self.ridge = np.zeros(3)
        self.pool: list[Tensor] = []

    def networks(self) -> Mapping[str, nn.Module]:
        return {"generator": self.generator, "critic": self.critic, "head": self.head}

    def stages(self) -> Sequence[Plan]:
        return [Plan("pair", self._pair), Plan("solve", self._solve), Plan("tune", self._tune)]

    def state(self) -> Mapping[str, Any]:
        return {"ridge": self.ridge, "pool": self.pool}

    def load_state(self, state: Mapping[str, Any]) -> None:
        self.ridge, self.pool = state["ridge"], list(state["pool"])

    def _answer(self, pictures: Tensor) -> Tensor:
        return self.head(self.critic(pictures))

    def _pair(self) -> Stage:
        critic = [*self.critic.parameters(), *self.head.parameters()]
        return Stage(
            name="pair",
            batches=self.batches,
            phases=[
                Phase("d", {"critic": self.critic, "head": self.head}, torch.optim.Adam(critic, 1e-3), self._loss_d),
                Phase(
                    "g",
                    {"generator": self.generator},
                    torch.optim.RMSprop(self.generator.parameters(), 1e-3, momentum=0.5),
                    self._loss_g,
                    schedule=lambda progress: 1 - progress,
                    every=2,
                ),
            ],
            epochs=self.epochs,
            evaluate=self._evaluate,
            monitor="loss",
            average=0.9,
        )

    def _fake(self, count: int) -> Tensor:
        scale = 0.5 + random.random() + float(np.random.rand())  # every global generator takes part
        return self.generator(torch.randn(count, 4, SIZE // 4, SIZE // 4) * scale)

    def _loss_d(self, batch: Batch) -> Mapping[str, Tensor]:
        fake = self._fake(len(batch)).detach()
        self.pool = [*self.pool, fake[:1]][-2:]
        real = self._answer(batch.pictures)
        loss = nn.functional.cross_entropy(real, batch.targets)
        wrong = nn.functional.softplus(self._answer(torch.cat([fake, *self.pool]))[:, 0]).mean()
        return {"loss": loss + wrong, "wrong": wrong}

    def _loss_g(self, batch: Batch) -> Mapping[str, Tensor]:
        return {"loss": nn.functional.softplus(-self._answer(self._fake(len(batch)))[:, 0]).mean()}

    def _evaluate(self) -> Mapping[str, float]:
        for network in self.networks().values():
            network.eval()
        with torch.no_grad():
            batch = next(self.batches.epoch(1000))
            return {"loss": float(nn.functional.cross_entropy(self._answer(batch.pictures), batch.targets))}

    def _solve(self) -> Solve:
        return Solve("solve", self._fit)

    def _fit(self) -> Mapping[str, float]:
        self.critic.eval()
        with torch.no_grad():
            features = self.critic(torch.from_numpy(self.batches.pictures)).double().numpy()[:, :3]
        target = np.arange(PICTURES) % 2
        self.ridge = np.linalg.solve(features.T @ features + np.eye(3), features.T @ target)
        return {"residual": float(np.abs(features @ self.ridge - target).mean())}

    def _tune(self) -> Stage:
        weights = [*self.critic.parameters(), *self.head.parameters()]
        torch.randn(3)  # building may draw from the generators
        optimizer = torch.optim.SGD(weights, 0.05, momentum=0.9)
        phase = Phase("tune", {"critic": self.critic, "head": self.head}, optimizer, self._loss_tune, clip=1.0)
        return Stage("tune", self.batches, [phase], epochs=self.epochs, evaluate=self._evaluate, patience=2)

    def _loss_tune(self, batch: Batch) -> Mapping[str, Tensor]:
        return {"loss": nn.functional.cross_entropy(self._answer(batch.pictures), batch.targets)}


def train(path: Path, *, resume: bool = False, task: PairTask | None = None, **options: Any) -> Outcome:
    """Run the fake task in `path` (made if it is not there), saving often."""
    path.mkdir(exist_ok=True)
    (path / "weights").mkdir(exist_ok=True)
    (path / "state").mkdir(exist_ok=True)
    chosen: dict[str, Any] = {
        "checkpoint_steps": 3, "checkpoint_share": 1e9, "sample_log": True, "forecast": False,
        "devices": PlainDevices("float32"),
    } | options  # fmt: skip
    return run(task or PairTask(), RunFolder(path), Options(resume=resume, **chosen))


def state_digest(state: Mapping[str, Any]) -> str:
    """SHA-256 over a checkpoint's bits: weights, optimizers, average, generators, position; not its times."""
    position = dict(state["position"])
    del position["seconds"]
    position["history"] = [{k: v for k, v in row.items() if k != "seconds"} for row in position["history"]]
    value, tensors = pack({**state, "position": position, "devices": None})
    digest = hashlib.sha256(repr(value).encode())
    for name, tensor in sorted(tensors.items()):
        digest.update(name.encode() + tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def fingerprint(path: Path) -> dict[str, str]:
    """Everything that two runs must agree on, bit for bit."""
    checkpoints = Checkpoints(path / "state")
    before, last = checkpoints.numbers()[-2:]
    files = {"best": path / "weights/best.safetensors", "last": path / "weights/last.safetensors"}
    files["samples"] = path / "state/samples.log"
    rows = [line.split(",") for line in (path / "results.csv").read_text().splitlines()]
    seconds = rows[0].index("seconds")
    return {
        "end": state_digest(checkpoints.read(last)),
        "optimizers": state_digest(checkpoints.read(before)),
        "results": repr([row[:seconds] + row[seconds + 1 :] for row in rows]),
    } | {name: hashlib.sha256(file.read_bytes()).hexdigest() for name, file in files.items()}


def in_child(work: Any) -> int:
    """Run `work()` in a forked process and return its exit status, as `os.waitstatus_to_exitcode` says it."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            work()
            status = 0
        except SystemExit as stop:
            status = int(stop.code or 0)
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
