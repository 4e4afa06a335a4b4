"""Batches for detection: pictures, and the boxes of what is in them, moved alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from anmok.core.preparation import centre_crop
from anmok.core.seeds import numpy_generator
from anmok.core.targets import Objects
from anmok.core.types import Batch
from anmok.data.loader import Loader, channels_first
from anmok.data.mosaic import drawn
from anmok.data.moving import Moves

Found = dict[str, np.ndarray]


@dataclass(frozen=True)
class ObjectLoader(Loader):
    """`targets` of its batches: a list of N dicts of tensors: `boxes` float32 (M, 4), xyxy in pixels of the picture as
    the batch shows it, clipped to it; `labels` int64 (M,); `crowd` and `difficult` bool (M,); with `regions`, `masks`
    bool (M, size, size). An object is dropped only when it leaves the picture: see `anmok.data.moved_objects`.

    `extra["sizes"]`: int32 (N, 2), each original's height and width, where a batch is not augmented;
    `Preparation.geometry(size, seen=True).inverse()` leads from its boxes to the original's.

    Its `source` is a `LabelledSource`, its own `targets` are `Objects`, one a row.

    Args:
        regions: also draw the objects' regions.
        proposals: boxes of each row that move with its picture, `regions` float32 (R, 4) of its targets; see
            `anmok.data.proposals`.
    """

    regions: bool = False
    proposals: Sequence[Objects] | None = None

    def _batch(self, epoch: int, number: int) -> Batch:
        chosen = self._chosen(epoch, number)
        ids = [self.ids[row] for row in chosen]
        preparation = self.source.layout.preparation
        if self.augment is None:
            stored, placed = self.source.gather(self.rows[chosen], None)
            margin = (stored.pixels.shape[1] - self.size) // 2
            look = np.tile(np.array([[1.0, 0, margin], [0, 1, margin]]), (len(chosen), 1, 1))
            found = self._objects(Moves.whole(look, self.size), chosen, placed)
            pixels = centre_crop(stored.pixels, self.size)
            return Batch(channels_first(pixels), _tensors(found), ids, {"sizes": stored.sizes})
        generator = numpy_generator(self.seed, "augment", epoch, number)
        sides = (preparation.store, self.size)
        shown, moves = drawn(self.augment, chosen, self.rows, self._turn(epoch), sides, generator)
        stored, placed = self.source.gather(self.rows[shown], generator)
        pixels = self.augment.recoloured(moves.pictures(stored.pixels, preparation.fill), generator)
        found = self._objects(moves, shown, placed)
        if self.augment.mixup:
            pixels, found = _mixed(pixels, found, self.augment.mixup, generator)
        return Batch(channels_first(pixels), _tensors(found), ids)

    def _objects(self, moves: Moves, shown: np.ndarray, placed: np.ndarray) -> list[Found]:
        found = moves.objects([self.targets[row] for row in shown], list(placed), draw=self.regions)
        if self.proposals is not None:
            moved = moves.objects([self.proposals[row] for row in shown], list(placed))
            found = [{**own, "regions": other["boxes"]} for own, other in zip(found, moved, strict=True)]
        return found


def _mixed(
    pixels: np.ndarray, found: list[Found], alpha: float, generator: np.random.Generator
) -> tuple[np.ndarray, list[Found]]:
    """Each picture blended with another one of the batch; the objects of both are in it (YOLOX, arXiv:2107.08430)."""
    partner, weight = generator.permutation(len(pixels)), float(generator.beta(alpha, alpha))
    weight = max(weight, 1 - weight)
    blended = np.rint(weight * pixels.astype(np.float32) + (1 - weight) * pixels[partner]).astype(np.uint8)
    both = [
        own if k == other else {name: np.concatenate([own[name], found[other][name]]) for name in own}
        for k, (own, other) in enumerate(zip(found, partner.tolist(), strict=True))
    ]
    return blended, both


def _tensors(found: list[Found]) -> list[dict[str, Any]]:
    return [{name: torch.from_numpy(np.ascontiguousarray(part)) for name, part in one.items()} for one in found]
