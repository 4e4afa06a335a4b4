"""Batches depend on (seed, epoch, number) alone: not on where one starts, not on workers, not on losing them."""

import os
import signal

import numpy as np
import pytest
import torch

from anmok.core.types import Batch
from anmok.data.augment import Augment
from anmok.data.loader import Loader

N, STORE, SIZE = 23, 10, 8
PIXELS = np.random.default_rng(0).integers(0, 256, (N, STORE, STORE, 1), dtype=np.uint8)
BUSY = Augment(flip=True, shift=0.1, mixup=0.4)


class Memory:
    def gather(self, rows: np.ndarray) -> np.ndarray:
        return PIXELS[rows]


class KillsItsWorker(Memory):
    """Dies in the third batch, but only in a worker process."""

    def __init__(self) -> None:
        self.parent, self.calls = os.getpid(), 0

    def gather(self, rows: np.ndarray) -> np.ndarray:
        self.calls += 1
        if os.getpid() != self.parent and self.calls == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return PIXELS[rows]


def loader(augment: Augment | None = BUSY, workers: int = 0, source: object = None, seed: int = 1) -> Loader:
    ids = [f"{row}.png" for row in range(N)]
    return Loader(source or Memory(), np.arange(N), np.arange(N) % 3, ids, SIZE, 4, seed, augment, workers)  # type: ignore[arg-type]


def same(one: list[Batch], other: list[Batch]) -> bool:
    return len(one) == len(other) and all(
        a.ids == b.ids
        and torch.equal(a.pictures, b.pictures)
        and torch.equal(a.targets, b.targets)
        and a.extra.keys() == b.extra.keys()
        and all(np.array_equal(a.extra[key], b.extra[key]) for key in a.extra)
        for a, b in zip(one, other, strict=True)
    )


def test_starting_late_gives_the_same_batches() -> None:
    assert same(list(loader().epoch(2))[3:], list(loader().epoch(2, 3)))


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_nothing(workers: int) -> None:
    assert same(list(loader().epoch(1)), list(loader(workers=workers).epoch(1)))


def test_a_killed_worker_is_replaced_and_nothing_is_lost() -> None:
    with pytest.warns(UserWarning, match="worker"):
        found = list(loader(workers=1, source=KillsItsWorker()).epoch(0))
    assert same(found, list(loader().epoch(0)))


def test_training_shuffles_anew_each_epoch_and_drops_the_smaller_last_batch() -> None:
    first, second = ([name for batch in loader().epoch(e) for name in batch.ids] for e in (0, 1))
    assert len(first) == 20 == len(set(first)) and first != second
    assert len(loader()) == 5
    other = [name for batch in loader(seed=2).epoch(0) for name in batch.ids]
    assert other != first


def test_evaluation_sees_every_centre_in_order() -> None:
    batches = list(loader(augment=None).epoch(0))
    assert [name for batch in batches for name in batch.ids] == [f"{row}.png" for row in range(N)]
    pixels = torch.cat([batch.pictures for batch in batches]).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(pixels, PIXELS[:, 1:9, 1:9])
    assert len(loader(augment=None)) == 6


def test_fewer_pictures_than_a_batch_make_one_batch() -> None:
    few = Loader(Memory(), np.arange(3), np.zeros(3, np.int64), list("abc"), SIZE, 4, 0, Augment())  # type: ignore[arg-type]
    assert [len(batch) for batch in few.epoch(0)] == [3]
