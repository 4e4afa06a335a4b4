"""What kinds have that can be shipped: a graph, and what makes answers of its outputs without torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from torch import Tensor, nn

from anmok.core.preparation import Preparation
from anmok.ship.artefact import Artefact, Manifest
from anmok.ship.graph import to_onnx


@dataclass(frozen=True)
class Cargo:
    """What of a model is shipped (`anmok.ship`).

    Args:
        network: normalised pictures (N, C, S, S), and `further` → one tensor for each of `outputs`, one row a picture.
        outputs: their names.
        answers: plain values from which `anmok.ship.answers.<task>` makes predictions of these outputs.
        side: of the squares that the graph takes; None: the preparation's size. With fit "window", that of the tiles.
        further: what the graph takes beside pictures, see `anmok.ship.graph.to_onnx`; the answers make it of pictures.
    """

    network: nn.Module
    outputs: tuple[str, ...]
    answers: Mapping[str, Any]
    side: int | None = None
    further: Mapping[str, Tensor] = field(default_factory=dict)

    def squares(self, preparation: Preparation) -> Preparation:
        """The preparation as the graph is to know it: with the side of the squares it takes."""
        return preparation if self.side is None else replace(preparation, size=self.side, store=self.side)

    def draft(self, task: str, title: str, preparation: Preparation, **said: Any) -> Artefact:
        """The shipped model, not yet compared. `said`: more of its manifest. Raises `UsageError` as `to_onnx` does."""
        graph = to_onnx(self.network, self.squares(preparation), self.outputs, self.further)
        further = tuple(self.further)
        return Artefact(Manifest(task, title, preparation, self.outputs, self.answers, further=further, **said), graph)


@runtime_checkable
class Shipping(Protocol):
    """A kind whose models can be shipped."""

    def cargo(self, model: Any) -> Cargo:
        """What of this model is shipped. Raises `UsageError` where one like this cannot be."""


@runtime_checkable
class ShippingSeeds(Protocol):
    """A kind whose models are shipped as generators (`anmok.ship.painter`)."""

    def graph(self, model: Any) -> tuple[nn.Module, int]:
        """A module of rows of numbers, code, class and truncation side by side; and how many these are."""
