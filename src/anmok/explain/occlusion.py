"""Occlusion: cover a part of the picture and see how much of the score is lost.

Zeiler & Fergus (2014), "Visualizing and Understanding Convolutional Networks"; computed by captum. It needs no gradient
and no convolution, so it explains any classifier.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from captum.attr import Occlusion
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.explain._explanation import Explanation, answer, logits_of, prepared, ready, scaled

MEMORY_PIXELS = 4_000_000  # pixels (times channels) that go through the network at once


@register("explainer")
def occlusion(
    network: nn.Module, picture: Tensor, target: int | None = None, window: int | None = None, **_: Any
) -> Explanation:
    """The loss of the class's logit where a square window covers the picture with its mean colour.

    Args:
        network: any classifier, (N, C, H, W) → (N, classes).
        picture: (C, H, W), float, normalised as in training.
        target: class id; None: the likeliest.
        window: side of the square in pixels; None: a sixth of the shorter side. It moves by half its side.
    """
    batch = prepared(network, picture)
    channels, height, width = batch.shape[1:]
    side = min(window or max(2, round(min(height, width) / 6)), height, width)
    step = max(1, side // 2)
    baseline = batch.mean(dim=(2, 3), keepdim=True).expand_as(batch)
    at_once = max(1, min(64, MEMORY_PIXELS // batch[0].numel()))
    with ready(network), torch.no_grad():
        target, score = answer(network, batch, target)
        method = Occlusion(lambda pictures: logits_of(network, pictures))
        lost = method.attribute(
            batch, (channels, side, side), (channels, step, step), baseline, target, perturbations_per_eval=at_once
        )
    heat, peak = scaled(lost[0].mean(dim=0))
    scaling = (f"0: covering costs nothing or helps; 1: the dearest place, where covering {side} × {side} pixels costs "
               f"{peak:.3g} of the class's logit")  # fmt: skip
    if not math.isfinite(peak):
        raise FloatingPointError("occlusion gave a value that is not finite")
    return Explanation(heat, target, score, "occlusion", scaling, peak)
