"""Mask R-CNN (He, Gkioxari, Dollár, Girshick: Mask R-CNN, ICCV 2017), in torchvision's form.

Faster R-CNN on a feature pyramid with a third sibling: a small fully convolutional network draws, for every region and
every class, a 28 × 28 mask; only the answered class's is used, so that classes do not compete for pixels.
(N, 3, H, W) → boxes, classes, and a mask each.

Initialisation: as `fasterrcnn_resnet50_fpn`; the mask layers He's normal, fan out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anmok.core.boxes import clip
from anmok.core.errors import UsageError
from anmok.core.registry import register
from anmok.core.weights import Weights
from anmok.networks import published
from anmok.networks._card import Paper, about
from anmok.networks._detector import Found, Overlap, Sizes, Target, check_targets
from anmok.networks._pretrained import Source, load, wants_published
from anmok.networks._region_heads import RegionAnswers
from anmok.networks._regions import Regions
from anmok.networks._rpn import Proposed, rpn_losses
from anmok.networks.faster_rcnn import FasterRCNN, candidates_in
from anmok.networks.fasterrcnn_resnet50_fpn import CARD as BOX_CARD
from anmok.networks.fasterrcnn_resnet50_fpn import COCO, REGIONS, SIZES, Dimensions, parts_of, pool_levels

DEPTH, POOLED = 4, 14  # convolutions of the mask branch, and the cells a side that they see

CARD = replace(
    BOX_CARD,
    title="Mask R-CNN",
    paper=Paper("Mask R-CNN", "He, Gkioxari, Dollár, Girshick", 2017, "ICCV", "1703.06870"),
    idea="Add a third answer to Faster R-CNN: for each region a small mask of every class, drawn by convolutions. RoI "
    "align looks regions up without rounding, since a mask shows every shifted pixel.",
    fixed="Instance segmentation needed pipelines that segmented first and named later, and were slow and clumsy where "
    "objects touch.",
    cost="With ResNet-50 44.4 million parameters: the mask branch adds 2.6 million and a fifth to the time.",
    reach_for="Objects to be counted and outlined one by one; weights that know COCO's classes.",
    avoid="Boxes alone (Faster R-CNN, anchor_free), or classes of pixels without instances (U-Net).",
)
WEIGHTS = {
    "coco-v1": Weights(
        url="https://download.pytorch.org/models/maskrcnn_resnet50_fpn_coco-bf2d0c1e.pth",
        classes=90,
        preprocessing=COCO,
        source="torchvision, COCO_V1: box AP 37.9, mask AP 34.6 on COCO val2017; labels are category ids less one",
    )
}


class WithMasks(NamedTuple):
    """Answers of both stages, and of the masks for regions that are objects; maps and size to draw further masks."""

    proposed: Proposed
    regions: RegionAnswers
    maps: tuple[Tensor, ...]
    size: tuple[int, int]
    masks: Tensor | None = None  # (P, 28, 28) logits of the true class
    wanted: Tensor | None = None  # (P, 28, 28) in [0, 1]


class MaskPredictor(nn.Module):
    """(R, 256, 14, 14) → logits (R, C + 1, 28, 28)."""

    def __init__(self, width: int, num_classes: int) -> None:
        super().__init__()
        self.conv5_mask = nn.ConvTranspose2d(width, width, kernel_size=2, stride=2)
        self.mask_fcn_logits = nn.Conv2d(width, num_classes + 1, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """See above."""
        return self.mask_fcn_logits(F.relu(self.conv5_mask(x)))


def mask_head(width: int) -> nn.Sequential:
    """Four convolutions. (R, 256, 14, 14) → the same shape."""
    return nn.Sequential(
        *(nn.Sequential(nn.Conv2d(width, width, 3, padding=1), nn.ReLU(inplace=True)) for _ in range(DEPTH))
    )


class MaskRCNN(nn.Module):
    """Faster R-CNN's parts and the mask branch, of `width` channels. See `maskrcnn_resnet50_fpn`."""

    takes_regions, draws_masks = False, True
    heads = (*FasterRCNN.heads, "roi_heads.mask_predictor.mask_fcn_logits")

    def __init__(self, parts: FasterRCNN, width: int) -> None:
        super().__init__()
        self.accepts = replace(parts.accepts, network="maskrcnn_resnet50_fpn")
        backbone: Any = parts.backbone
        self.num_classes, self.strides = parts.num_classes, backbone.strides
        self.backbone, self.rpn, self.roi_heads = backbone, parts.rpn, parts.roi_heads
        self.roi_heads.mask_head = mask_head(width).apply(self.initialize)
        self.roi_heads.mask_predictor = MaskPredictor(width, self.num_classes).apply(self.initialize)

    def forward(self, pictures: Tensor, targets: Sequence[Target] | None = None) -> WithMasks:
        """(N, C, H, W) → answers; while training, for a sample of the proposals. Targets need `masks` (M, H, W)."""
        self.accepts.check(pictures)
        size = (pictures.shape[2], pictures.shape[3])
        maps = self.backbone(pictures)
        proposals, proposed = self.rpn(maps, size)
        if not self.training or targets is None:
            return WithMasks(proposed, self.roi_heads(maps, proposals), tuple(maps), size)
        check_targets(targets, len(pictures), self.num_classes)
        chosen = self.roi_heads.choose(proposals, targets)
        answers = self.roi_heads.learn(maps, chosen, targets)
        objects = [labels > 0 for labels in chosen.labels]
        boxes = [own[mine] for own, mine in zip(chosen.regions, objects, strict=True)]
        masks = self.masks(maps, boxes, torch.cat(chosen.labels)[torch.cat(objects)])
        owners = [own[mine] for own, mine in zip(chosen.owners, objects, strict=True)]
        return WithMasks(proposed, answers, tuple(maps), size, masks, wanted_masks(targets, boxes, owners))

    def masks(self, maps: Sequence[Tensor], boxes: Regions, labels: Tensor) -> Tensor:
        """Mask logits (P, 28, 28) of P boxes, of the class `labels` (P,), background 0."""
        pooled = pool_levels(maps, boxes, POOLED, self.strides)  #                             P, 256, 14, 14
        heads: Any = self.roi_heads
        drawn = heads.mask_predictor(heads.mask_head(pooled)).float()  #                       P, C + 1, 28, 28
        own = labels[:, None, None, None].expand(-1, -1, *drawn.shape[2:])
        return drawn.gather(1, own).squeeze(1)

    def candidates_in(self, maps: Sequence[Tensor], size: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """See `Detector.candidates_of`, in the maps of pictures of `size` (height, width), where boxes are cut off."""
        boxes, scores = candidates_in(maps, size, self.rpn, self.roi_heads)
        boxes = clip(boxes, size)
        return boxes, scores * (boxes[..., 2:] > boxes[..., :2]).all(-1)

    def losses(self, outputs: WithMasks, targets: Sequence[Target]) -> dict[str, Tensor]:
        """Faster R-CNN's four, and `masks`: binary cross entropy of the true class's mask."""
        assert outputs.masks is not None and outputs.wanted is not None
        entropy = F.binary_cross_entropy_with_logits(outputs.masks, outputs.wanted, reduction="sum")
        return {
            **rpn_losses(outputs.proposed, targets),
            **self.roi_heads.losses(outputs.regions),
            "masks": entropy / max(1, outputs.masks.numel()),
        }

    @torch.no_grad()
    def detect(
        self,
        outputs: WithMasks,
        sizes: Sizes | None = None,
        *,
        score: float = 0.05,
        nms: Overlap = 0.5,
        limit: int = 100,
        masks: bool = True,
    ) -> list[Found]:
        """See `Detector.detect`; also `masks`, bool (K, H, W). Boxes are always cut off: outside there is no mask.

        `masks`: False leaves them out, which is most of the time where a hundred boxes are answered.
        """
        from torchvision.models.detection.roi_heads import paste_masks_in_image

        sizes = [outputs.size] * len(outputs.regions.regions) if sizes is None else sizes
        found = self.roi_heads.detect(outputs.regions, sizes, score=score, nms=nms, limit=limit)
        if not masks:
            return found
        boxes = [own["boxes"] for own in found]
        shares = self.masks(outputs.maps, boxes, torch.cat([own["labels"] for own in found]) + 1).sigmoid()
        for own, share in zip(found, shares.split([len(one) for one in boxes]), strict=True):
            drawn = paste_masks_in_image(share[:, None], own["boxes"], outputs.size)[:, 0] if len(share) else share
            own["masks"] = drawn.reshape(-1, *outputs.size) > 0.5
        return found

    def initialize(self, module: nn.Module) -> None:
        """See the head of this file."""
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]


