"""Smooth L1: squared near zero, straight beyond, so that one box far off does not shout down all others.

Girshick: Fast R-CNN, ICCV 2015 (arXiv:1504.08083), equation 3. Two names for one number are in use: the border β where
the square ends (PyTorch), and σ with β = 1 / σ² (the Caffe programs; σ = 3 in the region proposal network).
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from anmok.core.errors import UsageError
from anmok.core.registry import register


@register("loss")
def smooth_l1(predicted: Tensor, wanted: Tensor, beta: float | None = None, sigma: float | None = None) -> Tensor:
    """Of each difference d: d² / 2β where |d| < β, else |d| − β / 2. Float32, of the arguments' shape.

    Args:
        predicted: any shape.
        wanted: the same shape.
        beta: where the square ends; 0 gives the absolute difference. 1 where neither is given.
        sigma: the same in the other notation.

    Raises:
        UsageError: both notations at once, or a negative number.

    >>> import torch
    >>> smooth_l1(torch.tensor([0.5, 2.0]), torch.zeros(2), sigma=3)   # 4.5 · .25 is beyond 1/9: .5 − 1/18
    tensor([0.4444, 1.9444])
    """
    if beta is not None and sigma is not None:
        raise UsageError("β and σ say the same", got=f"beta={beta}, sigma={sigma}", allowed="one of them")
    border = 1 / sigma**2 if sigma else (1.0 if beta is None else beta)
    if border < 0 or sigma == 0:
        raise UsageError(
            "the border of smooth L1 is a distance", got=f"beta={beta}, sigma={sigma}", allowed="0 or more"
        )
    return F.smooth_l1_loss(predicted.float(), wanted.float(), reduction="none", beta=border)
