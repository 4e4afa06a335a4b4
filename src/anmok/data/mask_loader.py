"""Batches for segmentation: pictures and their class maps, moved alike."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from anmok.core.errors import UsageError
from anmok.core.preparation import centre_crop
from anmok.core.seeds import numpy_generator
from anmok.core.types import Batch
from anmok.data.augment import Augment
from anmok.data.loader import Loader, channels_first
from anmok.data.mosaic import drawn
from anmok.data.records import FILLS, Stored


@dataclass(frozen=True)
class MaskLoader(Loader):
    """`targets` of its batches: int64 (N, size, size), class ids, 255 = ignore: also where augmentation shows what lies
    outside a picture, which is the preparation's fill colour there.

    `extra["sizes"]`: int32 (N, 2), each original's height and width, where a batch is not augmented. With the plane
    "instances", `extra["instances"]`: int32 (N, size, size), 0 = no object.

    Its `source` is a `LabelledSource` with the plane "classes"; its own `targets` are not used.

    Args:
        calm: so many epochs pictures are mirrored and nothing else; `augment` comes after them.
    """

    calm: int = 0

    def __post_init__(self) -> None:
        if self.augment is not None and self.augment.mixup:
            raise UsageError("class maps are not blended", got=f"mixup={self.augment.mixup}", fix="mixup=0")

    def _batches(self, epoch: int, numbers: range) -> Iterator[Batch]:
        # Workers hand over bytes; 64 bits a pixel are made here.
        for batch in super()._batches(epoch, numbers):
            yield replace(batch, targets=batch.targets.long())

    def _batch(self, epoch: int, number: int) -> Batch:
        chosen = self._chosen(epoch, number)
        ids = [self.ids[row] for row in chosen]
        if self.augment is None:
            stored, _ = self.source.gather(self.rows[chosen], None)
            pixels = centre_crop(stored.pixels, self.size)
            planes = {name: centre_crop(mask[..., None], self.size)[..., 0] for name, mask in _planes(stored).items()}
            return self._packed(pixels, planes, ids, {"sizes": stored.sizes})
        augment = self.augment if epoch >= self.calm else _mirroring(self.augment)
        generator = numpy_generator(self.seed, "augment", epoch, number)
        layout = self.source.layout
        sides = (layout.preparation.store, self.size)
        shown, moves = drawn(augment, chosen, self.rows, self._turn(epoch), sides, generator)
        stored, _ = self.source.gather(self.rows[shown], generator)
        pixels = augment.recoloured(moves.pictures(stored.pixels, layout.preparation.fill), generator)
        planes = {name: moves.masks(mask, FILLS[name]) for name, mask in _planes(stored).items()}
        return self._packed(pixels, planes, ids, {})

    def _packed(
        self, pixels: np.ndarray, planes: dict[str, np.ndarray], ids: list[str], extra: dict[str, Any]
    ) -> Batch:
        if "instances" in planes:
            extra["instances"] = planes["instances"].astype(np.int32)
        targets = torch.from_numpy(np.ascontiguousarray(planes["classes"]))
        return Batch(channels_first(pixels), targets, ids, extra)


def _mirroring(augment: Augment) -> Augment:
    return Augment(flip=augment.flip, flip_vertical=augment.flip_vertical)


def _planes(stored: Stored) -> dict[str, np.ndarray]:
    planes = {"classes": stored.classes, "instances": stored.instances}
    return {name: mask for name, mask in planes.items() if mask is not None}
