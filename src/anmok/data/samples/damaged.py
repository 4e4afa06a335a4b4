"""Garments with their clean selves as partners: what a data set of pairs looks like, for repair that is learned."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anmok.core.seeds import numpy_generator
from anmok.core.targets import Partner
from anmok.core.types import Dataset, Entry
from anmok.data.samples.garments import garments
from anmok.data.stores import ArrayPictures

SEED = 20170825


def damaged(kind: str, seed: int = SEED) -> Dataset:
    """All bundled garments, damaged once for good as `anmok.data.corrupt` does it; targets are the clean pictures.

    Args:
        kind: of damage: "noise", "boxes", "strokes" …, with or without a strength ("noise:0.2").
    """
    from anmok.data.corrupt import corrupt  # torch is not needed to know that this data set is there

    damage = corrupt(kind)
    entries: list[Entry] = []
    parts: list[np.ndarray] = []
    for split in ("train", "test"):
        clean = garments(split).plain[..., None]
        first, count = sum(len(part) for part in parts), len(clean)
        parts += [damage(clean, numpy_generator(seed, "damaged", kind, split)), clean]
        entries += [
            Entry(f"{split}/damaged/{k:04}.png", first + k, Partner(first + count + k), split) for k in range(count)
        ]
    return Dataset(
        root=Path("damaged"),
        format="damaged",
        task="reconstruct",
        classes=(),
        entries=entries,
        pictures=ArrayPictures(np.concatenate(parts), f"damaged 1 {kind} {seed}"),
        seen=len(entries),
        unit="pictures",
        why=f"bundled garments damaged by {damage}, each with its clean picture, built from seed {seed}",
    )
