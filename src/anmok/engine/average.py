"""An exponential moving average of weights, kept beside them and changed places with for evaluation."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from anmok.core.errors import CheckpointError


class Average:
    """Averages of all floating-point parameters and buffers (batch statistics) of some networks.

    The decay grows with the number of updates n as min(decay, (1 + n) / (10 + n)), so that a short run's average
    forgets the random start. (Polyak & Juditsky 1992; the ramp as in TensorFlow's ExponentialMovingAverage.)
    """

    def __init__(self, networks: Iterable[nn.Module], decay: float) -> None:
        live: dict[int, Tensor] = {}
        for network in networks:
            for tensor in (*network.parameters(), *network.buffers()):
                if tensor.is_floating_point():
                    live[id(tensor)] = tensor
        self._live = list(live.values())
        self._shadow = [tensor.detach().clone() for tensor in self._live]
        self.decay, self.updates = decay, 0

    @torch.no_grad()
    def update(self) -> None:
        """Move the average one step towards the weights."""
        self.updates += 1
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        torch._foreach_lerp_(self._shadow, self._live, 1 - decay)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The networks hold their averages inside the block, and their own weights again after it. Copies nothing."""
        self._exchange()
        try:
            yield
        finally:
            self._exchange()

    def _exchange(self) -> None:
        for number, tensor in enumerate(self._live):
            tensor.data, self._shadow[number] = self._shadow[number], tensor.data

    def state(self) -> dict[str, Any]:
        """For the checkpoint."""
        return {"updates": self.updates, "shadow": self._shadow}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, Any]) -> None:
        """Take back what `state` gave. Raises `CheckpointError` if the networks have other tensors now."""
        shadow = state["shadow"]
        if [tensor.shape for tensor in shadow] != [tensor.shape for tensor in self._shadow]:
            raise CheckpointError("the saved average of the weights does not fit the networks")
        self.updates = state["updates"]
        for mine, saved in zip(self._shadow, shadow, strict=True):
            mine.copy_(saved)
