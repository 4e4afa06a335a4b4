"""What a classifier starts from, and how its pictures are prepared for that: decided by a glance at some of them.

Nothing here imports torch, unless it is asked for weights other than those installed: pictures can be decoded while
torch is still being imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

import numpy as np

from anmok.core.errors import PictureError
from anmok.core.preparation import Preparation
from anmok.core.types import Dataset
from anmok.data.records import shape_of
from anmok.networks._embedded import EMBEDDED
from anmok.tasks.published import RANDOM, preparation_of, version_here

SMALL = 64  # pictures up to this side keep every pixel
SIDES = (32, 48, 64, 96, 128)  # larger ones are brought to one of these: a network from scratch learns little above
LOOKED_AT = 64  # pictures of which size and colour are learned before training
Shape = tuple[int, int, int]


class Wishes(Protocol):
    """What the person asked for."""

    @property
    def net(self) -> str:
        """A network's name, or "auto"."""

    @property
    def weights(self) -> str | None:
        """Published weights, "random", or None: as the pictures suggest."""

    @property
    def imgsz(self) -> int | None:
        """Side in pixels of what the network sees, or None: as the weights or the pictures suggest."""


def beginning(dataset: Dataset, asked: Wishes) -> tuple[tuple[str, str] | None, Preparation]:
    """What to start from (`starting_point`), and how pictures are prepared: as for the published weights, or else by
    their own sizes (`choose_preparation`)."""
    shapes = look(dataset)
    start = starting_point(shapes, asked)
    return start, choose_preparation(shapes, asked.imgsz) if start is None else preparation_of(*start, asked.imgsz)


def starting_point(shapes: Sequence[Shape], asked: Wishes) -> tuple[str, str] | None:
    """The network and the published weights to start from, or None to start from nothing.

    Photographs (colour, more than 64 pixels a side) start from the network whose weights are installed with anmok;
    another network from its published weights where `--weights` asks for them.
    """
    if asked.weights == RANDOM:
        return None
    if asked.net != "auto":
        return None if asked.weights is None else (asked.net, asked.weights)
    photographs = any(shape[2] == 3 for shape in shapes) and np.median([min(s[:2]) for s in shapes] or [0]) > SMALL
    return (EMBEDDED, asked.weights or version_here(EMBEDDED)) if photographs or asked.weights else None


def look(dataset: Dataset) -> list[Shape]:
    """Shapes (height, width, channels) of some pictures spread over the data set; unreadable ones are passed over."""
    shapes = []
    for entry in dataset.some(LOOKED_AT):
        with suppress(PictureError):
            shapes.append(shape_of(dataset.pictures, entry.locator))
    return shapes


def choose_preparation(shapes: Sequence[Shape], imgsz: int | None = None) -> Preparation:
    """Picture size and channels for a network trained from scratch.

    Small pictures of one square size stay as they are. Larger ones lose an eighth to random crops, as the classic
    resize 256, crop 224 does.
    """
    channels = max((shape[2] for shape in shapes), default=3)
    shorter = int(np.median([min(shape[:2]) for shape in shapes])) if shapes else SIDES[-1]
    square = {(shape[0], shape[1]) for shape in shapes} == {(shorter, shorter)}
    size = imgsz or (shorter if square and shorter <= SMALL else _side(shorter))
    store = size if square and size == shorter else round(size * 8 / 7)
    grey = (0.5,) * channels
    return Preparation(size=size, store=store, channels=channels, mean=grey, std=grey)


def _side(shorter: int) -> int:
    return max((side for side in SIDES if side <= shorter), default=SIDES[0])
