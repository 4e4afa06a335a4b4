"""Photographs as a network that knows ImageNet sees them: what shows the same things has features alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from PIL import Image

from anmok.core.resizing import resize
from anmok.engine.devices import choose
from anmok.networks._embedded import EMBEDDED
from anmok.tasks.classify.frozen import Frozen
from anmok.tasks.classify.learning import Classify
from anmok.tasks.published import build_published

MOST = 10_000  # photographs; more would take minutes where no engine is installed
_SIDE = 128  # pixels that the network sees: enough to tell what is shown, in a third of the time of the weights' 224


def are_photographs(shape: Sequence[int], pictures: int) -> bool:
    """Whether a network's features are worth their time: stored pictures of this shape (S, S, C) are in colour, not
    tiny, and not too many."""
    return shape[-1] == 3 and shape[0] >= 64 and pictures <= MOST


class Photographs:
    """uint8 (n, S, S, 3) → features float32 (n, D), by the network whose weights are installed with anmok;
    it is built when it is first asked.

    Args:
        passes: how many photographs will be asked about in all; an engine answers for many, see `Frozen`.
    """

    def __init__(self, passes: int) -> None:
        self._passes = passes

    @cached_property
    def _frozen(self) -> Frozen:
        network, preparation, classes = build_published(EMBEDDED, "imagenet", imgsz=_SIDE)
        devices = choose()
        devices.place(network.eval())
        model = Classify(network, [str(number) for number in range(classes)], preparation, devices)
        return Frozen(model, self._passes)

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """What the network makes of whole photographs."""
        small = [resize(picture, (_SIDE, _SIDE), Image.Resampling.BILINEAR) for picture in pixels]
        return self._frozen(np.stack(small))[:, 0].astype(np.float32)
