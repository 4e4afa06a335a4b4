"""What CycleGAN and pix2pix share at work: a game has players, phases and a memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from anmok.core.task import Phase

AB, BA = "ab", "ba"  # from the first domain to the second, and back
OTHER = {AB: BA, BA: AB}
Normalise = Callable[[Tensor], Tensor]


class Game(Protocol):
    """How a network's parts learn from each other.

    Attributes:
        generators: by way, "ab" first: pictures of one domain (N, C, H, W), about −1 to 1 → of the other.
    """

    generators: Mapping[str, nn.Module]

    def phases(self) -> Sequence[Phase]:
        """What happens at every step, in order."""

    def state(self) -> Mapping[str, Any]:
        """What it remembers beside weights, for the checkpoint."""

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave."""
