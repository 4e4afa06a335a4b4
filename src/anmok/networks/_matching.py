"""Who learns from what, in the R-CNN family: anchors and regions matched with objects, then sampled."""

from __future__ import annotations

import torch
from torch import Tensor

BACKGROUND, IGNORED = -1, -2


def match(overlaps: Tensor, high: float, low: float, *, best_too: bool = False) -> Tensor:
    """The object that each candidate belongs to.

    Args:
        overlaps: IoU of objects and candidates (M, A); M may be 0.
        high: from this overlap on a candidate belongs to the object it overlaps most.
        low: below it is background; between the two it is ignored.
        best_too: the candidates that overlap an object most, all of them where several tie, count as matched however
            little that is, each with the object *it* overlaps most (Faster R-CNN's anchors).

    Returns:
        int64 (A,): index of an object, `BACKGROUND` or `IGNORED`.
    """
    if not len(overlaps):
        return overlaps.new_full((overlaps.shape[1],), BACKGROUND, dtype=torch.int64)
    best, owner = overlaps.max(0)
    matched = torch.where(best >= high, owner, torch.where(best < low, BACKGROUND, IGNORED))
    if best_too:
        most = overlaps.amax(1, keepdim=True)
        tied = ((overlaps == most) & (most > 0)).any(0)
        matched = torch.where(tied, owner, matched)
    return matched


def sample(positive: Tensor, negative: Tensor, count: int, share: float) -> tuple[Tensor, Tensor]:
    """At most `count` candidates at random, at most `share` of them positive: their indices, positives and negatives.

    Where positives are few, negatives fill up; where negatives are few, fewer are taken. `positive`, `negative`: bool
    (A,). Drawn from torch's global generator.
    """
    yes, no = positive.nonzero().flatten(), negative.nonzero().flatten()
    many = min(len(yes), int(count * share))
    few = min(len(no), count - many)
    yes = yes[torch.randperm(len(yes), device=yes.device)[:many]]
    return yes, no[torch.randperm(len(no), device=no.device)[:few]]
