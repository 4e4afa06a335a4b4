"""How long a stage will take and how much memory it needs, measured before it starts."""

from __future__ import annotations

import copy
import math
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from time import perf_counter

import torch

from anmok.core.modes import keeping_modes
from anmok.core.task import Stage, Task
from anmok.core.types import Batch
from anmok.engine.randomness import untouched_rng
from anmok.engine.tree import same


@dataclass(frozen=True)
class Forecast:
    """A prediction for one stage.

    Args:
        seconds_per_step: of training, waiting for the batch included.
        seconds_evaluate: of one evaluation; None: not measured, and not part of the total.
        seconds_total: of the whole stage as planned.
        bytes_peak: largest memory of the process (of the graphics card, where one is used); 0 where unknown.
    """

    seconds_per_step: float
    seconds_evaluate: float | None
    seconds_total: float
    bytes_peak: int

    def seconds_of(self, steps: int, batches: int) -> float:
        """Seconds of so many steps, with an evaluation after every `batches` of them and at the end."""
        return steps * self.seconds_per_step + (self.seconds_evaluate or 0.0) * math.ceil(steps / max(1, batches))


def forecast(
    stage: Stage,
    task: Task,
    step: Callable[[Batch, int], None],
    *,
    device: torch.device,
    steps: int,
    evaluate: bool,
    fixed: bool = False,
) -> Forecast:
    """Run a few steps, and an evaluation if asked, then put everything back bit for bit.

    Args:
        stage: the stage about to begin.
        task: its task: networks and state are restored.
        step: trains on one batch at a step's number.
        device: where it computes.
        steps: planned for the stage.
        evaluate: measure one whole evaluation too.
        fixed: always measure the same number of steps (several processes must agree).
    """
    seconds_evaluate = None
    with _throwaway(stage, task), untouched_rng():
        batches = stage.batches.epoch(0)
        seconds_per_step = _measure(batches, step, device, steps, fixed)
        if evaluate and stage.evaluate is not None:
            start = perf_counter()
            stage.evaluate()
            seconds_evaluate = perf_counter() - start
    found = Forecast(seconds_per_step, seconds_evaluate, 0.0, peak_memory(device))
    return replace(found, seconds_total=found.seconds_of(steps, len(stage.batches)))


def _measure(
    batches: Iterator[Batch], step: Callable[[Batch, int], None], device: torch.device, steps: int, fixed: bool
) -> float:
    """Seconds a step: the first one warms up, then a few, at most about 2 seconds."""
    enough = 3 if fixed else min(10, max(2, steps // 200))
    number, start = 0, perf_counter()
    first = seconds = 0.0
    try:
        for number, batch in enumerate(batches):
            step(batch, number)
            _wait_for(device)
            if number == 0:
                first, start = perf_counter() - start, perf_counter()
                continue
            seconds = perf_counter() - start
            if number >= enough or (number >= 2 and seconds > 2.0 and not fixed):
                break
    finally:
        getattr(batches, "close", lambda: None)()
    return seconds / number if number else first


def _wait_for(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@contextmanager
def _throwaway(stage: Stage, task: Task) -> Iterator[None]:
    """Undo what training and evaluating change: weights, buffers, modes, optimizers, gradients, the task's state."""
    networks = {id(net): net for net in task.networks().values()}
    networks |= {id(net): net for phase in stage.phases for net in phase.networks.values()}
    tensors = [tensor for net in networks.values() for tensor in (*net.parameters(), *net.buffers())]
    copies = [tensor.detach().clone() for tensor in tensors]
    optimizers = [(phase.optimizer, copy.deepcopy(phase.optimizer.state_dict())) for phase in stage.phases]
    state = copy.deepcopy(dict(task.state()))
    try:
        with keeping_modes(*networks.values()):
            yield
    finally:
        with torch.no_grad():
            for tensor, kept in zip(tensors, copies, strict=True):
                tensor.copy_(kept)
        for optimizer, saved in optimizers:
            optimizer.zero_grad(set_to_none=True)
            optimizer.state.clear()
            optimizer.load_state_dict(saved)
        if not same(state, dict(task.state())):  # taking a state back may cost something: rebuilding a pool, say
            task.load_state(state)


def peak_memory(device: torch.device) -> int:
    """Bytes: the process's largest resident size so far, or the graphics card's largest allocation; 0 if unknown."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device))
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
