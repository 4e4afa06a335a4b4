"""Focal loss: cross entropy that looks away from what is already right.

Lin, Goyal, Girshick, He, Dollár (2017), "Focal Loss for Dense Object Detection". A pixel whose class has probability p
costs −(1 − p)^γ · log p: with γ = 2 one that is 90 % sure counts a hundredth, so the easy background that fills a
picture does not drown the hard few. Written for softmax; with two classes it is the paper's sigmoid form.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from anmok.core.errors import UsageError
from anmok.core.registry import register
from anmok.losses._places import check_places, counted


@register("loss")
def focal(
    logits: Tensor,
    targets: Tensor,
    *,
    gamma: float = 2.0,
    weight: Tensor | None = None,
    ignore: int | None = None,
    place_weight: Tensor | None = None,
) -> Tensor:
    """Mean of −weight_c · (1 − p_c)^γ · log p_c over the places that count, c each place's class.

    Args:
        logits: (N, C, H, W), any floating type; computed in float32. (N, C) works too.
        targets: class ids int64 (N, H, W).
        gamma: γ ≥ 0; 0 is cross entropy.
        weight: the paper's α of each class (C,). As there, it scales the loss and not the mean.
        ignore: the id of places that do not count. Where none counts the loss is 0.
        place_weight: of each place, float (N, H, W); multiplies its loss.

    Returns:
        A scalar, float32.

    Raises:
        UsageError: shapes do not fit, or γ is negative.

    >>> import torch
    >>> round(float(focal(torch.zeros(1, 2), torch.tensor([0]))), 4)      # ¼ · ln 2
    0.1733
    """
    if gamma < 0:
        raise UsageError("γ of the focal loss is negative", got=gamma, allowed="0 or more", fix="gamma=2")
    check_places(logits, targets, place_weight)
    known = counted(targets, ignore)
    named = targets.where(known, 0)
    log_p = -F.cross_entropy(logits.float(), named, reduction="none")
    losses = -((1 - log_p.exp()).clamp(min=0) ** gamma) * log_p * known
    if weight is not None:
        losses = losses * weight.to(log_p)[named]
    if place_weight is not None:
        losses = losses * place_weight
    return losses.sum() / known.sum().clamp(min=1)
