"""The detector for today: one stage, no anchors, any encoder.

What ten years left standing, each part from its paper:

    encoder → path aggregation → decoupled heads → a class score and a box at every point of three maps

No anchor boxes: a point answers with a centre and a size (Tian et al., FCOS, ICCV 2019, arXiv:1904.01355; Ge et al.,
YOLOX, 2021, arXiv:2107.08430). Two branches, one for what and one for where, with convolutions shared by all levels
and normalisation of their own (Lyu et al., RTMDet, 2022, arXiv:2212.07784). Which points learn from which object is
decided by how well they already do (`_assign`), and the class score is trained to tell how well the box lies (Li et
al., Generalized Focal Loss, NeurIPS 2020, arXiv:2006.04388), boxes by complete IoU (Zheng et al., AAAI 2020,
arXiv:1911.08287). Why these: docs/decisions/0009-todays-detector.md. (N, 3, H, W) → boxes, any H and W.

Initialisation: convolutions He's normal, fan out; last layers N(0, 0.01²); every class starts as likely as `PRIOR`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks import published
from anmok.networks._assign import align
from anmok.networks._card import Card, Paper, about
from anmok.networks._detector import Found, Overlap, Sizes, Target, check_targets, padded, select_all
from anmok.networks._encoder import Encoder
from anmok.networks._interface import Accepts, StageInfo
from anmok.networks._pretrained import Source, initialize_convolutions, load, wants_published
from anmok.networks._pyramid import PathAggregation, conv_norm

STRIDES = (8, 16, 32)
PRIOR = 0.01  # probability of every class at every point, before anything is learned
START = 4.0  # strides: width and height of every box before anything is learned
BOX_WEIGHT = 2.0  # of the boxes' loss beside the classes'

CARD = Card(
    title="Today's detector",
    paper=Paper(
        "FCOS: Fully Convolutional One-Stage Object Detection", "Tian, Shen, Chen, He", 2019, "ICCV", "1904.01355"
    ),
    idea="Every point of three maps says what it sees and where that lies. Which points must answer for an object is "
    "decided by how well they already do, and the score learns to tell how well the box lies.",
    fixed="Anchor boxes had to be tuned to each data set; matching by overlap with them gave learning signals that had "
    "little to do with the answers; and scores said nothing about the boxes they came with.",
    cost="With its own encoder 2.4 million parameters, and for a 192 × 192 picture 0.37 billion multiply-adds.",
    reach_for="Detection, nowadays: from scratch on a thousand pictures, or on any pretrained encoder of the zoo.",
    avoid="Reading history: the R-CNNs and YOLO v1 show each idea alone. For masks, Mask R-CNN.",
    differences=(
        "not one paper's network: FCOS's points, YOLOX's centre and size, RTMDet's shared heads, TOOD's assignment.",
        "dense 3 × 3 convolutions and ReLU throughout, which processors compute faster than depthwise ones and SiLU.",
    ),
    natural=320,
    smallest=1,
)


class Dense(NamedTuple):
    """Answers at every point; A of them over all levels."""

    logits: Tensor  # (N, A, C)
    boxes: Tensor  # float32 (N, A, 4), xyxy pixels of the input
    points: Tensor  # float32 (A, 2), pixels
    strides: Tensor  # float32 (A,), pixels


class PlainEncoder(nn.Module):
    """Five halvings, a residual pair of convolutions at four of them. (N, C, H, W) → maps of stride 8, 16 and 32."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        widths = [2 * width, 4 * width, 8 * width, 16 * width]
        self.accepts = Accepts("anchor_free", in_channels, CARD.smallest, CARD.natural)
        self.stages = tuple(StageInfo(f"stage{i}", widths[i - 1], 2 ** (i + 1)) for i in (2, 3, 4))
        self.stem = conv_norm(in_channels, width, stride=2)
        for i, (before, after) in enumerate(zip([width, *widths], widths, strict=False), start=1):
            setattr(self, f"stage{i}", nn.Sequential(conv_norm(before, after, stride=2), Residual(after)))

    def forward(self, x: Tensor) -> list[Tensor]:
        """See above."""
        x = self.get_submodule("stage1")(self.stem(x))
        maps = []
        for stage in self.stages:
            x = self.get_submodule(stage.name)(x)
            maps.append(x)
        return maps


