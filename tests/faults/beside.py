"""Damage to pictures that have another picture beside them: masks, pairs, unpaired domains."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.contracts.test_formats import count_files
from tests.faults.ledger import Ledger, encoded, write
from tests.faults.pictures import BROKEN

KINDS = ("masks", "pairs", "unpaired")
SIZE = (24, 36)
SUFFERED = ("nothing", "nothing", "nothing", "nothing", "the picture", "the other", "no other", "of another size")


def build(root: Path, kind: str, rng: np.random.Generator) -> Ledger:
    """Write a damaged data set of this format and return what is true of it."""
    ledger = Ledger(kind)
    folders = {"masks": ("images", "masks"), "pairs": ("A", "B"), "unpaired": ("trainA", "trainB")}[kind]
    for i in range(int(rng.integers(6, 12))):
        _one(root, kind, folders, i, ledger, rng)
    ledger.files = count_files(root)
    ledger.may_refuse = len(ledger.good) < 2 or len(ledger.bad) * 2 > len(ledger.good)
    return ledger


def _one(root: Path, kind: str, folders: tuple[str, str], i: int, ledger: Ledger, rng: np.random.Generator) -> None:
    """A picture and what lies beside it, one of them perhaps damaged."""
    pixels = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    other = rng.integers(0, 256, (*SIZE, 3), dtype=np.uint8)
    if kind == "masks":
        other = rng.integers(0, 4, (6, 9), dtype=np.uint8).repeat(4, 0).repeat(4, 1)
    first, second = (f"{folder}/{i}.png" for folder in folders)
    harm = str(rng.choice(SUFFERED))
    if harm == "of another size" and kind != "masks":
        harm = "nothing"
    contents = [encoded(pixels), encoded(other)]
    broken = str(rng.choice([name for name in BROKEN if name not in ("one pixel", "not a number")]))
    if harm in ("the picture", "the other"):
        contents[harm == "the other"] = BROKEN[broken](contents[harm == "the other"], rng)
    elif harm == "of another size":
        contents[1] = encoded(other[:12])
    write(root / first, contents[0])
    if harm != "no other":
        write(root / second, contents[1])
    if kind == "unpaired":
        ledger.good |= {first: (None, pixels)} | ({} if harm == "no other" else {second: (None, other)})
        if harm in ("the picture", "the other"):
            ledger.spoil(second if harm == "the other" else first, broken)
        return
    ledger.good[first] = (other if kind == "masks" else None, pixels)
    if harm != "nothing":
        ledger.spoil(first, f"{harm}: {broken}")
