"""Whom the verbs ask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import nn

from anmok.core.preparation import Preparation
from anmok.tasks._kind import Kind
from anmok.verbs.remembered import Remembered


class Subject:
    """A model that answers for pictures, of whatever task: a run, or a network with what is known of it.

    Attributes:
        kind: its task, as the verbs know tasks.
        model: the task's own object, which normalises and answers.
        title: for headings and file names.
        path: the folder where what is made of it is written.
        classes: names, in the order of the network's outputs.
        remembered: what earlier questions left behind.
    """

    def __init__(self, kind: Kind, model: Any, title: str, path: Path = Path()) -> None:
        self.kind, self.model, self.title, self.path = kind, model, title, path
        self.classes: tuple[str, ...] = tuple(model.classes)
        self.network.eval()
        self.remembered = Remembered(self.network)

    @property
    def network(self) -> nn.Module:
        """The network that answers, in evaluation mode."""
        network: nn.Module = self.model.network
        return network

    @property
    def preparation(self) -> Preparation:
        """What pictures go through before the network."""
        preparation: Preparation = self.model.preparation
        return preparation
