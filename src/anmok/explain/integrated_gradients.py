"""Integrated gradients: each pixel's share in the way from an empty picture to this one.

Sundararajan, Taly & Yan (2017), "Axiomatic Attribution for Deep Networks"; computed by captum.
"""

from __future__ import annotations

from typing import Any

import torch
from captum.attr import IntegratedGradients
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.explain._explanation import Explanation, answer, logits_of, prepared, ready, scaled

MEMORY_PIXELS = 2_000_000  # pixels (times channels) that go through the network at once


@register("explainer")
def integrated_gradients(
    network: nn.Module, picture: Tensor, target: int | None = None, steps: int = 48, **_: Any
) -> Explanation:
    """Integrated gradients of one picture, from the picture whose normalised values are all 0.

    Args:
        network: any differentiable classifier, (N, C, H, W) → (N, classes).
        picture: (C, H, W), float, normalised as in training; 0 is then the mean of the training pictures.
        target: class id; None: the likeliest.
        steps: points on the way (Gauss–Legendre).
    """
    batch = prepared(network, picture)
    at_once = max(1, min(steps, MEMORY_PIXELS // batch[0].numel()))
    with ready(network):
        target, score = answer(network, batch, target)
        method = IntegratedGradients(lambda pictures: logits_of(network, pictures))
        shares = method.attribute(
            batch, baselines=torch.zeros_like(batch), target=target, n_steps=steps, internal_batch_size=at_once
        )
    heat, peak = scaled(shares[0].abs().sum(dim=0), quantile=0.99)
    scaling = f"0: no share in the score; 1: the 99th percentile of shares ({peak:.3g}), for and against alike"
    return Explanation(heat, target, score, "integrated_gradients", scaling, peak)
