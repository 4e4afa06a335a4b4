"""The bundled pictures: real ones, small enough to travel inside the package.

`fashion_mnist`: a stratified part of Fashion-MNIST, 6,000 training and 1,000 test pictures. See each folder's
SOURCE.md; `make.py` made the files.

What else is bundled is built from these garments when it is asked for, always alike: `scenes.py` (for segment and
detect), `domains.py` (for translate), `damaged.py` (pairs for reconstruct), `collages.py` (for multilabel).
`anmok.data.known` gives them their names.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from anmok.core.errors import DataError, unknown_name

_ROOM = Path(__file__).parent
FASHION_MNIST = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)


def names() -> list[str]:
    """The bundled data sets."""
    return sorted(sums.parent.name for sums in _ROOM.glob("*/SHA256SUMS"))


def path(name: str) -> Path:
    """The folder of a bundled data set, its files checked against their digests; `load_data` reads it.

    Raises:
        DataError: a file is missing or damaged.
        UsageError: there is no such data set.
    """
    if name not in names():
        raise unknown_name("bundled data set", name, names())
    for line in (_ROOM / name / "SHA256SUMS").read_text().splitlines():
        digest, file_name = line.split(maxsplit=1)
        file = _ROOM / name / file_name
        if not file.is_file() or hashlib.sha256(file.read_bytes()).hexdigest() != digest:
            raise DataError("a bundled file is missing or damaged", path=file, fix="install anmok again")
    return _ROOM / name
