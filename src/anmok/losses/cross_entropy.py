"""Cross entropy of pictures or of every pixel, with label smoothing, class weights and soft targets (mixed pictures).

Smoothing after Szegedy et al. (2016), "Rethinking the Inception Architecture"; mixed targets after Zhang et al. (2018),
"mixup". Hard targets give exactly `torch.nn.functional.cross_entropy`.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from anmok.core.errors import UsageError
from anmok.core.registry import register
from anmok.losses._places import check_places, counted

SMALLEST = torch.finfo(torch.float32).tiny  # a sum of no weights: nothing counts, and 0 is divided by it


@register("loss")
def cross_entropy(
    logits: Tensor,
    targets: Tensor,
    smoothing: float = 0.0,
    weight: Tensor | None = None,
    *,
    ignore: int | None = None,
    place_weight: Tensor | None = None,
) -> Tensor:
    """Mean over pictures, or over the places of all pictures, of −Σ_c target_c · log softmax(logits)_c, in nats.

    Args:
        logits: (N, C) or (N, C, H, W), any floating type; computed in float32, so that bf16 logits lose nothing in the
            sum.
        targets: class ids int64 (N,) or (N, H, W), or shares of every class, float, shaped as the logits, summing to 1.
        smoothing: this share of every target is spread evenly over all classes, in [0, 1).
        weight: of each class (C,); as in torch, the mean over hard targets is then weighed too.
        ignore: the id of places that do not count. Where none counts the loss is 0.
        place_weight: of each place, float (N, H, W), shaped as class ids, such as `border_weights`; it multiplies the
            place's loss, and the mean is over places all the same.

    Returns:
        A scalar, float32.

    Raises:
        UsageError: shapes do not fit, or smoothing lies outside [0, 1).
    """
    if not 0 <= smoothing < 1:
        raise UsageError("label smoothing is a share", got=smoothing, allowed="0 to below 1", fix="0.1")
    logits = logits.float()
    weight = None if weight is None else weight.to(logits)
    if targets.is_floating_point():
        if targets.shape != logits.shape:
            raise UsageError("targets do not fit the logits", got=tuple(targets.shape), allowed=tuple(logits.shape))
        losses = F.cross_entropy(logits, targets.float(), weight, label_smoothing=smoothing, reduction="none")
        return (losses if place_weight is None else losses * place_weight).mean()
    check_places(logits, targets, place_weight)
    known = counted(targets, ignore)
    named = targets.where(known, 0)
    losses = F.cross_entropy(logits, named, weight, label_smoothing=smoothing, reduction="none") * known
    if place_weight is not None:
        losses = losses * place_weight
    places = known.float() if weight is None else weight[named] * known
    return losses.sum() / places.sum().clamp(min=SMALLEST)


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
