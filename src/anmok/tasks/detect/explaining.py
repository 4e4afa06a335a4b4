"""One answered box as a score of the picture, so that explanations made for classifiers serve detection too.

After Petsiuk et al., "Black-box Explanation of Object Detectors via Saliency Maps" (D-RISE, CVPR 2021): what counts is
not whether the class is somewhere, but whether the detector still answers it at this place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from anmok.core.boxes import iou
from anmok.core.errors import UsageError
from anmok.explain.class_activation import coarsest_feature_layer

if TYPE_CHECKING:
    from anmok.tasks.detect.learning import Detect

SMALLEST = 1e-6  # score
SUPPORT = 16  # of a picture's proposals, those that speak most for the box stand for all
CELLS = 3  # across the box, on the maps that class activation looks at …
COARSEST = 6  # … of which a side has at least so many
LINE = (255, 230, 0)
NOTHING = -30.0  # the logarithm of no score
FEATURES = ("encoder", "backbone", "convolutions", "features.convolutions")  # what reads whole pictures, by its name


class BoxScores(nn.Module):
    """How surely a detector answers a class at a box. (N, C, S, S) → (N, classes + 1), the last for "not there".

    The largest of score × overlap with the box, over all that the network answers before suppression; softmax over
    what is handed out gives just that for the class explained. Its gradient is that of the score's logit, which does
    not vanish where the network is sure.

    Args:
        network: a detector.
        box: (4,), pixels of what the network sees.
        target: the class.
        regions: (R, 4), for a network that looks at regions it is given; else None.
    """

    def __init__(self, network: Any, box: Tensor, target: int, regions: Tensor | None) -> None:
        super().__init__()
        self.network, self.box, self.target, self.regions = network, box, target, regions

    def forward(self, x: Tensor) -> Tensor:
        """See above."""
        targets = None if self.regions is None else [{"regions": self.regions}] * len(x)
        found = candidates(self.network, self.network(x) if targets is None else self.network(x, targets))
        sure = torch.stack([self._support(boxes, scores).amax() for boxes, scores in found])
        sure = sure.clamp(SMALLEST, 1 - SMALLEST)
        scores = x.new_full((len(x), self.network.num_classes + 1), NOTHING, dtype=torch.float32)
        evidence = (sure / (1 - sure)).log()
        scores[:, self.target] = sure.detach().log() + evidence - evidence.detach()
        scores[:, -1] = (1 - sure.detach()).log()
        return scores

    def _support(self, boxes: Tensor, scores: Tensor) -> Tensor:
        """Of each candidate, its score for the class times its overlap with the box: (A,); 0 where there is none."""
        overlap = iou(self.box[None].to(boxes), boxes[:, self.target if boxes.shape[1] > 1 else 0])[0]
        return torch.cat([scores[:, self.target].float() * overlap.detach(), scores.new_zeros(1)])

    def feature_layer(self, batch: Tensor) -> str:
        """Where class activation looks: maps of whole pictures, coarse, but with a few cells across the box.

        Raises:
            UsageError: the network looks at crops, and has no maps of whole pictures.
        """
        for name in FEATURES:
            try:
                part = self.network.get_submodule(name)
            except AttributeError:
                continue
            side = float((self.box[2:] - self.box[:2]).min())
            least = round(CELLS * min(batch.shape[-2:]) / max(side, 1.0))
            least = int(np.clip(least, COARSEST, max(COARSEST, min(batch.shape[-2:]) // 8)))
            return f"network.{name}.{coarsest_feature_layer(part, batch, least)}"
        raise UsageError(
            "this detector looks at crops, one by one: no map shows the whole picture",
            got="class_activation", fix="--method occlusion",
        )  # fmt: skip

    def marked(self, pixels: np.ndarray) -> np.ndarray:
        """The picture uint8 (S, S, C) as (S, S, 3) with the box drawn on it."""
        marked = np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels.copy()
        width, (height, across) = max(1, len(pixels) // 160), pixels.shape[:2]
        left, top, right, bottom = (round(float(value)) for value in self.box)
        outer = np.zeros((height, across), bool)
        outer[max(0, top) : bottom, max(0, left) : right] = True
        outer[max(0, top + width) : max(0, bottom - width), max(0, left + width) : max(0, right - width)] = False
        marked[outer] = LINE
        return marked


def candidates(network: Any, outputs: Any) -> list[tuple[Tensor, Tensor]]:
    """What each picture is answered with before suppression: boxes (A, C, 4) or (A, 1, 4), and scores (A, C)."""
    two_stages = hasattr(network, "rpn")
    answers = outputs.regions if two_stages else outputs
    read = network.candidates if hasattr(network, "candidates") else network.roi_heads.candidates
    boxes, scores = read(answers)
    if two_stages or network.takes_regions:
        counts = [len(own) for own in answers.regions]
        return list(zip(boxes.split(counts), scores.split(counts), strict=True))
    return list(zip(boxes[:, :, None], scores, strict=True))


def box_scores(model: Detect, x: Tensor, target: int | None, number: int | None) -> tuple[BoxScores, int]:
    """The scores of one answered box of a normalised picture (C, S, S), and its class.

    Args:
        target: a class; None: whatever the box is answered with.
        number: which of the answered boxes (of this class), counted from 1, the surest first; None: the first.

    Raises:
        UsageError: there is no such box.
    """
    model.network.eval()
    pictures = model.pictures(x[None])
    found = model.found(pictures)[0]
    labels = found["labels"]
    mine = (torch.ones_like(labels, dtype=torch.bool) if target is None else labels == target).nonzero().flatten()
    if not len(mine):
        said = "" if target is None else f" of {model.classes[target]!r}"
        raise UsageError(
            f"the detector answers no box{said} in this picture",
            got=f"nothing from a score of {model.threshold:.0%} on", fix="anmok predict --to FOLDER shows its boxes",
        )  # fmt: skip
    place = (number or 1) - 1
    if not 0 <= place < len(mine):
        raise UsageError("there is no such box", got=f"--box {number}", allowed=f"1 to {len(mine)}, the surest first")
    box, label = found["boxes"][mine[place]], int(labels[mine[place]])
    regions = model.proposals(pictures)
    given = None if regions is None else _supporting(model, x, regions[0], box, label)
    return BoxScores(model.network, box, label, given), label


@torch.no_grad()
def _supporting(model: Detect, x: Tensor, target: Mapping[str, Tensor], box: Tensor, label: int) -> Tensor:
    """The proposals that speak most for a box: (`SUPPORT` or fewer, 4)."""
    regions = target["regions"]
    scores = BoxScores(model.network, box, label, regions)
    boxes, own = candidates(model.network, model.network(x[None].to(regions.device), [target]))[0]
    best = scores._support(boxes, own)[:-1].topk(min(SUPPORT, len(regions))).indices
    return regions[best.to(regions.device)]
