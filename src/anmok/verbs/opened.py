"""A run opened again: the model with its best weights, and its card. What the verbs work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from anmok.core.errors import CheckpointError, UsageError
from anmok.core.files import sha256_of
from anmok.core.preparation import Preparation
from anmok.engine.runfolder import RunFolder
from anmok.networks import build
from anmok.verbs import card as cards
from anmok.verbs.classifier import Classifier, is_network, named, neither_run_nor_network, preparation_for
from anmok.verbs.rejection import Rejection


class OpenedRun(Classifier):
    """A trained model and where it came from.

    Attributes, beside a classifier's:
        folder: where everything lies.
        card: what the model is, needs and can (`card.json`).
        network: the network with its best weights, in evaluation mode.
        path: the run's folder.
    """

    def __init__(self, folder: RunFolder, card: Mapping[str, Any], network: nn.Module, device: str = "auto") -> None:
        super().__init__(
            network,
            card["classes"],
            Preparation.from_json(card["preparation"]),
            title=f"{folder.path.name} ({card['network']['name']})",
            path=folder.path,
            temperature=float(card.get("temperature", 1.0)),
            device=device,
            precision=card["machine"]["precision"] if device == "auto" else "auto",
        )
        self.folder, self.card = folder, dict(card)
        self.model.mirror = bool(card["recipe"]["mirror"])

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
        """Below which certainty this run says "I don't know"; None where it had no validation pictures."""
        found = self.card.get("rejection")
        return None if found is None else Rejection.from_json(found)

    def __repr__(self) -> str:
        accuracy = self.metrics.get("test", {}).get("accuracy", {}).get("value")
        figure = "" if accuracy is None else f", test accuracy {accuracy:.1%}"
        return f"<Run {self.path}: {self.card['network']['name']}, {len(self.classes)} classes{figure}>"


def classifier_of(
    subject: Classifier | nn.Module | str | Path,
    weights: str | None = None,
    *,
    imgsz: int | None = None,
    device: str = "auto",
) -> Classifier:
    """Whoever is meant: a classifier or run itself, a run by its folder, a network by its name, or any `nn.Module`.

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
    if isinstance(subject, Classifier):
        return subject
    if isinstance(subject, nn.Module):
        return Classifier(subject, preparation=preparation_for(subject, imgsz), device=device)
    if not Path(subject).exists() and Path(subject).name == str(subject):
        raise neither_run_nor_network(str(subject))
    return OpenedRun(*read_run(subject), device)


def read_run(path: str | Path, network: nn.Module | None = None) -> tuple[RunFolder, dict[str, Any], nn.Module]:
    """A run's folder, its card, and its network with the best weights; see `anmok.load`."""
    folder = RunFolder.open(path)
    card = cards.read(folder)
    if network is None and card["network"]["name"] not in cards.known_networks():
        raise CheckpointError(
            "this run was trained with a network of your own",
            path=folder.path,
            got=card["network"]["name"],
            fix="anmok.load(path, network=YourNetwork(…))",
        )
    network = network if network is not None else build(
        card["network"]["name"], num_classes=len(card["classes"]), in_channels=card["preparation"]["channels"],
        **card["network"]["arguments"],
    )  # fmt: skip
    load_weights(network, folder)
    return folder, card, network


def load_weights(network: nn.Module, folder: RunFolder) -> None:
    """Put the run's best weights into `network`.

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
    weights = {name.removeprefix("network."): tensor for name, tensor in load_file(folder.best).items()}
    own = network.state_dict()
    differences = _differences(
        {k: tuple(v.shape) for k, v in weights.items()}, {k: tuple(v.shape) for k, v in own.items()}
    )
    if differences:
        raise CheckpointError("the weights do not fit the network", path=folder.best, got="; ".join(differences[:5]))
    network.load_state_dict(weights)


def _differences(found: Mapping[str, Sequence[int]], wanted: Mapping[str, Sequence[int]]) -> list[str]:
    missing = [f"{name} is missing" for name in wanted if name not in found]
    extra = [f"{name} is not in the network" for name in found if name not in wanted]
    other = [
        f"{name} is {found[name]}, not {wanted[name]}"
        for name in wanted
        if found.get(name, wanted[name]) != wanted[name]
    ]
    return missing + extra + other
