"""Models that anmok shipped, answering without torch.

The package `anmok` inside this distribution (`_packed/`) holds the files of the whole one that this takes. It lies
apart and is looked for last: where the whole of anmok is installed, that is used, and neither overwrites the other.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from anmok.core.types import Prediction
    from anmok.ship.runtime import Model

_PACKED = str(Path(__file__).with_name("_packed"))
if _PACKED not in sys.path:
    sys.path.append(_PACKED)


def load(path: str | Path) -> Model:
    """Open a shipped model. Raises `anmok.core.errors.ArtefactError` where it may not be used."""
    from anmok.ship.runtime import load_model

    return load_model(path)


def predict(model: str | Path | Model, pictures: str | Path | Iterable[str | Path]) -> Iterator[Prediction]:
    """Answers for files, folders and globs, in order, as they come."""
    from anmok.verbs.shipped import ask_shipped

    return ask_shipped(load(model) if isinstance(model, (str, Path)) else model, pictures)


def main() -> None:
    """The command `anmok`."""
    from anmok.cli import main as anmok_main

    anmok_main()
