"""What losses over places have in common: one check of what arrives, and which places count."""

from __future__ import annotations

import torch
from torch import Tensor

from anmok.core.errors import UsageError


def check_places(logits: Tensor, targets: Tensor, place_weight: Tensor | None = None) -> None:
    """Raise `UsageError` unless logits (N, C, …) come with class ids (N, …), and weights of places likewise."""
    if logits.ndim < 2:
        raise UsageError("logits hold one row a picture", got=tuple(logits.shape), allowed="(pictures, classes, …)")
    places = (logits.shape[0], *logits.shape[2:])
    for what, given in (("targets", targets), ("weights of places", place_weight)):
        if given is not None and tuple(given.shape) != places:
            raise UsageError(f"{what} do not fit the logits", got=tuple(given.shape), allowed=places)


def counted(targets: Tensor, ignore: int | None) -> Tensor:
    """Which places count: bool, the shape of `targets`."""
    return torch.ones_like(targets, dtype=torch.bool) if ignore is None else targets != ignore
