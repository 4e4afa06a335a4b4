"""Losses of boxes by how they lie on each other, rather than by four numbers apart.

Generalised IoU (Rezatofighi et al., CVPR 2019, arXiv:1902.09630) also pulls boxes together that do not touch yet:
IoU less the share of the smallest enclosing box that belongs to neither. Complete IoU (Zheng et al., AAAI 2020,
arXiv:1911.08287) instead takes off how far the centres are apart and how much the shapes differ. Computed by
torchvision, in float32.
"""

from __future__ import annotations

from torch import Tensor

from anmok.core.boxes import check
from anmok.core.errors import UsageError
from anmok.core.registry import register


@register("loss")
def giou_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """1 − generalised IoU of each pair of boxes (M, 4): (M,), in [0, 2].

    >>> import torch
    >>> giou_loss(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0]]))   # 1 − 2/6 + 0/6
    tensor([0.6667])
    """
    from torchvision.ops import generalized_box_iou_loss

    return generalized_box_iou_loss(*_pair(predicted, wanted))


@register("loss")
def ciou_loss(predicted: Tensor, wanted: Tensor) -> Tensor:
    """1 − complete IoU of each pair of boxes (M, 4): (M,).

    >>> import torch
    >>> ciou_loss(torch.tensor([[0.0, 0.0, 2.0, 2.0]]), torch.tensor([[1.0, 0.0, 3.0, 2.0]]))   # 1 − 2/6 + 1²/13
    tensor([0.7436])
    """
    from torchvision.ops import complete_box_iou_loss

    return complete_box_iou_loss(*_pair(predicted, wanted))


def _pair(predicted: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    check(predicted, "predicted boxes"), check(wanted, "wanted boxes")
    if predicted.shape != wanted.shape:
        raise UsageError("boxes come in pairs", got=f"{tuple(predicted.shape)} and {tuple(wanted.shape)}")
    return predicted.float(), wanted.float()
