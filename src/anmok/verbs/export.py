"""Export: a run as one file that answers without torch, written only if its answers are the run's.

The judge is the file itself, read back from the disk and asked as `anmok predict` asks it, against the run in torch,
in float32, on odd pictures and on the run's validation pictures: from the file to the label, twice.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from torch import nn

from anmok.core.errors import DataError, ParityError, UsageError
from anmok.core.preparation import Preparation
from anmok.core.types import Dataset, Entry, Pictures
from anmok.data.load import load_data
from anmok.data.split import load_split
from anmok.data.stores import PathPictures
from anmok.engine.devices import choose
from anmok.ship.artefact import Artefact, Graph, read_artefact, write_artefact
from anmok.ship.container import SUFFIX
from anmok.ship.gate import Parity, compare
from anmok.ship.graph import to_openvino
from anmok.ship.model_card import model_card
from anmok.ship.odd_pictures import make_odd_pictures
from anmok.ship.runtime import Model
from anmok.tasks._shipping import Cargo, Shipping, ShippingSeeds
from anmok.verbs import card as cards
from anmok.verbs.export_generator import ship_generator
from anmok.verbs.int8 import Loss, in_int8
from anmok.verbs.opened import OpenedRun, subject_of
from anmok.verbs.planning import read_settings
from anmok.verbs.settings import ExportSettings, PredictSettings
from anmok.verbs.shipped import shipped_answers
from anmok.verbs.subject import Subject
from anmok.verbs.terminal import Terminal

_ADVICE = "report this with the network's name; until then, predict with the run itself"
_PACKAGES = ("onnx", "onnxruntime", "openvino")


@dataclass(frozen=True)
class Exported:
    """A shipped model on the disk. `parity`: what was compared, by the pictures' kind; `8 bits`: what those cost."""

    path: Path
    sha256: str
    numbers: str
    parity: Mapping[str, Parity | Loss]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        parity = {name: found.to_json() for name, found in self.parity.items()}
        size = self.path.stat().st_size
        return {"path": str(self.path), "bytes": size, "sha256": self.sha256, "numbers": self.numbers, "parity": parity}


def export(subject: Subject | nn.Module | str | Path, *, quiet: bool = True, **settings: Any) -> Exported:
    """Write a shipped model.

    Args:
        subject: a run or its folder; a network's name, with its published weights; an `anmok.Classifier`.
        settings: see `anmok.verbs.settings.ExportSettings`.

    Raises:
        ParityError: the shipped model answers differently; the figures are named, and nothing is written.
        UsageError: this task or network cannot be shipped.
        DataError: there are no pictures to compare on.
    """
    asked: ExportSettings = ExportSettings.of(**settings)
    one = subject_of(subject, asked.weights, device="cpu")
    asked.refuse_foreign(one.kind.name)
    out = _target(one, asked.out, asked.into)
    terminal = Terminal(quiet)
    found: Mapping[str, Parity | Loss]
    with terminal.hearing_warnings(), _towards(one, asked.into), tempfile.TemporaryDirectory() as folder:
        if isinstance(one.kind, ShippingSeeds):
            place = Path(folder) / "draft.anmok"
            with in_float32(one):
                found, shipped = ship_generator(one, one.kind, asked, place, _origin(one))
        else:
            found, shipped = _found(one, asked, Path(folder), terminal)
    for name, what in found.items():
        terminal.say(f"{name}: {what.sentence}")
    manifest = replace(shipped.manifest, parity={name: what.to_json() for name, what in found.items()})
    card = one.card if isinstance(one, OpenedRun) else {}
    digest = write_artefact(out, Artefact(manifest, shipped.graph, model_card(manifest, card)))
    return Exported(out, digest, manifest.numbers, found)


def _found(
    one: Subject, asked: ExportSettings, folder: Path, terminal: Terminal
) -> tuple[dict[str, Parity | Loss], Artefact]:
    """What the comparisons found, and the model that passed them. Raises `ParityError` where it does not."""
    place, own = folder / "draft.anmok", _own(one, asked)
    form = to_openvino if asked.to == "openvino" else _as_it_is
    draft = cargo_of(one).draft(one.kind.name, one.title, one.preparation, origin=_origin(one))
    write_artefact(place, replace(draft, graph=form(draft.graph)))
    shipped = read_artefact(place)
    found: dict[str, Parity | Loss] = {
        **_judged(one, shipped, {"odd pictures": _odd(folder, one.preparation), **own.corpus}, terminal)
    }
    if asked.int8:
        if own.judging is None or own.calibrating is None:
            raise UsageError("8 bits are measured on pictures", got="a network without a run", fix="--data PICTURES")
        terminal.say("quantising, and measuring what it costs …")
        shipped, found["8 bits"] = in_int8(draft, form, own.calibrating, own.judging, asked.max_loss, place)
    return found, shipped


