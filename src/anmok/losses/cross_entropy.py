"""Cross entropy with label smoothing, class weights and soft targets (mixed pictures).

Smoothing after Szegedy et al. (2016), "Rethinking the Inception Architecture"; mixed targets after Zhang et al. (2018),
"mixup". Hard targets give exactly `torch.nn.functional.cross_entropy`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from anmok.core.errors import UsageError
from anmok.core.registry import register


@register("loss")
def cross_entropy(logits: Tensor, targets: Tensor, smoothing: float = 0.0, weight: Tensor | None = None) -> Tensor:
    """Mean over pictures of −Σ_c target_c · log softmax(logits)_c, in nats.

    Args:
        logits: (N, C), any floating type; computed in float32, so that bf16 logits lose nothing in the sum.
        targets: class ids int64 (N,), or each picture's share of every class, float (N, C), rows summing to 1.
        smoothing: this share of every target is spread evenly over all classes, in [0, 1).
        weight: of each class (C,); as in torch, the mean over hard targets is then weighed too.

    Returns:
        A scalar, float32.

    Raises:
        UsageError: shapes do not fit, or smoothing lies outside [0, 1).
    """
    if logits.ndim != 2:
        raise UsageError("logits hold one row a picture", got=tuple(logits.shape), allowed="(pictures, classes)")
    if not 0 <= smoothing < 1:
        raise UsageError("label smoothing is a share", got=smoothing, allowed="0 to below 1", fix="0.1")
    soft = targets.is_floating_point()
    expected = logits.shape if soft else logits.shape[:1]
    if targets.shape != expected:
        raise UsageError("targets do not fit the logits", got=tuple(targets.shape), allowed=tuple(expected))
    logits = logits.float()
    weight = None if weight is None else weight.to(logits)
    return F.cross_entropy(logits, targets.float() if soft else targets, weight=weight, label_smoothing=smoothing)


def soft_targets(targets: Tensor, num_classes: int) -> Tensor:
    """Class ids int64 (N,) as shares float32 (N, C), one at the class's place.

    >>> soft_targets(torch.tensor([1]), 3)
    tensor([[0., 1., 0.]])
    """
    return F.one_hot(targets, num_classes).float()


def mixed_targets(targets: Tensor, partners: Tensor, share: Tensor | float, num_classes: int) -> Tensor:
    """Targets of mixed pictures: `share` of each picture's class, the rest of its partner's; float32 (N, C).

    `share`: one number, or one a picture (N,), in [0, 1].

    >>> mixed_targets(torch.tensor([0]), torch.tensor([1]), 0.75, 2)
    tensor([[0.7500, 0.2500]])
    """
    part = torch.as_tensor(share, dtype=torch.float32).reshape(-1, 1).to(targets.device)
    return part * soft_targets(targets, num_classes) + (1 - part) * soft_targets(partners, num_classes)
