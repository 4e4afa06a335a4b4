"""What a data set of pictures holds: how many of each class in each split, and some to look at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from anmok.data.prepare_pictures import PreparedPictures

SHOWN = 6  # pictures of each class


def sorts_of(
    decoded: PreparedPictures,
) -> tuple[Mapping[str, Mapping[str, int]], Mapping[str, Sequence[Any]]]:
    """Pictures by class and split, and some training pictures of each; without classes, of all together."""
    dataset = decoded.dataset
    names = dataset.classes or ("pictures",)
    counts: dict[str, dict[str, int]] = {name: {} for name in names}
    samples: dict[str, list[Any]] = {name: [] for name in names}
    for entry, row in zip(dataset.entries, decoded.rows.tolist(), strict=True):
        name = names[entry.target] if dataset.classes else "pictures"
        counts[name][entry.split or ""] = counts[name].get(entry.split or "", 0) + 1
        if entry.split == "train" and len(samples[name]) < SHOWN:
            samples[name].append(decoded.source.gather(np.array([row]))[0])
    return counts, samples
