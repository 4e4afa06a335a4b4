"""A run opened again: the model with its best weights, and its card. What the verbs work on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import nn

from anmok.core.errors import CheckpointError
from anmok.core.preparation import Preparation
from anmok.engine.devices import choose
from anmok.engine.runfolder import RunFolder
from anmok.tasks.classify import Classify
from anmok.verbs import card as cards
from anmok.verbs.rejection import Rejection


class OpenedRun:
    """A trained model and where it came from.

    Attributes:
        folder: where everything lies.
        card: what the model is, needs and can (`card.json`).
        network: the network with its best weights, in evaluation mode.
        classes: class names, in the order of the network's answers.
        preparation: what pictures go through before the network.
    """

    def __init__(self, folder: RunFolder, card: Mapping[str, Any], network: nn.Module, device: str = "auto") -> None:
        self.folder, self.card, self.network = folder, dict(card), network.eval()
        self.classes: tuple[str, ...] = tuple(card["classes"])
        self.preparation = Preparation.from_json(card["preparation"])
        devices = choose(device, card["machine"]["precision"] if device == "auto" else "auto")
        devices.place(network)
        self.model = Classify(network, self.classes, self.preparation, devices)
        self.model.mirror = bool(card["recipe"]["mirror"])

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    @property
    def report(self) -> Path:
        """The page for people."""
        return self.folder.report

    @property
    def metrics(self) -> dict[str, Any]:
        """Figures with their intervals, by split."""
        return dict(self.card.get("metrics", {}))

    @property
    def temperature(self) -> float:
        """What divides the logits so that certainties are deserved, fitted on validation pictures."""
        return float(self.card.get("temperature", 1.0))

    @property
    def rejection(self) -> Rejection | None:
        """Below which certainty this run says "I don't know"; None where it had no validation pictures."""
        found = self.card.get("rejection")
        return None if found is None else Rejection.from_json(found)

    def __repr__(self) -> str:
        accuracy = self.metrics.get("test", {}).get("accuracy", {}).get("value")
        figure = "" if accuracy is None else f", test accuracy {accuracy:.1%}"
        return f"<Run {self.path}: {self.card['network']['name']}, {len(self.classes)} classes{figure}>"


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
    if expected is not None and cards.digest(folder.best) != expected:
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
