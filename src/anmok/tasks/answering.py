"""Answers for pictures that nobody annotated: decoded as a network sees them, asked in batches, given in order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from anmok.core.asking import Ask, in_order
from anmok.core.pictures import Decoded
from anmok.core.preparation import Preparation
from anmok.core.seen import Seen
from anmok.core.types import Pictures, Prediction
from anmok.data.lasting_pool import lasting_pool


def answered(
    ask: Ask, preparation: Preparation, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str],
    batch: int,
) -> Iterator[Prediction]:  # fmt: skip
    """One prediction a picture, in order; `error` set where one cannot be read.

    Args:
        ask: answers at most `batch` pictures, each decoded to the bytes that a shipped model sees.
    """
    with lasting_pool(pictures, Seen(preparation)) as pool:
        decoded = zip(names, pool.map(locators), strict=True)
        while chunk := list(islice(decoded, batch)):
            yield from in_order(ask, chunk)


def stacked(pictures: Sequence[Decoded]) -> Tensor:
    """uint8 (N, C, S, S)."""
    return torch.from_numpy(np.stack([one.pixels for one in pictures])).permute(0, 3, 1, 2)
