"""Makes the bundled part of Fashion-MNIST from the published files, the same bytes each time.

    python -m anmok.data.samples.make /usr/share/datasets/fashion-mnist OUT

Of every class, 600 training and 100 test pictures are drawn by a seeded generator; they keep their published order.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
from pathlib import Path

import numpy as np

from anmok.core.seeds import numpy_generator

SEED = 20170825  # the day Fashion-MNIST was published
PER_CLASS = {"train": 600, "t10k": 100}


def choose(labels: np.ndarray, per_class: int, part: str) -> np.ndarray:
    """Positions of `per_class` pictures of every class, in their published order."""
    chosen = []
    for value in np.unique(labels):
        places = np.flatnonzero(labels == value)
        chosen.append(numpy_generator(SEED, part, int(value)).choice(places, per_class, replace=False))
    return np.sort(np.concatenate(chosen))


def read(file: Path) -> np.ndarray:
    """A gzip IDX file of bytes; written here on its own so that the samples do not rest on the reader they test."""
    content = gzip.decompress(file.read_bytes())
    shape = np.frombuffer(content, ">u4", content[3], offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * content[3]).reshape(shape)


def encode(array: np.ndarray) -> bytes:
    """The array as a gzip IDX file that holds neither a time nor a name."""
    header = bytes([0, 0, 8, array.ndim]) + np.array(array.shape, ">u4").tobytes()
    buffer = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, mtime=0, fileobj=buffer) as file:
        file.write(header + array.tobytes())
    return buffer.getvalue()


def make(source: Path, target: Path) -> None:
    """Write the four files and their SHA256SUMS."""
    target.mkdir(parents=True, exist_ok=True)
    sums = []
    for part, per_class in PER_CLASS.items():
        names = f"{part}-images-idx3-ubyte.gz", f"{part}-labels-idx1-ubyte.gz"
        pictures, labels = (read(source / name) for name in names)
        chosen = choose(labels, per_class, part)
        for name, array in zip(names, (pictures[chosen], labels[chosen]), strict=True):
            content = encode(array)
            (target / name).write_bytes(content)
            sums.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    (target / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    make(Path(sys.argv[1]), Path(sys.argv[2]))
