"""What a network costs on this machine: seconds and memory, measured, for one picture and for a batch."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class Cost:
    """Medians on this machine.

    `one_s`: answering for one picture. `batch_s`: for `batch` pictures at once. `train_s`: one training step with
    them. `answer_bytes`, `train_bytes`: the process's largest memory beyond what it had before the network was there
    (0 where the system does not tell).
    """

    batch: int
    one_s: float
    batch_s: float
    train_s: float
    answer_bytes: int
    train_bytes: int


def measure_cost(
    build: Callable[[], nn.Module], input_shape: tuple[int, int, int], batch: int = 8, seconds: float = 1.0
) -> Cost:
    """Build a network and time it; meant for a process of its own, since peak memory is a process's.

    Args:
        build: makes the network, with a classifier's outputs.
        input_shape: (C, H, W) of one picture.
        batch: pictures at once.
        seconds: about how long each of the three measurements goes on; three repeats at least.
    """
    before = _peak_bytes()
    network = build().to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    one = torch.randn(1, *input_shape)
    many = torch.randn(batch, *input_shape).contiguous(memory_format=torch.channels_last)
    network.eval()
    with torch.no_grad():
        one_s = _median(lambda: network(one), seconds)
        batch_s = _median(lambda: network(many), seconds)
    answer_bytes = _peak_bytes() - before
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    train_s = _median(lambda: _step(network, optimizer, many), seconds)
    return Cost(batch, one_s, batch_s, train_s, answer_bytes, _peak_bytes() - before)


def _step(network: nn.Module, optimizer: torch.optim.Optimizer, pictures: Tensor) -> None:
    output = network(pictures)
    logits = output if isinstance(output, Tensor) else output[0]
    targets = torch.zeros(len(logits), dtype=torch.long)
    nn.functional.cross_entropy(logits, targets).backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def _median(work: Callable[[], object], seconds: float) -> float:
    """Median duration after one warm-up."""
    work()
    taken: list[float] = []
    while len(taken) < 3 or sum(taken) < seconds:
        start = perf_counter()
        work()
        taken.append(perf_counter() - start)
    return statistics.median(taken)


def _peak_bytes() -> int:
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
