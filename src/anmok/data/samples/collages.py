"""Four garments in a square, and which kinds are among them: what multi-label data looks like."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from anmok.core.seeds import numpy_generator
from anmok.core.targets import Labels
from anmok.core.types import Dataset, Entry
from anmok.data.samples import FASHION_MNIST
from anmok.data.samples.garments import SIDE, garments
from anmok.data.stores import ArrayPictures

SEED = 20170825
EMPTY = 0.25  # chance of a place without a garment, so that pictures show one to four kinds, and some none


def collages(train: int = 1500, test: int = 500, seed: int = SEED) -> Dataset:
    """Grey pictures of 56 × 56 pixels, each of 2 × 2 places; no garment is in both splits. Labels are the kinds seen.

    Kinds are not equally frequent: each is half as likely again as the one after it, as in most data.
    """
    entries: list[Entry] = []
    parts: list[np.ndarray] = []
    for split, count in (("train", train), ("test", test)):
        found = garments(split)
        generator = numpy_generator(seed, "collages", split)
        of_kind = [np.flatnonzero(found.labels == kind) for kind in range(len(FASHION_MNIST))]
        chances = 1.5 ** -np.arange(len(FASHION_MNIST), dtype=float)
        kinds = generator.choice(len(FASHION_MNIST), (count, 4), p=chances / chances.sum())
        filled = generator.random((count, 4)) >= EMPTY
        chosen = np.array([[generator.choice(of_kind[kind]) for kind in row] for row in kinds])
        tiles = found.plain[chosen] * filled[..., None, None].astype(np.uint8)
        squares = tiles.reshape(count, 2, 2, SIDE, SIDE).transpose(0, 1, 3, 2, 4).reshape(count, 2 * SIDE, 2 * SIDE, 1)
        first = sum(map(len, parts))
        parts.append(squares)
        entries += [
            Entry(f"{split}/{k:04}.png", first + k, Labels(tuple(kinds[k][filled[k]].tolist())), split)
            for k in range(count)
        ]
    return Dataset(
        root=Path("collages"),
        format="collages",
        task="multilabel",
        classes=FASHION_MNIST,
        entries=entries,
        pictures=ArrayPictures(np.concatenate(parts), f"collages 1 {train} {test} {seed}"),
        seen=len(entries),
        unit="pictures",
        why=f"four places with bundled garments each, built from seed {seed}",
    )
