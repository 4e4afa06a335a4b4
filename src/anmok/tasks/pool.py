"""A pool of pictures drawn earlier, so that a discriminator does not forget what it has already seen through.

After Shrivastava et al. (Learning from Simulated and Unsupervised Images through Adversarial Training, CVPR 2017), as
CycleGAN uses it: fifty pictures; each new one is handed on as it is, or changes places with an old one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from anmok.core.seeds import numpy_generator


class Pool:
    """At most `size` pictures; 0 hands every picture on.

    Its choices depend on `seed` and on how many pictures it has met, so a resumed run goes on as if never interrupted.
    """

    def __init__(self, size: int = 50, seed: int = 0) -> None:
        self.size, self.seed, self.met = size, seed, 0
        self.pictures: list[Tensor] = []

    def swap(self, pictures: Tensor) -> Tensor:
        """New pictures (N, C, H, W) → as many, new or old, without gradients.

        While there is room each is kept and handed on. After that, each is handed on (half the time), or kept in place
        of an old one, which is handed on instead.
        """
        handed = [self._one(picture) for picture in pictures.detach()]
        return torch.stack(handed)

    def _one(self, picture: Tensor) -> Tensor:
        self.met += 1
        if len(self.pictures) < self.size:
            self.pictures.append(picture.clone())
            return picture
        chance = numpy_generator(self.seed, "pool", self.met)
        if self.size == 0 or chance.random() < 0.5:
            return picture
        place = int(chance.integers(self.size))
        old, self.pictures[place] = self.pictures[place], picture.clone()
        return old

    def state(self) -> dict[str, Any]:
        """For the checkpoint: the pictures and how many were met."""
        return {"met": self.met, "pictures": list(self.pictures)}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
        self.met, self.pictures = int(state["met"]), list(state["pictures"])
