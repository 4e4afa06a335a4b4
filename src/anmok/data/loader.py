"""Batches that depend on (seed, epoch, number) and on nothing else.

The order of an epoch and every augmentation are drawn from generators made of those three numbers, so a run that was
killed and resumed sees the same batches, with any number of workers.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any, Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from anmok.core.child import end_without
from anmok.core.preparation import centre_crop
from anmok.core.seeds import numpy_generator
from anmok.core.types import Batch
from anmok.data.augment import Augment

HANGING_WORKER_SECONDS = 45
_Parts = tuple[np.ndarray, Any, Sequence[str], Mapping[str, Any]]  # a batch as plain arrays


class Source(Protocol):
    """Decoded pictures by row: what `anmok.data.cache.build` makes."""

    def gather(self, rows: np.ndarray) -> np.ndarray:
        """Pictures of `rows`: uint8 (n, store, store, channels)."""


@dataclass(frozen=True)
class Loader:
    """Batches of cached pictures for one split; implements `anmok.core.task.Batches`.

    Args:
        source: decoded pictures by row.
        rows: the split's rows in `source`.
        targets: one target per entry of `rows`: int64 class ids (N,), or zeros and ones, float32 (N, C), where
            pictures may show several classes. Loaders of other tasks say what theirs are.
        ids: one id per entry of `rows`.
        size: side in pixels of the pictures handed out, at most the stored side.
        batch_size: pictures in a batch; training drops the smaller last one, evaluation keeps it.
        augment: what training does to each picture; None hands out the centre, in order (evaluation, prediction).
        workers: processes that make batches ahead; 0 makes them in this process.
    """

    source: Any  # a `Source`
    rows: np.ndarray
    targets: Any
    ids: Sequence[str]
    size: int
    batch_size: int
    seed: int = 0
    augment: Augment | None = None
    workers: int = 0

    def __len__(self) -> int:
        if self.augment is None:
            return -(-len(self.rows) // self.batch_size)
        return max(1, len(self.rows) // self.batch_size)

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """Batches `start`, `start + 1`, … of `epoch`, in order. Pictures are uint8 (N, C, size, size)."""
        return self._batches(epoch, range(start, len(self)))

    def _batches(self, epoch: int, numbers: range) -> Iterator[Batch]:
        if not self.workers:
            return (self._batch(epoch, number) for number in numbers)
        return self._from_workers(epoch, numbers)

    def _batch(self, epoch: int, number: int) -> Batch:
        chosen = self._chosen(epoch, number)
        pixels = self.source.gather(self.rows[chosen])
        targets = torch.from_numpy(self.targets[chosen])
        ids = [self.ids[row] for row in chosen]
        if self.augment is None:
            return Batch(channels_first(centre_crop(pixels, self.size)), targets, ids)
        generator = numpy_generator(self.seed, "augment", epoch, number)
        pictures, extra = self.augment(pixels, self.size, generator, self._turn(epoch), self.rows[chosen])
        return Batch(channels_first(pictures), targets, ids, extra)

    def _chosen(self, epoch: int, number: int) -> np.ndarray:
        """Which of `rows` a batch shows."""
        return self._order(epoch)[number * self.batch_size : (number + 1) * self.batch_size]

    def _turn(self, epoch: int) -> int:
        """How often pictures have had their turn before: flips alternate with it."""
        return epoch

    def _order(self, epoch: int) -> np.ndarray:
        if self.augment is None:
            return np.arange(len(self.rows))
        return _permutation(self.seed, epoch, len(self.rows))

    def _from_workers(self, epoch: int, numbers: range) -> Iterator[Batch]:
        """The same batches made ahead by worker processes; a worker that dies or hangs is replaced by this process."""
        done = 0
        try:
            for parts in DataLoader(
                _Plans(self, epoch),
                sampler=list(numbers),
                batch_size=None,
                num_workers=self.workers,
                collate_fn=_as_is,
                timeout=HANGING_WORKER_SECONDS,
                worker_init_fn=partial(_start_worker, os.getpid()),
                generator=torch.Generator(),  # its own: drawing from the global one would change what dropout draws
            ):
                yield _unpack(parts)
                done += 1
        except RuntimeError as error:
            if "worker" not in str(error).lower():
                raise
            warnings.warn(f"a loading worker was lost ({error}); going on without workers", stacklevel=2)
            for number in numbers[done:]:
                yield self._batch(epoch, number)


@lru_cache(maxsize=2)
def _permutation(seed: int, epoch: int, length: int) -> np.ndarray:
    return numpy_generator(seed, "order", epoch).permutation(length)


def channels_first(pixels: np.ndarray) -> torch.Tensor:
    """Pixels (N, H, W, C) → a tensor (N, C, H, W), channels last in memory."""
    return torch.from_numpy(np.ascontiguousarray(pixels)).permute(0, 3, 1, 2)


def _start_worker(parent: int, number: int) -> None:
    """In a worker. torch watches whoever is the parent when it begins to watch: one that was killed a moment before, it
    would never miss, and the worker would stay."""
    end_without(parent)


class _Plans(Dataset[Any]):
    """A map-style data set whose items are whole batches, as plain arrays: nothing goes through shared memory."""

    def __init__(self, loader: Loader, epoch: int) -> None:
        self.loader, self.epoch = loader, epoch

    def __len__(self) -> int:
        return len(self.loader)

    def __getitem__(self, number: int) -> _Parts:
        batch = self.loader._batch(self.epoch, number)
        return batch.pictures.numpy(), _mapped(batch.targets, torch.Tensor, torch.Tensor.numpy), batch.ids, batch.extra


def _as_is(parts: Any) -> Any:
    return parts


def _unpack(parts: _Parts) -> Batch:
    pictures, targets, ids, extra = parts
    return Batch(torch.from_numpy(pictures), _mapped(targets, np.ndarray, torch.from_numpy), ids, extra)


def _mapped(targets: Any, kind: type, change: Callable[[Any], Any]) -> Any:
    """Targets with all of one kind in them changed, in lists and dicts as well."""
    if isinstance(targets, kind):
        return change(targets)
    if isinstance(targets, list):
        return [_mapped(part, kind, change) for part in targets]
    if isinstance(targets, dict):
        return {name: _mapped(part, kind, change) for name, part in targets.items()}
    return targets
