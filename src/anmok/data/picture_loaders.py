"""Batches whose targets are pictures: the clean one, the partner, or any picture of the other domain."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from anmok.core.errors import UsageError
from anmok.core.preparation import centre_crop
from anmok.core.seeds import numpy_generator
from anmok.core.types import Batch
from anmok.data.augment import mirrored, taking_turns
from anmok.data.loader import Loader, channels_first

Damage = Callable[[np.ndarray, np.random.Generator], np.ndarray]


@dataclass(frozen=True)
class PictureLoader(Loader):
    """`targets` of its batches: None, or where pictures are damaged on the way, the clean ones, uint8 as `pictures`.

    Its `source` is a plain `Source`; its own `targets` are not used.

    Args:
        damage: pictures uint8 (n, size, size, C) and a generator → as many that the network is to repair. Training
            damages anew in every epoch, evaluation always alike.
    """

    damage: Damage | None = None

    def __post_init__(self) -> None:
        if self.augment is not None and (self.augment.mosaic or self.augment.mixup):
            got = f"mosaic={self.augment.mosaic}, mixup={self.augment.mixup}"
            raise UsageError("pictures that are targets are not mixed", got=got, fix="mosaic=0 and mixup=0")

    def _batch(self, epoch: int, number: int) -> Batch:
        chosen = self._chosen(epoch, number)
        ids = [self.ids[row] for row in chosen]
        (pixels,) = self._views(self.rows[chosen], (self.source.gather(self.rows[chosen]),), epoch, number)
        if self.damage is None:
            return Batch(channels_first(pixels), None, ids)
        where = (epoch, number) if self.augment is not None else ("evaluation", number)
        damaged = self.damage(pixels, numpy_generator(self.seed, "damage", *where))
        return Batch(channels_first(damaged), channels_first(pixels), ids)

    def _views(
        self, rows: np.ndarray, stored: tuple[np.ndarray, ...], epoch: int, number: int, purpose: str = "augment"
    ) -> tuple[np.ndarray, ...]:
        """Stored pictures (n, store, store, C), all of one tuple moved alike; the first alone is recoloured."""
        if self.augment is None:
            return tuple(centre_crop(pixels, self.size) for pixels in stored)
        generator = numpy_generator(self.seed, purpose, epoch, number)
        n, store = stored[0].shape[:2]
        flipped = taking_turns(rows, self._turn(epoch)) if self.augment.flip else np.zeros(n, bool)
        if self.augment.keeps_places(store, self.size):
            first, *others = (mirrored(pixels, flipped) for pixels in stored)
        else:
            moves = self.augment.moves(n, store, self.size, generator, flipped)
            first, *others = (moves.pictures(pixels, None) for pixels in stored)
        return (self.augment.recoloured(first, generator), *others)


@dataclass(frozen=True)
class PairLoader(PictureLoader):
    """`targets` of its batches: each picture's partner, uint8 as `pictures`, moved by the same map.

    Args:
        partners: each entry's partner's row in `source`, int (N,).
    """

    partners: np.ndarray | None = None

    def _batch(self, epoch: int, number: int) -> Batch:
        chosen = self._chosen(epoch, number)
        assert self.partners is not None
        stored = self.source.gather(self.rows[chosen]), self.source.gather(self.partners[chosen])
        pictures, partners = self._views(self.rows[chosen], stored, epoch, number)
        return Batch(channels_first(pictures), channels_first(partners), [self.ids[row] for row in chosen])


@dataclass(frozen=True)
class UnpairedLoader(PictureLoader):
    """Pictures of one domain beside pictures of another. `targets`: uint8 as `pictures`, of the other domain.

    The two domains are shuffled independently, and moved independently. An epoch shows the larger domain once; the
    smaller one begins again, in a new order, as often as it takes. `extra["target_ids"]` names what `targets` shows.

    Args:
        others, other_ids: rows in `source` and ids of the other domain.
    """

    others: np.ndarray | None = None
    other_ids: Sequence[str] = ()

    def __len__(self) -> int:
        longer = max(len(self.rows), len(self.other_ids))
        return -(-longer // self.batch_size) if self.augment is None else max(1, longer // self.batch_size)

    def _batch(self, epoch: int, number: int) -> Batch:
        assert self.others is not None
        longer = max(len(self.rows), len(self.others))
        places = np.arange(number * self.batch_size, min((number + 1) * self.batch_size, longer))
        chosen = self._places("a", places, len(self.rows), epoch)
        other = self._places("b", places, len(self.others), epoch)
        rows, others = self.rows[chosen], self.others[other]
        (pictures,) = self._views(rows, (self.source.gather(rows),), epoch, number)
        (targets,) = self._views(others, (self.source.gather(others),), epoch, number, "augment other")
        extra = {"target_ids": [self.other_ids[row] for row in other]}
        return Batch(channels_first(pictures), channels_first(targets), [self.ids[row] for row in chosen], extra)

    def _places(self, domain: str, places: np.ndarray, count: int, epoch: int) -> np.ndarray:
        """Who stands at `places` of an endless order in which every one of `count` comes before any comes again."""
        if self.augment is None:
            return places % count
        first, last = places[0] // count, places[-1] // count
        rounds = [
            numpy_generator(self.seed, "order", domain, epoch, k).permutation(count) for k in range(first, last + 1)
        ]
        return np.concatenate(rounds)[places - first * count]
