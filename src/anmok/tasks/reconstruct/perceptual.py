"""How far answers lie from what they should be as a network sees them: an LPIPS-like distance.

EfficientNet-Lite0 looks, whose ImageNet weights are installed with anmok; figures hold for it only, and are not to be
compared with published LPIPS.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.types import Batch
from anmok.core.weights import IMAGENET_MEAN, IMAGENET_STD
from anmok.metrics.perceptual import perceptual_distance
from anmok.networks import build
from anmok.tasks.reconstruct.learning import Reconstruct

SMALLEST = 64  # pixels the network is shown; smaller pictures are enlarged
AT_ONCE = 64  # pictures


@torch.no_grad()
def perceptual(model: Reconstruct, batches: Iterable[Batch]) -> np.ndarray:
    """Of every answer, how far it looks from its target, (N,)."""
    network = build("efficientnet_lite0", num_classes=None, weights="imagenet").eval()
    model.devices.place(network)
    found = []
    for _, x, target in model.asked(batches):
        out = model.reconstruct(x)
        for part in (slice(start, start + AT_ONCE) for start in range(0, len(x), AT_ONCE)):
            found.append(perceptual_distance(_maps(network, out[part]), _maps(network, target[part])))
    return np.concatenate(found)


def _maps(network: nn.Module, x: Tensor) -> list[np.ndarray]:
    """Intensities (N, C, S, S) → the maps of all stages."""
    if x.shape[2] < SMALLEST:
        x = F.interpolate(x, (SMALLEST, SMALLEST), mode="bilinear")
    mean, std = (x.new_tensor(values).view(-1, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
    shown = ((x.float().clamp(0, 1).expand(-1, 3, -1, -1) - mean) / std).contiguous(memory_format=torch.channels_last)
    return [stage.float().cpu().numpy() for stage in network.features(shown)]  # type: ignore[operator]
