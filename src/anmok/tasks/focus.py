"""Show more often what the network is in doubt about.

After one pass most pictures are answered rightly and surely, and seeing them again moves the weights little. So the
first epoch shows every picture once, and each later one has rounds: a round shows the pictures the network was most in
doubt about when it last saw them, and some of all others, so that none is forgotten for long. (Selecting by loss:
Loshchilov & Hutter, 2015, arXiv:1511.06343; by doubt, which unlike the loss does not chase wrong labels: Chang et al.,
"Active Bias", 2017, arXiv:1704.07433; leaving out what is learned: Qin et al., "InfoBatch", 2024, arXiv:2303.04947.)
What was measured stands in docs/decisions/0004.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from anmok.core.seeds import numpy_generator
from anmok.core.types import Batch
from anmok.data.loader import Loader

FEWEST = 10_000  # training pictures from which it was measured to pay
ROUNDS = 3  # an epoch: each shows a third as many pictures as there are
DOUBTFUL = 0.6  # share of a round that goes to the most doubtful pictures; the rest is drawn from all others
_TRUST = 0.15  # what is left of a picture's weight when the network is certain of another class than its label's


def doubt(sure: np.ndarray) -> np.ndarray:
    """How much seeing a picture again would teach, from the probability (N,) its class had when last seen.

    Largest (0.65) at 0.35, where another class seems a little likelier; nothing at 1, where there is nothing to learn;
    0.3 at 0, where most wrong labels lie.

    >>> doubt(np.array([0.0, 0.35, 0.5, 0.9, 1.0])).round(3).tolist()
    [0.3, 0.65, 0.5, 0.1, 0.0]
    """
    return (1 - sure) * np.minimum(1.0, (sure + _TRUST) / 0.5)


class Focus:
    """What the network thought of each training picture.

    Attributes:
        sure: probability of its own class when last seen, float16 (N,); 0 until then.
        known: the same when the present round began: its order is drawn from these.
    """

    def __init__(self, pictures: int) -> None:
        self.sure = torch.zeros(pictures, dtype=torch.float16)
        self.known = self.sure.clone()

    @torch.no_grad()
    def learned(self, positions: np.ndarray, logits: Tensor, targets: Tensor) -> None:
        """Note what a batch's logits (n, classes) say of the pictures at `positions` (n,)."""
        own = logits.detach().float().softmax(1).gather(1, targets[:, None]).squeeze(1)
        self.sure[torch.from_numpy(positions)] = own.half().cpu()

    def begin_round(self) -> None:
        """From now on, the order follows what is known now."""
        self.known.copy_(self.sure)

    def order(self, count: int, generator: np.random.Generator) -> np.ndarray:
        """Positions (count,) of one round, shuffled: the most doubtful, and some of the others."""
        ranks = np.argsort(-doubt(self.known.float().numpy()), kind="stable")
        doubtful, others = np.split(ranks, [round(DOUBTFUL * count)])
        return generator.permutation(
            np.concatenate([doubtful, generator.choice(others, count - len(doubtful), replace=False)])
        )

    def state(self) -> Mapping[str, Any]:
        """For the checkpoint."""
        return {"sure": self.sure, "known": self.known}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.sure.copy_(state["sure"])
        self.known.copy_(state["known"])


@dataclass(frozen=True)
class Round:
    """A stretch of an epoch's batches, `first` and following, that show `order` (positions) at the same turn."""

    turn: int
    first: int
    order: np.ndarray


@dataclass(frozen=True)
class FocusedLoader(Loader):
    """A loader whose epochs after the first have rounds. `batch.extra["positions"]` says which pictures it shows.

    A batch follows from (seed, epoch, number) and from what `focus` knew when its round began, which checkpoints keep.
    """

    focus: Focus = field(default_factory=lambda: Focus(0))
    round: Round | None = None

    def epoch(self, epoch: int, start: int = 0) -> Iterator[Batch]:
        """As `Loader.epoch`; a round's order is drawn when its first batch is asked for."""
        if epoch == 0:
            yield from super().epoch(epoch, start)
            return
        length, rounds = len(self), min(ROUNDS, len(self))
        for part in range(rounds):
            first, end = length * part // rounds, length * (part + 1) // rounds
            if start >= end:
                continue
            if start <= first:  # else the run goes on inside this round, and its order is that of the checkpoint
                self.focus.begin_round()
            generator = numpy_generator(self.seed, "focus", epoch, part)
            order = self.focus.order(min((end - first) * self.batch_size, len(self.rows)), generator)
            current = Round(1 + (epoch - 1) * ROUNDS + part, first, order)
            yield from replace(self, round=current)._batches(epoch, range(max(first, start), end))

    def _batch(self, epoch: int, number: int) -> Batch:
        batch = super()._batch(epoch, number)
        return replace(batch, extra={**batch.extra, "positions": self._chosen(epoch, number)})

    def _chosen(self, epoch: int, number: int) -> np.ndarray:
        if self.round is None:
            return super()._chosen(epoch, number)
        first = (number - self.round.first) * self.batch_size
        return self.round.order[first : first + self.batch_size]

    def _turn(self, epoch: int) -> int:
        return epoch if self.round is None else self.round.turn
