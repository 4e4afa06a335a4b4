"""Translation: pictures (N, C, S, S) from −1 to 1 → pictures in the originals' own size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from anmok.core.preparation import in_own_size
from anmok.core.registry import register
from anmok.core.types import Prediction
from anmok.ship.answers import Asked


@register("answers", name="translate")
class TranslatedPictures:
    """Each picture as the other domain would have it. Reads `told`: which way, in words."""

    outputs = ("picture",)

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.told = str(settings["told"])

    def __call__(
        self, outputs: Mapping[str, np.ndarray], pictures: Sequence[Asked], top: int | None = None
    ) -> Iterator[Prediction]:
        """See `anmok.ship.answers.Answers`."""
        values = outputs["picture"]
        if values.ndim != 4 or len(values) != len(pictures):
            raise ValueError(f"pictures {values.shape} for {len(pictures)} asked")
        scaled = np.rint(np.clip(values.astype(np.float32) * 127.5 + 127.5, 0, 255)).astype(np.uint8)
        for picture, pixels in zip(pictures, np.moveaxis(scaled, 1, 3), strict=True):
            yield Prediction(picture.id, picture=in_own_size(np.ascontiguousarray(pixels), picture.size))
