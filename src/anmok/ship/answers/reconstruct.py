"""Reconstruction: pictures (N, C, S, S) in [0, 1], and strangeness (N,) → pictures in the originals' own size, and
whether each is usual."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from anmok.core.preparation import in_own_size
from anmok.core.registry import register
from anmok.core.strangeness import Threshold, labelled
from anmok.core.types import Prediction
from anmok.ship.answers import Asked


@register("answers", name="reconstruct")
class RepeatedPictures:
    """Each picture as the network repeats it. Reads `usual`: a `Threshold` of strangeness, or None."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        usual = settings["usual"]
        self.threshold = None if usual is None else Threshold.from_json(usual)
        self.outputs = ("picture",) if self.threshold is None else ("picture", "strangeness")

    def __call__(
        self, outputs: Mapping[str, np.ndarray], pictures: Sequence[Asked], top: int | None = None
    ) -> Iterator[Prediction]:
        """See `anmok.ship.answers.Answers`."""
        values, scores = outputs["picture"], [None] * len(pictures)
        if self.threshold is not None:
            scores = outputs["strangeness"].tolist()
        if values.ndim != 4 or not len(values) == len(scores) == len(pictures):
            raise ValueError(f"pictures {values.shape} and {len(scores)} scores for {len(pictures)} asked")
        scaled = np.rint(np.clip(values.astype(np.float32), 0, 1) * 255).astype(np.uint8)
        for picture, pixels, score in zip(pictures, np.moveaxis(scaled, 1, 3), scores, strict=True):
            repeated = in_own_size(np.ascontiguousarray(pixels), picture.size)
            yield Prediction(picture.id, *labelled(self.threshold, score), picture=repeated)
