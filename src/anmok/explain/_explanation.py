"""What every explainer takes and gives."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.modes import evaluating


@dataclass(frozen=True)
class Explanation:
    """A heat map and how to read it.

    `heat`: float32 (H, W) in [0, 1]. `scaling`: what 0 and 1 stand for. `peak`: the value before scaling that became 1;
    0 says that the map is empty. `target` and `score`: the class explained and its probability. `layer`: where the map
    was taken, for methods that look at one layer.
    """

    heat: np.ndarray
    target: int
    score: float
    method: str
    scaling: str
    peak: float
    layer: str | None = None


class Explainer(Protocol):
    """One way to explain; all are called alike."""

    __name__: str

    def __call__(self, network: nn.Module, picture: Tensor, target: int | None = None, **options: Any) -> Explanation:
        """`picture`: (C, H, W), float, normalised as in training. `target`: class id; None: the likeliest class."""


@contextmanager
def ready(network: nn.Module) -> Iterator[nn.Module]:
    """The network in evaluation mode with gradients on; every module's own mode comes back afterwards."""
    with evaluating(network), torch.enable_grad():
        yield network


def prepared(network: nn.Module, picture: Tensor) -> Tensor:
    """The picture as a batch of one on the network's device and in its type: (1, C, H, W)."""
    if picture.ndim == 4 and len(picture) == 1:
        picture = picture[0]
    if picture.ndim != 3 or not picture.is_floating_point():
        raise UsageError("one normalised picture is explained at a time", got=f"{picture.dtype} {tuple(picture.shape)}",
                         allowed="float, (channels, height, width)")  # fmt: skip
    if not torch.isfinite(picture).all():
        raise UsageError("the picture holds values that are not finite", fix="the run's own preprocessing")
    like = next((p for p in network.parameters() if p.is_floating_point()), picture)
    return picture[None].detach().to(device=like.device, dtype=like.dtype)


def logits_of(network: nn.Module, batch: Tensor) -> Tensor:
    """The network's scores (N, C); the first of several outputs (auxiliary heads) counts."""
    output = network(batch)
    output = output[0] if isinstance(output, (tuple, list)) else output
    if not isinstance(output, Tensor) or output.ndim != 2:
        raise UsageError("only a classifier can be explained", got=f"output {getattr(output, 'shape', type(output))}",
                         allowed="one row of class scores a picture")  # fmt: skip
    return output


def answer(network: nn.Module, batch: Tensor, target: int | None) -> tuple[int, float]:
    """The class to explain and its probability."""
    with torch.no_grad():
        return chosen(logits_of(network, batch), target)


def chosen(logits: Tensor, target: int | None) -> tuple[int, float]:
    """The same from the scores (1, C) of a picture."""
    probabilities = logits.detach().float().softmax(dim=1)[0]
    if target is None:
        target = int(probabilities.argmax())
    if not 0 <= target < len(probabilities):
        raise UsageError("there is no such class", got=target, allowed=f"0 to {len(probabilities) - 1}")
    return target, float(probabilities[target])


def scaled(values: Tensor, quantile: float = 1.0) -> tuple[np.ndarray, float]:
    """Values ≥ 0 (H, W) divided by their peak (largest, or the `quantile`), cut at 1; and that peak."""
    values = values.detach().float().cpu().clamp(min=0)
    peak = float(values.flatten().quantile(quantile)) if values.numel() <= 2**24 else float(values.max())
    peak = peak if peak > 0 else float(values.max())
    if not peak > 0:
        return np.zeros(tuple(values.shape), dtype=np.float32), 0.0
    return (values / peak).clamp(max=1).numpy().astype(np.float32), peak
