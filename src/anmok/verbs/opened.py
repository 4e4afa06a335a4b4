"""A run opened again: the model with its best weights, and its card. What the verbs work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from anmok.core.errors import CheckpointError, UsageError
from anmok.core.files import sha256_of
from anmok.engine.devices import choose
from anmok.engine.runfolder import RunFolder
from anmok.tasks._kind import TASKS, Model
from anmok.tasks.classify.rejection import Rejection
from anmok.verbs import card as cards
from anmok.verbs.classifier import Classifier, is_network, named, neither_run_nor_network, preparation_for
from anmok.verbs.subject import Subject
from anmok.verbs.terminal import is_share


class OpenedRun(Subject):
    """A trained model and where it came from.

    Attributes, beside a subject's:
        folder: where everything lies.
        card: what the model is, needs and can (`card.json`).
        path: the run's folder.
    """

    def __init__(self, folder: RunFolder, card: Mapping[str, Any], model: Any) -> None:
        title = f"{folder.path.name} ({card['network']['name']})"
        super().__init__(TASKS[card["task"]](), model, title, folder.path)
        self.folder, self.card = folder, dict(card)

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder.report

    @property
    def metrics(self) -> dict[str, Any]:
        """Figures with their intervals, by split."""
        return dict(self.card.get("metrics", {}))

    @property
    def rejection(self) -> Rejection | None:
        """Below which certainty this run says "I don't know"; None where it never does."""
        found = self.card.get("rejection")
        return None if found is None else Rejection.from_json(found)

    @property
    def temperature(self) -> float:
        """What logits are divided by before they become probabilities; 1 where nothing was fitted."""
        return float(self.card.get("temperature", 1.0))

    def __repr__(self) -> str:
        headline = next(iter(self.kind.headlines), "")
        value = self.metrics.get("test", {}).get(headline, {}).get("value")
        told = "" if value is None else f"{value:.1%}" if is_share(value, headline) else f"{value:.2f}"
        figure = told and f", test {headline.replace('_', ' ')} {told}"
        classes = f", {len(self.classes)} classes" if self.classes else ""
        return f"<Run {self.path}: {self.card['network']['name']}{classes}{figure}>"


def subject_of(
    subject: Subject | nn.Module | str | Path,
    weights: str | None = None,
    *,
    imgsz: int | None = None,
    device: str = "auto",
) -> Subject:
    """Whoever is meant: a run or classifier itself, a run by its folder, a network by its name, or any `nn.Module`.

    Args:
        subject: the one to ask.
        weights, imgsz, device: see `named`; only networks by name take weights, and runs have their own size.

    Raises:
        UsageError: nothing of this name, or weights for something that has its own.
        CheckpointError: the run cannot be opened.
    """
    if isinstance(subject, str) and is_network(subject):
        return named(subject, weights, imgsz=imgsz, device=device)
    if weights is not None:
        raise UsageError("only a network by its name takes weights", got=f"weights={weights!r} for {subject!r}")
    if isinstance(subject, Subject):
        return subject
    if isinstance(subject, nn.Module):
        return Classifier(subject, preparation=preparation_for(subject, imgsz), device=device)
    if not Path(subject).exists() and Path(subject).name == str(subject):
        raise neither_run_nor_network(str(subject))
    return OpenedRun(*read_run(subject, device=device))


def read_run(
    path: str | Path, network: nn.Module | None = None, device: str = "auto"
) -> tuple[RunFolder, dict[str, Any], Model]:
    """A run's folder, its card, and its model with the best weights; see `anmok.load`."""
    folder = RunFolder.open(path)
    card = cards.read(folder)
    if card["task"] not in TASKS:
        raise CheckpointError(
            "this run is of a task that is not known here", path=folder.path, got=card["task"],
            allowed=", ".join(TASKS), fix="pip install -U anmok",
        )  # fmt: skip
    if network is None:
        cards.refuse_without_network(folder, card, "anmok.load(path, network=YourNetwork(…))")
    devices = choose(device, card["machine"]["precision"] if device == "auto" else "auto")
    model = TASKS[card["task"]]().opened(card, devices, network)
    load_weights(model, folder)
    for part in model.networks().values():
        devices.place(part.eval())
    return folder, card, model


def load_weights(model: Model, folder: RunFolder) -> None:
    """Put the run's best weights into the networks of `model`.

    Raises:
        CheckpointError: no weights yet, damaged ones, or weights of another shape; the differences are listed.
    """
    if not folder.best.exists():
        raise CheckpointError(
            "this run has no trained weights yet", path=folder.path, fix=f"anmok train --resume {folder.path}"
        )
    expected = cards.read(folder).get("weights_sha256")
    if expected is not None and sha256_of(folder.best) != expected:
        raise CheckpointError("these weights are not the ones the card describes", path=folder.best,
                              fix="restore the file from a copy, or train again")  # fmt: skip
    weights = load_file(folder.best)
    networks = model.networks()
    own = {f"{part}.{name}": value for part, network in networks.items()
           for name, value in network.state_dict().items()}  # fmt: skip
    differences = _differences(
        {k: tuple(v.shape) for k, v in weights.items()}, {k: tuple(v.shape) for k, v in own.items()}
    )
    if differences:
        raise CheckpointError("the weights do not fit the network", path=folder.best, got="; ".join(differences[:5]))
    for part, network in networks.items():
        network.load_state_dict({name: weights[f"{part}.{name}"] for name in network.state_dict()})


def _differences(found: Mapping[str, Sequence[int]], wanted: Mapping[str, Sequence[int]]) -> list[str]:
    missing = [f"{name} is missing" for name in wanted if name not in found]
    extra = [f"{name} is not in the network" for name in found if name not in wanted]
    other = [
        f"{name} is {found[name]}, not {wanted[name]}"
        for name in wanted
        if found.get(name, wanted[name]) != wanted[name]
    ]
    return missing + extra + other
