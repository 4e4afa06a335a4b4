"""Make a run or network ready to answer without torch: export it, and let its answers to odd pictures pass the gate."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np

from anmok.core.errors import ParityError, UsageError
from anmok.core.pictures import Decoded
from anmok.core.preparation import centre_crop
from anmok.core.types import Prediction
from anmok.data.decoding import DecodingPool
from anmok.data.stores import ArrayPictures, PathPictures
from anmok.ship.artefact import Artefact
from anmok.ship.choice import Choice, Contender, choose, engines_in_float32
from anmok.ship.gate import compare
from anmok.ship.odd_pictures import make_odd_pictures
from anmok.tasks._shipping import Shipping
from anmok.verbs.export import cargo_of, in_float32
from anmok.verbs.prepared import TORCH, Prepared, folder, keep
from anmok.verbs.settings import PredictSettings
from anmok.verbs.subject import Subject
from anmok.verbs.terminal import Terminal


def prepare(one: Subject, key: str | None, terminal: Terminal) -> Prepared | None:
    """Export `one`, compare, see how fast torch is, and keep the result under `key` (None: for this process only).

    Args:
        one: on the CPU.

    Returns:
        None where an answer takes more than one look at a picture, as windows do, or is not a graph's to give.
    """
    if one.preparation.fit == "window" or not isinstance(one.kind, Shipping):
        return None
    terminal.say(f"making {one.title} ready to answer without torch, once …")
    stored = _odd_pictures(one)
    contenders = _torch(one, stored)
    torch = choose(contenders)
    ready = Prepared(_artefact(one, stored, contenders[0].ask()), torch, key=key)
    if ready.artefact is None:
        ready = replace(ready, chosen=torch)
    keep(ready)
    return ready


def _artefact(one: Subject, stored: np.ndarray, expected: Sequence[Prediction]) -> Artefact | None:
    """The subject as a shipped model; None where it cannot be one, or no engine answers as torch does."""
    try:
        artefact = cargo_of(one).draft(one.kind.name, one.title, one.preparation)
    except UsageError:
        return None
    pixels = np.ascontiguousarray(centre_crop(stored, one.preparation.size))
    try:
        parities = [compare(expected, contender.ask()) for contender in engines_in_float32(artefact, pixels)]
    except ParityError:
        return None
    return artefact if parities and all(parity.holds for parity in parities) else None


def _odd_pictures(one: Subject) -> np.ndarray:
    """Odd pictures as they are stored, uint8 (N, store, store, C); not the huge ones, which only decoding concerns."""
    with tempfile.TemporaryDirectory() as place:
        odd = [str(path) for path in make_odd_pictures(Path(place), huge=False)]
        with DecodingPool(PathPictures(), one.preparation) as pool:
            return np.stack([found.pixels for found in pool.map(odd) if isinstance(found, Decoded)])


def _torch(one: Subject, stored: np.ndarray) -> list[Contender]:
    """Torch in float32, which all are compared with, and in its own precision."""
    store, names = ArrayPictures(stored, "odd"), [str(number) for number in range(len(stored))]
    asked = PredictSettings.of()

    def ask() -> Sequence[Prediction]:
        return list(one.kind.answers(one.model, store, range(len(stored)), names, asked))

    def ask_exactly() -> Sequence[Prediction]:
        with in_float32(one):
            return ask()

    own = one.model.devices.precision
    found = [Contender(Choice(TORCH, "float32", "torch, float32"), ask_exactly)]
    return found if own == "float32" else [*found, Contender(Choice(TORCH, own, f"torch, {own}"), ask)]


def seen_before(key: str) -> bool:
    """Whether this was asked for before; remembered from now on."""
    mark = folder() / f"{key}.asked"
    with suppress(OSError):
        if mark.exists():
            return True
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()
    return False
