"""What of a detector is shipped: a graph that ends at the best candidates, and how answers are made of these."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anmok.networks._detector import MOST_CANDIDATES, Overlap
from anmok.networks._rpn import SUPPRESSED, Survivors
from anmok.ship.answers.detect import MASKS, OUTPUTS, REGIONS
from anmok.tasks._shipping import Cargo
from anmok.tasks.detect.learning import Detect

LIMIT = 100  # boxes a picture, as a network's `detect` gives


class Best(nn.Module):
    """A detector up to its `MOST_CANDIDATES` best candidates, so many for every picture; suppression comes after.

    One point may be candidate for several classes.
    """

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, C, S, S) → boxes (N, K, 4) in pixels of the square, scores and labels (N, K) as float32, best first."""
        if hasattr(self.network, "candidates_of"):
            return best(*self.network.candidates_of(x))
        return best(*self.network.candidates(self.network(x)))


class BestAt(nn.Module):
    """As `Best`, of a detector that looks at regions it is given. Empty ones fill pictures up, and cost nothing."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor, regions: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(N, C, S, S) and regions (N, R, 4) → `Best`'s three; K is the same whatever R is, and what is empty scores 0.

        One empty region is looked at, the first picture's first: not every runtime computes with nothing.
        """
        classes = self.network.num_classes
        regions = F.pad(regions, (0, 0, -(-MOST_CANDIDATES // classes), 0))  # so many that K candidates there are
        solid = (regions[..., 2:] > regions[..., :2]).all(2)
        first = (torch.arange(solid.shape[0])[:, None] + torch.arange(solid.shape[1])) == 0
        number, place = (solid | first).nonzero().unbind(1)
        numbered = torch.cat([number[:, None].float(), regions[number, place]], 1)
        boxes, scores = self.network.candidates_at(x, numbered)
        scores = scores * solid[number, place][:, None]
        nothing = torch.zeros_like(regions[:, :, :1]).expand(-1, -1, classes)
        nowhere = nothing[..., None].expand(-1, -1, -1, 4)
        return best(nowhere.index_put((number, place), boxes), nothing.index_put((number, place), scores))


class BestDrawn(nn.Module):
    """As `Best`, and a mask of each candidate that may be an answer: what suppression leaves above the threshold.

    Suppression is therefore in the graph, unless it is soft: then every candidate above the threshold is drawn.

    Args:
        network: draws masks.
        threshold: scores below are no answer.
        nms: see `anmok.networks._detector.Detector.detect`.
    """

    def __init__(self, network: Any, threshold: float, nms: Overlap) -> None:
        super().__init__()
        self.network, self.threshold, self.nms = network, threshold, nms

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(N, C, S, S) → `Best`'s three, and masks (N, K, 28, 28) in [0, 1]; nothing is drawn of what scores less."""
        maps = self.network.backbone(x)
        boxes, scores, labels = best(*self.network.candidates_in(maps, (x.shape[2], x.shape[3])))
        if self.nms != "soft":
            scores = survivors_by_class(boxes, scores, labels, self.network.num_classes, self.nms)
            scores, places = scores.topk(min(LIMIT, boxes.shape[1]))
            boxes, labels = boxes.gather(1, places[..., None].expand(-1, -1, 4)), labels.gather(1, places)
        first = torch.arange(scores.shape[1], device=scores.device) == 0  # drawn always: not all runtimes draw nothing
        good = (scores >= self.threshold) | first
        number, place = good.nonzero().unbind(1)
        numbered = torch.cat([number[:, None].float(), boxes[number, place]], 1)
        drawn = self.network.masks(maps, numbered, labels[number, place].long() + 1).sigmoid()
        nothing = (0 * scores)[..., None, None].expand(-1, -1, *drawn.shape[1:])
        return boxes, scores, labels, nothing.index_put((number, place), drawn)


def best(boxes: Tensor, scores: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The `MOST_CANDIDATES` best of each picture: boxes (N, K, 4), scores and labels (N, K) as float32.

    Args:
        boxes: (N, A, 4), or (N, A, classes, 4) where each class has its own.
        scores: (N, A, classes).
    """
    classes = scores.shape[2]
    values, places = scores.flatten(1).topk(min(MOST_CANDIDATES, scores[0].numel()))
    labels = places % classes
    rows = places if boxes.ndim == 4 else (places - labels) // classes
    chosen = boxes.flatten(1, -2).gather(1, rows[..., None].expand(-1, -1, 4))
    return chosen, values, labels.float()


def survivors_by_class(boxes: Tensor, scores: Tensor, labels: Tensor, classes: int, overlap: float) -> Tensor:
    """`Survivors` among the boxes (N, K, 4) of each class: scores (N, K)."""
    numbers = torch.arange(classes, device=labels.device)[:, None]
    own = torch.where(labels[:, None] == numbers, scores[:, None], SUPPRESSED)  # (N, classes, K)
    each = boxes[:, None].expand(-1, classes, -1, -1).flatten(0, 1)
    left = Survivors.apply(each, own.flatten(0, 1), overlap, MOST_CANDIDATES)
    return left.unflatten(0, (-1, classes)).amax(1)


def cargo(model: Detect) -> Cargo:
    """See `anmok.tasks._kind.Shipping`."""
    settings = {"classes": model.classes, "threshold": model.threshold, "nms": model.nms, "limit": LIMIT,
                "preparation": model.preparation.to_json()}  # fmt: skip
    if model.search is not None:
        settings |= {"search": asdict(model.search), "at_once": getattr(model.network, "regions_at_once", None)}
        return Cargo(BestAt(model.network), OUTPUTS, settings, further={REGIONS: _regions(model.preparation.size)})
    if getattr(model.network, "draws_masks", False):
        return Cargo(BestDrawn(model.network, model.threshold, model.nms), (*OUTPUTS, MASKS), settings)
    return Cargo(Best(model.network), OUTPUTS, settings)


def _regions(side: int) -> Tensor:
    """Regions to trace with, of two pictures, one of which has fewer: (2, 3, 4)."""
    some = torch.tensor([[0.0, 0, 1, 1], [0.25, 0.25, 0.75, 0.5], [0.5, 0, 1, 0.5]]) * side
    return torch.stack([some, some * torch.tensor([1.0, 1, 0])[:, None]])
