"""Focal losses of dense detectors: entropies of independent classes that pay less attention to what is easy.

A dense detector answers at thousands of points, nearly all of them background and soon certain. Lin et al. (RetinaNet,
ICCV 2017, arXiv:1708.02002) weigh each answer by how wrong it still is. Li et al. (Generalized Focal Loss, NeurIPS
2020, arXiv:2006.04388) let the target be a quality in [0, 1] instead of yes or no, so that scores rank boxes. Zhang et
al. (VarifocalNet, CVPR 2021, arXiv:2008.13367) discount only the background and weigh objects by their quality.

All take logits and targets of one shape and give each element's loss, float32. For classes that exclude each other
see `focal`.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from anmok.core.registry import register


@register("loss")
def sigmoid_focal(logits: Tensor, targets: Tensor, alpha: float | None = 0.25, gamma: float = 2.0) -> Tensor:
    """−α_t (1 − p_t)^γ log p_t, with p_t the probability of the right answer.

    Args:
        logits: any shape.
        targets: 0 or 1, the same shape.
        alpha: weight of objects, 1 − α that of background; None: both count alike.
        gamma: how much easy answers are discounted; 0: the entropy itself.

    >>> import torch
    >>> sigmoid_focal(torch.zeros(1), torch.ones(1))   # .25 · .5² · log 2
    tensor([0.0433])
    """
    logits, targets = logits.float(), targets.float()
    entropy = F.binary_cross_entropy_with_logits(logits, targets, reduction="none")
    p = logits.sigmoid()
    loss = entropy * (1 - (p * targets + (1 - p) * (1 - targets))).pow(gamma)
    return loss if alpha is None else loss * (alpha * targets + (1 - alpha) * (1 - targets))


@register("loss")
def quality_focal(logits: Tensor, quality: Tensor, beta: float = 2.0) -> Tensor:
    """|q − p|^β · entropy(q, p): the target is a quality, and a score is wrong by its distance from it.

    Args:
        logits: any shape.
        quality: in [0, 1], 0 for background; the same shape.
        beta: how much small distances are discounted.

    >>> import torch
    >>> quality_focal(torch.zeros(1), torch.ones(1))   # .5² · log 2
    tensor([0.1733])
    """
    logits, quality = logits.float(), quality.float()
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    return (quality - logits.sigmoid()).abs().pow(beta) * entropy


@register("loss")
def varifocal(logits: Tensor, quality: Tensor, alpha: float = 0.75, gamma: float = 2.0) -> Tensor:
    """Objects: q · entropy(q, p). Background (q = 0): α p^γ · entropy(0, p).

    Args:
        logits: any shape.
        quality: in [0, 1], 0 for background; the same shape.
        alpha, gamma: weight and discount of background.

    >>> import torch
    >>> varifocal(torch.zeros(2), torch.tensor([0.5, 0.0]))   # .5 · log 2; .75 · .5² · log 2
    tensor([0.3466, 0.1300])
    """
    logits, quality = logits.float(), quality.float()
    entropy = F.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    background = alpha * logits.sigmoid().pow(gamma)
    return entropy * quality.where(quality > 0, background)
