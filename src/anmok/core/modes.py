"""Networks' modes: what normalisation and dropout do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


@contextmanager
def keeping_modes(*networks: nn.Module) -> Iterator[None]:
    """Afterwards every module is in its own mode again: frozen parts may evaluate while the rest trains."""
    modes = [(module, module.training) for network in networks for module in network.modules()]
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


@contextmanager
def evaluating(*networks: nn.Module) -> Iterator[None]:
    """The networks in evaluation mode; afterwards as they were."""
    with keeping_modes(*networks):
        for network in networks:
            network.eval()
        yield
