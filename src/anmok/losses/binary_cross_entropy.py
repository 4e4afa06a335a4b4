"""Binary cross entropy: each class is a question of its own, with smoothing, and weights for rare classes."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from anmok.core.errors import UsageError


def binary_cross_entropy(
    logits: Tensor, targets: Tensor, smoothing: float = 0.0, weight: Tensor | None = None
) -> Tensor:
    """Mean over pictures and classes of −w·t·log σ(z) − (1 − t)·log(1 − σ(z)), in nats.

    Args:
        logits: z (N, C), any floating type; computed in float32.
        targets: t (N, C) in [0, 1].
        smoothing: targets move by half of this share towards ½, in [0, 1).
        weight: w of each class (C,), on pictures that show it.

    Returns:
        A scalar, float32; without smoothing exactly `torch.nn.functional.binary_cross_entropy_with_logits`.

    Raises:
        UsageError: shapes do not fit, or smoothing lies outside [0, 1).
    """
    if not 0 <= smoothing < 1:
        raise UsageError("label smoothing is a share", got=smoothing, allowed="0 to below 1", fix="0.1")
    if targets.shape != logits.shape:
        raise UsageError("targets do not fit the logits", got=tuple(targets.shape), allowed=tuple(logits.shape))
    logits, smoothed = logits.float(), targets.float() * (1 - smoothing) + smoothing / 2
    return F.binary_cross_entropy_with_logits(
        logits, smoothed, pos_weight=None if weight is None else weight.to(logits)
    )