@torch.no_grad()
def wanted_masks(targets: Sequence[Target], boxes: Sequence[Tensor], owners: Sequence[Tensor]) -> Tensor:
    """The objects' masks seen through regions: (P, 28, 28) in [0, 1].

    Raises:
        UsageError: targets without masks.
    """
    from torchvision.ops import roi_align

    side, parts = 2 * POOLED, []
    for target, own, owner in zip(targets, boxes, owners, strict=True):
        if "masks" not in target or len(target["masks"]) != len(target["boxes"]):
            raise UsageError(
                "a network that draws masks learns from masks",
                got=f"{len(target.get('masks', ()))} masks for {len(target['boxes'])} boxes",
                allowed="targets with masks, bool (M, H, W)",
                fix="data with polygons or masks, or fasterrcnn_resnet50_fpn for boxes alone",
            )
        numbered = torch.cat([owner[:, None].to(own), own], 1)
        parts.append(
            roi_align(target["masks"][:, None].to(own), numbered, side)[:, 0]
            if len(own)
            else own.new_zeros(0, side, side)
        )
    return torch.cat(parts)


@register("detect network")
@about(CARD, WEIGHTS)
def maskrcnn_resnet50_fpn(
    num_classes: int = 90,
    in_channels: int = 3,
    *,
    encoder: str = "resnet50",
    hidden: int = 1024,
    sizes: tuple[float, ...] = SIZES,
    width: int = 256,
    regions: tuple[int, int] = REGIONS,
    weights: Source = None,
) -> MaskRCNN:
    """Mask R-CNN. Arguments as `fasterrcnn_resnet50_fpn`."""
    form = Dimensions(hidden, sizes, width, regions)
    whole = weights in WEIGHTS or isinstance(weights, Weights)
    pretrained = not whole and wants_published(weights, published(encoder))
    parts = parts_of(
        num_classes, in_channels, encoder, form, weights if pretrained else None, frozen=whole or pretrained
    )
    net = MaskRCNN(parts, width)
    return net if pretrained else load(net, weights, WEIGHTS)
