"""What a task adds to `anmok.tasks._kind.Kind` where its networks can be trained and timed beside each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class Contesting(Protocol):
    """A kind whose networks can be trained beside each other and timed part by part."""

    @property
    def name(self) -> str:
        """As `Kind.name`."""

    @property
    def headlines(self) -> Sequence[str]:
        """As `Kind.headlines`."""

    @property
    def contestants(self) -> Sequence[str]:
        """The networks compared where none is named, the oldest first."""

    @property
    def bundled(self) -> str:
        """The name of the pictures they are compared on where none are named."""

    @property
    def shared(self) -> Sequence[str]:
        """Stages whose work is kept and done once for all: they count as no network's training."""

    def timed(self, model: Any, decoded: Any, split: str | None, pictures: int) -> Mapping[str, float]:
        """Seconds a picture by part, in the order they are passed, on so many pictures of a split."""

    def remarks(self, rows: Mapping[str, Mapping[str, float]]) -> Sequence[str]:
        """What is to be said of networks by name: their figures, seconds a picture by part, `training` in seconds."""