class Residual(nn.Module):
    """x + two convolutions of x. (N, C, H, W) → the same shape."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = conv_norm(channels, channels), conv_norm(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        """See above."""
        return x + self.conv2(self.conv1(x))


class Branch(nn.Module):
    """Convolutions shared by all levels, each level with its own normalisation. (N, C, H, W) → (N, outputs, H, W)."""

    def __init__(self, channels: int, outputs: int, depth: int, levels: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(nn.Conv2d(channels, channels, 3, padding=1, bias=False) for _ in range(depth))
        self.norms = nn.ModuleList(nn.ModuleList(nn.BatchNorm2d(channels) for _ in range(levels)) for _ in range(depth))
        self.last = nn.Conv2d(channels, outputs, kernel_size=1)

    def forward(self, x: Tensor, level: int) -> Tensor:
        """`level`: which map `x` is, 0 the finest."""
        for conv, norms in zip(self.convs, self.norms, strict=True):
            x = F.relu(norms[level](conv(x)), inplace=True)  # type: ignore[index]
        return self.last(x)


class AnchorFree(nn.Module):
    """See `anchor_free`."""

    heads = ("classes.last",)
    takes_regions = False

    def __init__(self, encoder: PlainEncoder | Encoder, num_classes: int, width: int) -> None:
        super().__init__()
        self.accepts, self.num_classes = replace(encoder.accepts, network="anchor_free"), num_classes
        self.encoder = encoder
        self.strides = [stage.stride for stage in encoder.stages]
        self.neck = PathAggregation([stage.channels for stage in encoder.stages], width)
        self.classes = Branch(width, num_classes, depth=2, levels=len(self.strides))
        self.places = Branch(width, 4, depth=2, levels=len(self.strides))
        for part in (self.neck, self.classes, self.places):
            part.apply(initialize_convolutions)
        self.initialize(self.classes.last)
        nn.init.normal_(self.places.last.weight, std=0.01)

    def forward(self, pictures: Tensor, targets: Sequence[Target] | None = None) -> Dense:
        """(N, C, H, W) → answers at every point. Targets are not looked at."""
        self.accepts.check(pictures)
        levels = self.neck(self.encoder(pictures))  # strides 8, 16, 32
        logits = [flat(self.classes(x, i)) for i, x in enumerate(levels)]
        places = torch.cat([flat(self.places(x, i)) for i, x in enumerate(levels)], 1).float()
        points, strides = grid(levels, self.strides)
        centre = points + places[..., :2] * strides[:, None]
        half = START / 2 * strides[:, None] * places[..., 2:].clamp(max=6).exp()
        return Dense(torch.cat(logits, 1), torch.cat([centre - half, centre + half], -1), points, strides)

    def losses(self, outputs: Dense, targets: Sequence[Target]) -> dict[str, Tensor]:
        """`classes`: quality focal loss; `boxes`: complete IoU loss of the points that answer for an object."""
        from torchvision.ops import complete_box_iou_loss

        check_targets(targets, len(outputs.boxes), self.num_classes)
        truths = padded(targets)
        logits = outputs.logits.float()
        found = align(logits.sigmoid(), outputs.boxes, outputs.points, outputs.strides, truths)
        true_boxes, labels, _ = truths
        wanted = F.one_hot(labels.gather(1, found.owner), self.num_classes) * found.quality[..., None]
        total = found.quality.sum().clamp(min=1)
        entropy = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        classes = ((logits.sigmoid() - wanted).square() * entropy).sum() / total
        own = true_boxes.gather(1, found.owner[..., None].expand(-1, -1, 4))[found.positive]
        apart = complete_box_iou_loss(outputs.boxes[found.positive], own, reduction="none")
        boxes = (apart * found.quality[found.positive]).sum() / total
        return {"classes": classes, "boxes": BOX_WEIGHT * boxes}

    def candidates(self, outputs: Dense) -> tuple[Tensor, Tensor]:
        """Boxes (N, A, 4) and scores (N, A, C) before suppression."""
        return outputs.boxes, outputs.logits.float().sigmoid()

    @torch.no_grad()
    def detect(
        self, outputs: Dense, sizes: Sizes | None = None, *, score: float = 0.05, nms: Overlap = 0.6, limit: int = 100
    ) -> list[Found]:
        """See `Detector.detect`."""
        return select_all(self.candidates(outputs), sizes, score=score, nms=nms, limit=limit)

    def initialize(self, module: nn.Module) -> None:
        """The last layer of the classes: small weights, every class as likely as `PRIOR`."""
        if isinstance(module, nn.Conv2d):
            nn.init.normal_(module.weight, std=0.01)
            nn.init.constant_(module.bias, -math.log((1 - PRIOR) / PRIOR))  # type: ignore[arg-type]


def flat(x: Tensor) -> Tensor:
    """(N, C, H, W) → (N, H·W, C), free of copying where `x` is channels last."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def grid(levels: Sequence[Tensor], strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Centres of all cells of all levels, pixels (A, 2), and the strides of their levels (A,); float32."""
    points, each = [], []
    for x, stride in zip(levels, strides, strict=True):
        rows = (torch.arange(x.shape[2], device=x.device, dtype=torch.float32) + 0.5) * stride
        columns = (torch.arange(x.shape[3], device=x.device, dtype=torch.float32) + 0.5) * stride
        down, right = torch.meshgrid(rows, columns, indexing="ij")
        points.append(torch.stack([right, down], -1).flatten(0, 1))
        each.append(torch.full_like(points[-1][:, 0], float(stride)))
    return torch.cat(points), torch.cat(each)


@register("detect network")
@about(CARD)
def anchor_free(
    num_classes: int = 80,
    in_channels: int = 3,
    *,
    encoder: str | None = None,
    width: int = 64,
    weights: Source = None,
) -> AnchorFree:
    """Today's detector.

    Args:
        num_classes: without background.
        in_channels: channels of the pictures.
        encoder: a classification network's name, or `timm:<name>`, with maps of stride 8, 16 or 32; also written
            `anchor_free:<encoder>` where networks are named. None: its own, made for training from scratch.
        width: channels of neck and heads; its own encoder grows from a quarter of it.
        weights: None; `"imagenet"` and the encoder's other published names for a pretrained encoder; or the path of a
            file of the whole network.

    Raises:
        UsageError: no such encoder or weights, or the encoder hands out no maps of these strides.
    """
    if encoder is None:
        plain = PlainEncoder(in_channels, width // 4).apply(initialize_convolutions)
        return load(AnchorFree(plain, num_classes, width), weights, {})
    pretrained = weights if wants_published(weights, published(encoder)) else None
    net = AnchorFree(Encoder(encoder, in_channels, pretrained, STRIDES), num_classes, width)
    return net if pretrained is not None else load(net, weights, {})
