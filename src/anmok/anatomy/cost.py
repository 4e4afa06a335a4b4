"""What a network costs on this machine: seconds and memory, measured, for one picture and for a batch."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import torch
from torch import Tensor, nn

REPEATS = 3  # at least, after one warm-up


@dataclass(frozen=True)
class Cost:
    """Medians on this machine.

    `one_s`: answering for one picture. `batch_s`: for `batch` pictures at once. `train_s`: one training step with
    them. `answer_bytes`, `train_bytes`: the process's largest memory beyond what it had before the network was there,
    weights included (0 where the system does not tell); on a graphics card the largest memory allocated there.
    """

    batch: int
    one_s: float
    batch_s: float
    train_s: float
    answer_bytes: int
    train_bytes: int


def measure_cost(
    build: Callable[[], nn.Module],
    input_shape: tuple[int, int, int],
    batch: int = 8,
    seconds: float = 1.0,
    *,
    device: torch.device | None = None,
    autocast: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> Cost:
    """Build a network and time it; meant for a process of its own, since peak memory is a process's.

    Weights and pictures lie channels last in memory. A training step is forward, cross entropy, backward and SGD with
    momentum.

    Args:
        build: makes the network, with a classifier's outputs, for pictures or for pixels.
        input_shape: (C, H, W) of one picture.
        batch: pictures at once.
        seconds: about how long each of the three measurements goes on; three repeats at least.
        device: where to compute; None: the CPU.
        autocast: the context of every forward pass, for a reduced precision.
    """
    device = device or torch.device("cpu")
    before = _peak_bytes(device)
    network = build().to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    many = torch.randn(batch, *input_shape, device=device).contiguous(memory_format=torch.channels_last)
    one = many[:1].clone(memory_format=torch.channels_last)

    def answer(pictures: Tensor) -> None:
        with torch.no_grad(), autocast():
            network(pictures)
        _wait(device)

    network.eval()
    one_s = _median(lambda: answer(one), seconds)
    batch_s = _median(lambda: answer(many), seconds)
    answer_bytes = _peak_bytes(device) - before
    network.train()
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    train_s = _median(lambda: _step(network, optimizer, many, autocast), seconds)
    return Cost(batch, one_s, batch_s, train_s, answer_bytes, _peak_bytes(device) - before)


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    pictures: Tensor,
    autocast: Callable[[], AbstractContextManager[Any]],
) -> None:
    with autocast():
        output = network(pictures)
        logits = output if isinstance(output, Tensor) else output[0]
        places = (len(logits), *logits.shape[2:])  # a class for every picture, or for every pixel
        targets = torch.zeros(places, dtype=torch.long, device=logits.device)
        loss = nn.functional.cross_entropy(logits, targets)
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
    _wait(pictures.device)


def _median(work: Callable[[], object], seconds: float) -> float:
    """Median duration after one warm-up."""
    work()
    taken: list[float] = []
    while len(taken) < REPEATS or sum(taken) < seconds:
        start = perf_counter()
        work()
        taken.append(perf_counter() - start)
    return statistics.median(taken)


def _wait(device: torch.device) -> None:
    """Graphics cards compute behind our back; a time is only true once they have finished."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _peak_bytes(device: torch.device) -> int:
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
