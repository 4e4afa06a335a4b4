"""Soft Dice: how far answers and truth overlap, class by class, so that a small class counts as much as a large one.

Milletari, Navab, Ahmadi (2016), "V-Net". Over all pixels of the batch and for each class, with p the probabilities and
t the truth, Dice = 2 Σ p·t / (Σ p + Σ t); the loss is 1 − its mean over classes.

**Classes that no pixel of the batch has are left out.** Their Dice would be 0 however the network answered, and a class
seen once in many batches would be taught nothing but its absence. Answering them still costs: it takes probability from
the classes that are there.
"""

from __future__ import annotations

from torch import Tensor

from anmok.core.registry import register
from anmok.losses._places import check_places, counted


@register("loss")
def dice(
    logits: Tensor,
    targets: Tensor,
    *,
    weight: Tensor | None = None,
    ignore: int | None = None,
    place_weight: Tensor | None = None,
    smooth: float = 1e-6,
) -> Tensor:
    """1 − soft Dice, averaged over the classes that are there.

    Args:
        logits: (N, C, H, W), any floating type; computed in float32. (N, C) works too.
        targets: class ids int64 (N, H, W).
        weight: of each class in the average (C,).
        ignore: the id of pixels that do not count. Where none counts the loss is 0.
        place_weight: of each pixel in all sums, float (N, H, W).
        smooth: added above and below the fraction; keeps it finite, and larger values flatten it for tiny classes.

    Returns:
        A scalar in [0, 1], float32.

    Raises:
        UsageError: shapes do not fit.

    >>> import torch
    >>> logits = torch.tensor([[0.0, 0.0], [0.0, 0.0]])          # both pixels: ½ and ½
    >>> round(float(dice(logits, torch.tensor([0, 1]))), 4)      # each class: 2·½ / (1 + 1)
    0.5
    """
    check_places(logits, targets, place_weight)
    known = counted(targets, ignore)
    p, ids = logits.float().softmax(1), targets.where(known, 0)
    factor = known.float() if place_weight is None else known * place_weight.float()
    own = p.gather(1, ids.unsqueeze(1)).squeeze(1)  # what each pixel gives its true class; no map of ones a class
    nothing = p.new_zeros(p.shape[1])
    both = nothing.index_add(0, ids.flatten(), (own * factor).flatten())  # (C,), as the next two
    present = nothing.index_add(0, ids.flatten(), factor.flatten())
    answered = (p * factor.unsqueeze(1)).sum((0, *range(2, p.ndim)))
    shares = (2 * both + smooth) / (answered + present + smooth)
    there = (present > 0).float() if weight is None else (present > 0) * weight.to(p)
    return ((1 - shares) * there).sum() / there.sum().clamp(min=smooth)
