"""Uneven classes: rare ones weighed up in the loss, or drawn as often as common ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from anmok.core.seeds import numpy_generator
from anmok.data.loader import Loader

UNEVEN, VERY_UNEVEN = 3.0, 20.0  # times as many training pictures in the largest class as in the smallest


@dataclass(frozen=True)
class Balance:
    """How uneven the training pictures are, and what is done about it: `none`, `weights` or `sampling`.

    `counts`: training pictures of each class.
    """

    how: str
    counts: tuple[int, ...]

    @property
    def ratio(self) -> float:
        """The largest class over the smallest that has pictures; 1 where all are equal."""
        present = [count for count in self.counts if count]
        return max(present) / min(present) if present else 1.0

    @property
    def verdict(self) -> str:
        """The decision in words."""
        measured = f"the largest class has {self.ratio:.1f} times as many training pictures as the smallest"
        done = {
            "none": "all pictures count alike",
            "weights": "rare classes weigh more in the loss",
            "sampling": "every class is drawn equally often",
        }
        return f"{measured}: {done[self.how]} (--balance {self.how})"


def measure_balance(targets: np.ndarray, classes: int, asked: str | None = None) -> Balance:
    """Count the classes of the training pictures, and choose where nothing was asked.

    Up to 3 : 1 nothing is done; up to 20 : 1 the loss is weighed, which keeps every picture; beyond, single steps would
    leap where a rare picture turns up, so classes are drawn evenly instead.
    """
    counts = tuple(int(count) for count in np.bincount(targets, minlength=classes))
    measured = Balance("none", counts).ratio
    chosen = "none" if measured < UNEVEN else "weights" if measured < VERY_UNEVEN else "sampling"
    return Balance(asked or chosen, counts)


def class_weights(counts: Sequence[int]) -> list[float]:
    """Each class's weight in the loss: inverse to its pictures, and 1 on average over pictures.

    >>> class_weights([30, 10])   # 40 / (2 · 30), 40 / (2 · 10)
    [0.6666666666666666, 2.0]
    """
    present = sum(count > 0 for count in counts)
    return [sum(counts) / (present * count) if count else 0.0 for count in counts]


def even_order(targets: np.ndarray, seed: int, epoch: int) -> np.ndarray:
    """An epoch of as many places as there are pictures (N,) in which all classes are equally frequent.

    A rare class's pictures come round again and again, each as often as the next; of a common class every epoch sees
    another part.
    """
    generator = numpy_generator(seed, "even", epoch)
    present = np.unique(targets)
    shares = np.full(len(present), len(targets) // len(present))
    shares[generator.permutation(len(present))[: len(targets) % len(present)]] += 1
    drawn = []
    for number, share in zip(present, shares, strict=True):
        own = np.flatnonzero(targets == number)
        rounds = [generator.permutation(own) for _ in range(-(-int(share) // len(own)))]
        drawn.append(np.concatenate(rounds)[:share] if rounds else own[:0])
    return generator.permutation(np.concatenate(drawn))


@dataclass(frozen=True)
class EvenLoader(Loader):
    """A loader whose training epochs show every class equally often."""

    def _order(self, epoch: int) -> np.ndarray:
        if self.augment is None:
            return super()._order(epoch)
        known = self.__dict__.get("_drawn")  # one epoch's order serves all its batches
        if known is None or known[0] != epoch:
            known = (epoch, even_order(self.targets, self.seed, epoch))
            object.__setattr__(self, "_drawn", known)
        return known[1]
