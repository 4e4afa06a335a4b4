"""What is kept of a model between questions in this process, as long as its weights stay as they were."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from anmok.verbs.prepared import Prepared


class Remembered:
    """What a subject was asked so far, and what was made ready to answer in its stead.

    A network in memory may be trained further between two questions; what was made of its former weights is then
    forgotten. In-place changes are told by the tensors' own counters, exchanged tensors by their addresses.

    Attributes:
        original: whether the weights are still those the subject was opened with.
        asked: pictures since the weights last changed.
        sought: whether it was looked for what an earlier process made ready.
        ready: what was made ready; None: nothing yet.
    """

    def __init__(self, network: nn.Module) -> None:
        self._network, self._state = network, _state(network)
        self.original = True
        self._forget()

    def refresh(self) -> None:
        """Forget what no longer holds."""
        state = _state(self._network)
        if state != self._state:
            self._state, self.original = state, False
            self._forget()

    def _forget(self) -> None:
        self.asked, self.sought = 0, False
        self.ready: Prepared | None = None


def _state(network: nn.Module) -> list[tuple[int, int]]:
    return [(tensor.data_ptr(), tensor._version) for tensor in (*network.parameters(), *network.buffers())]
