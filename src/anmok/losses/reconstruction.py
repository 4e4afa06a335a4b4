"""How far reconstructed pictures are from what they should be: means over all values of all pictures.

Outputs come as the network gives them, targets as intensities in [0, 1]. All are computed in float32.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from anmok.core.errors import UsageError
from anmok.core.registry import register


@register("loss")
def binary_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """−t log σ(x) − (1 − t) log(1 − σ(x)), nats a value; σ(x) is the intensity. Not 0 at best where targets are grey.

    Args:
        logits: any shape, untouched by a sigmoid.
        targets: of the same shape, in [0, 1].

    Raises:
        UsageError: shapes differ.

    >>> import torch
    >>> round(binary_cross_entropy(torch.zeros(1), torch.ones(1)).item(), 6)  # ln 2
    0.693147
    """
    return F.binary_cross_entropy_with_logits(*_float(logits, targets))


@register("loss")
def squared_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """(x − t)²: its best answer is the mean of all likely pictures."""
    return F.mse_loss(*_float(outputs, targets))


@register("loss")
def absolute_error(outputs: Tensor, targets: Tensor) -> Tensor:
    """|x − t|: its best answer is the median, which keeps edges sharper than the mean does."""
    return F.l1_loss(*_float(outputs, targets))


def _float(outputs: Tensor, targets: Tensor) -> tuple[Tensor, Tensor]:
    if outputs.shape != targets.shape:
        got, allowed = tuple(outputs.shape), tuple(targets.shape)
        raise UsageError("reconstructions do not fit their targets", got=got, allowed=allowed)
    return outputs.float(), targets.float()