def _as_it_is(graph: Graph) -> Graph:
    return graph


def cargo_of(one: Subject) -> Cargo:
    """What of this subject is shipped. Raises `UsageError` where nothing can be."""
    if not isinstance(one.kind, Shipping):
        raise UsageError("models of this task cannot be shipped yet", got=one.kind.name)
    return one.kind.cargo(one.model)


def _target(one: Subject, out: Path | None, into: str | None) -> Path:
    if out is not None and out.suffix != SUFFIX:
        raise UsageError("a shipped model has its own ending", got=str(out), allowed=SUFFIX)
    if out is not None:
        return out
    name = one.path.name if isinstance(one, OpenedRun) else one.title.replace("/", "-").replace(":", "-")
    return one.path / f"{name}{SUFFIX}" if into is None else one.path / f"{name}-into-{into}{SUFFIX}"


def _origin(one: Subject) -> dict[str, Any]:
    origin: dict[str, Any] = {"made": cards.now(), "versions": cards.versions() | _installed(_PACKAGES)}
    if isinstance(one, OpenedRun):
        origin |= {"run": one.path.name, "network": one.card["network"]["name"], "weights": one.card["weights_sha256"]}
    return origin


def _installed(names: Sequence[str]) -> dict[str, str]:
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@dataclass(frozen=True)
class _Corpus:
    """Pictures to compare on."""

    pictures: Pictures
    locators: Sequence[str | int]
    names: Sequence[str]


def _odd(folder: Path, preparation: Preparation) -> _Corpus:
    """Odd pictures; where networks see every pixel of them, not the huge ones: that would take minutes and show no
    more."""
    made = make_odd_pictures(folder, huge=False) if preparation.fit == "window" else make_odd_pictures(folder)
    paths = [str(path) for path in made]
    return _Corpus(PathPictures(), paths, [Path(path).name for path in paths])


@dataclass(frozen=True)
class _Own:
    """A subject's own pictures: `judging` to compare on, under `name`; `calibrating` to measure ranges on."""

    name: str = ""
    judging: Dataset | None = None
    calibrating: Dataset | None = None

    @property
    def corpus(self) -> dict[str, _Corpus]:
        """What to compare on, beside odd pictures."""
        if self.judging is None:
            return {}
        entries = self.judging.entries
        corpus = _Corpus(self.judging.pictures, [entry.locator for entry in entries], [entry.id for entry in entries])
        return {self.name: corpus}


def _own(one: Subject, asked: ExportSettings) -> _Own:
    """The run's validation pictures, or the ones the person named; of a network without a run: none needed."""
    if asked.data is not None:
        given = load_data(asked.data)
        return _Own(f"pictures of {asked.data}", given, given)
    if not isinstance(one, OpenedRun):
        return _Own()
    place, settings = read_settings(one.folder)
    try:
        dataset = load_split(load_data(place, **settings.reading), one.path / "split.csv")
    except DataError as error:
        raise DataError("nothing shows that a shipped model answers alike: the run's pictures have moved", path=place,
                        got=error.what, fix="--data with pictures like them") from error  # fmt: skip
    split = next((name for name in ("val", "test", "train") if name in dataset.splits), None)
    judging, training = (replace(dataset, entries=_of_split(dataset, name)) for name in (split, "train"))
    return _Own(f"the run's {split or 'own'} pictures", judging, training if training.entries else judging)


def _of_split(dataset: Dataset, split: str | None) -> Sequence[Entry]:
    return dataset.entries if split is None else dataset.split(split)


def _judged(one: Subject, artefact: Artefact, corpora: Mapping[str, _Corpus], terminal: Terminal) -> dict[str, Parity]:
    """The shipped model against the subject, on each corpus. Raises `ParityError` where they differ."""
    model, found = Model(artefact), {}
    with in_float32(one):
        for name, corpus in corpora.items():
            where = (corpus.pictures, corpus.locators, corpus.names)
            with terminal.bar(f"comparing on {name}"):
                expected = one.kind.answers(one.model, *where, PredictSettings.of())
                found[name] = compare(expected, shipped_answers(model, *where))
            found[name].demand(f"the shipped model, asked for {name},", _ADVICE)
    if not found:
        raise ParityError("nothing was compared")
    return found


@contextmanager
def _towards(one: Subject, into: str | None) -> Iterator[None]:
    """A model that translates takes the way into this domain meanwhile; None: its own."""
    if into is None:
        yield
        return
    before, one.model.way = one.model.way, one.model.way_into(into)
    try:
        yield
    finally:
        one.model.way = before


@contextmanager
def in_float32(one: Subject) -> Iterator[None]:
    """The subject answers on the CPU in float32: what every other way of answering is measured by."""
    before = one.model.devices
    one.model.devices = choose("cpu", "float32")
    one.model.devices.place(one.network)
    try:
        yield
    finally:
        one.model.devices = before
        before.place(one.network)
