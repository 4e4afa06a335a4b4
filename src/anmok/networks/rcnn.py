"""R-CNN (Girshick, Donahue, Darrell, Malik: Rich feature hierarchies …, CVPR 2014).

Two thousand regions of a picture are cut out with some of their surroundings, warped to squares, and each passes
AlexNet on its own. A linear SVM a class reads the 4096 numbers before the last layer; ridge regression on the last map
corrects the box. (N, 3, H, W) and R regions → (R, 21) logits, (R, 4096), (R, 9216).

Initialisation: the classifier's own.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from anmok.core.modes import evaluating
from anmok.core.registry import register
from anmok.networks import build, published
from anmok.networks._card import Card, Paper, about
from anmok.networks._closed_form import RIDGE
from anmok.networks._interface import Accepts
from anmok.networks._pretrained import Source, load, wants_published
from anmok.networks._region_svm import RegionSVM
from anmok.networks._regions import Regions, numbered, warp

CONTEXT = 16 / 227  # of a crop's side: the margin of surroundings on each side
AT_ONCE = 128  # crops that pass the network together

CARD = Card(
    title="R-CNN",
    paper=Paper(
        "Rich feature hierarchies for accurate object detection and semantic segmentation",
        "Girshick, Donahue, Darrell, Malik",
        2014,
        "CVPR",
        "1311.2524",
    ),
    idea="A network that names pictures can name regions: propose two thousand, warp each to the network's input, "
    "fine-tune it on them, and let an SVM a class decide.",
    fixed="Detection had stood still for years on designed features; this raised mean average precision on VOC 2012 "
    "by 30 %, and showed that features learned on ImageNet carry over.",
    cost="57 million parameters, and one pass of them for every region: most of a minute a picture on a graphics card "
    "then. Three trainings: network, SVMs, box regression.",
    reach_for="Where it all began, with every step in the open; few pictures, and a good classifier at hand.",
    avoid="Speed of any kind. Fast R-CNN answers the same question from one pass over the picture.",
    differences=(
        "fine-tuning samples its regions picture by picture, not over the whole data set.",
        "an SVM holds at most 10,000 negatives, the hardest; the released program forgets only easy ones.",
        "SVM margins are handed out as 1 / (1 + exp(-margin)), which keeps their order.",
    ),
    natural=500,
    smallest=1,
)


class Warped(nn.Module):
    """(N, C, H, W) and R regions → last map, vector before the last dense layer, and logits of each warped crop.

    `size`: side of the crops, pixels.
    """

    at_once = AT_ONCE

    def __init__(self, classifier: Any, size: int) -> None:
        super().__init__()
        self.classifier, self.size = classifier, size
        self.heads = tuple(f"classifier.{name}" for name in classifier.heads)

    def forward(self, pictures: Tensor, regions: Regions) -> tuple[Tensor, Tensor, Tensor]:
        """Crops in portions: two thousand of them would fill the memory. A graph is asked portion by portion."""
        boxes = numbered(regions)
        portions = []
        for part in (boxes,) if torch.jit.is_tracing() else boxes.split(AT_ONCE):
            crops = warp(pictures, part, self.size, round(CONTEXT * self.size))  # R, 3, 227, 227
            maps = self.classifier.forward_features(crops)  #                      R, 256, 6, 6
            vectors = self.classifier.forward_head(maps, pre_logits=True)  #       R, 4096
            portions.append((maps, vectors))
        maps, vectors = (torch.cat(parts) for parts in zip(*portions, strict=True))
        return maps, vectors, self.classifier.get_submodule(self.classifier.heads[0])(vectors)


@register("detect network")
@about(CARD)
def rcnn(
    num_classes: int = 20,
    in_channels: int = 3,
    *,
    encoder: str = "alexnet_2012",
    crop: int | None = None,
    weights: Source = None,
) -> RegionSVM:
    """R-CNN.

    Args:
        num_classes: without background.
        in_channels: channels of the pictures.
        encoder: a classification network's name, or `timm:<name>`; also written `rcnn:<encoder>`.
        crop: side of the warped regions, pixels; None: the classifier's natural size.
        weights: None; `"imagenet"` and the encoder's other published names for a pretrained encoder; or the path of a
            file of the whole network.
    """
    pretrained = wants_published(weights, published(encoder))
    classifier: Any = build(
        encoder, num_classes=num_classes + 1, in_channels=in_channels, weights=weights if pretrained else None
    )
    size = crop or classifier.accepts.natural
    maps, vector = _numbers(classifier, size)
    net = RegionSVM(
        Accepts("rcnn", in_channels, CARD.smallest, CARD.natural),
        Warped(classifier, size),
        num_classes,
        pooled=maps,
        vector=vector,
        lowest=0.0,
        close=0.6,
        ridge=RIDGE,
    )
    return net if pretrained else load(net, weights, {})


def _numbers(classifier: Any, size: int) -> tuple[int, int]:
    """How many numbers a crop's last map and vector hold, found by a trial."""
    like = next(classifier.parameters())
    with evaluating(classifier), torch.no_grad():
        x = like.new_zeros(1, classifier.accepts.channels, size, size)
        maps = classifier.forward_features(x)
        vector = classifier.forward_head(maps, pre_logits=True)
    return maps[0].numel(), vector.shape[1]
