"""What the network sees of a picture and no more, for prediction: the same bytes as the centre of what is stored."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from anmok.core.preparation import Preparation, centre_crop, fit_picture


@dataclass(frozen=True)
class Seen:
    """A preparation of which only what the network sees is handed on: prediction needs no margin to crop from.

    The margin is made and cut away: weights that differ at a picture's edge would else make other bytes.
    """

    preparation: Preparation

    @property
    def at_least(self) -> int | None:
        """As the preparation's."""
        return self.preparation.at_least

    @property
    def shape(self) -> tuple[int, int, int]:
        """(size, size, channels)."""
        return self.preparation.size, self.preparation.size, self.preparation.channels

    def fitted(self, picture: Image.Image | np.ndarray, original: tuple[int, int]) -> np.ndarray:
        """A picture as `fit_picture` takes it → the centre of what it gives, uint8 (size, size, channels)."""
        return centre_crop(fit_picture(picture, self.preparation, original), self.preparation.size)
