"""Randomness that depends on where you are, not on how you got there.

Every random choice about data is drawn from a generator made of (seed, purpose, epoch, batch …). A run that was killed
and resumed, or that uses another number of workers, therefore draws the same numbers.
"""

from __future__ import annotations

import hashlib

import numpy as np


def derive(seed: int, *where: int | str) -> int:
    """A 63-bit seed for one place, e.g. `derive(seed, "augment", epoch, batch)`."""
    text = "/".join(str(part) for part in (seed, *where))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def numpy_generator(seed: int, *where: int | str) -> np.random.Generator:
    """A NumPy generator for one place."""
    return np.random.Generator(np.random.PCG64(derive(seed, *where)))
