"""YOLO v1 as the authors' program has it (darknet's cfg/yolov1.cfg and yolov1-tiny.cfg), where it is not the paper.

`yolo_v1_darknet`  batch normalisation after every convolution; a locally connected layer of 256 channels in place of
                   the paper's dense layer of 4096; three boxes a cell: (N, 3, 448, 448) → 7 · 7 · (3 · 5 + 20) = 1715.
`yolo_v1_tiny`     eight convolutions and one dense layer: (N, 3, 448, 448) → 1470.

Numbers are laid out planes first: all cells' classes, all confidences, all boxes. What it descends is half the paper's
sum; of several objects in a cell a random one counts; `_yolo_loss.darknet_cost` is the figure it prints.

Initialisation: He's normal, fan in, for the leaky slope; the answers N(0, 0.01²).
"""

from __future__ import annotations

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn import init

from anmok.core.registry import register
from anmok.networks._card import about
from anmok.networks._pretrained import Source, load
from anmok.networks._yolo import PlaneMajor, YoloV1, one_size
from anmok.networks.yolo_v1 import CARD as PAPER_CARD
from anmok.networks.yolo_v1 import LAYERS, SLOPE, STRIDE, initialize

TINY: tuple = (
    (3, 16), "pool", (3, 32), "pool", (3, 64), "pool", (3, 128), "pool", (3, 256), "pool", (3, 512), "pool",
    (3, 1024), (3, 256),
)  # fmt: skip

CARD = replace(
    PAPER_CARD,
    title="YOLO v1, darknet's form",
    cost="197 million parameters, 116 million of them in the locally connected layer.",
    reach_for="Reading darknet's numbers next to the paper's: three boxes a cell, another head, half the gradient.",
    differences=(
        "batch normalisation; a locally connected layer; three boxes a cell.",
        "of several objects in a cell a random one counts, and half the paper's loss is descended.",
        *PAPER_CARD.differences,
    ),
)
TINY_CARD = replace(
    CARD,
    title="Tiny YOLO v1, darknet's form",
    cost="27 million parameters, 18 million of them in the dense layer.",
    reach_for="The classic at a tenth of the cost; a baseline for what YOLO v1 could do on a weak machine.",
    differences=(
        "eight convolutions with batch normalisation, one dense layer.",
        *CARD.differences[1:],
    ),
)


class Local(nn.Module):
    """A 3×3 convolution whose kernels are not shared: every place has its own. (N, C, R, S) → (N, out, R, S)."""

    def __init__(self, channels: int, out: int, cells: tuple[int, int]) -> None:
        super().__init__()
        kernels = torch.empty(cells[0] * cells[1], out, channels, 3, 3)
        self.weight = nn.Parameter(init.normal_(kernels, std=(2 / (1 + SLOPE**2) / (9 * channels)) ** 0.5))
        self.bias = nn.Parameter(self.weight.new_zeros(out, *cells))

    def forward(self, x: Tensor) -> Tensor:
        """See above."""
        seen = F.unfold(x, kernel_size=3, padding=1).permute(2, 1, 0)  # places, C·9, N
        answers = self.weight.flatten(2) @ seen  # places, out, N
        return answers.permute(2, 1, 0).unflatten(2, x.shape[2:]) + self.bias


def convolutions(layers: tuple, in_channels: int) -> nn.Sequential:
    """Convolutions with batch normalisation and leaky ReLU."""
    made: list[nn.Module] = []
    for layer in layers:
        if layer == "pool":
            made.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        kernel, channels, stride = (*layer, 1)[:3]
        made.append(nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2, bias=False))
        made += [nn.BatchNorm2d(channels), nn.LeakyReLU(SLOPE, inplace=True)]
        in_channels = channels
    return nn.Sequential(*made)


@register("detect network")
@about(CARD)
def yolo_v1_darknet(
    num_classes: int = 20,
    in_channels: int = 3,
    *,
    input_size: int = 448,
    boxes: int = 3,
    weights: Source = None,
) -> YoloV1:
    """YOLO v1 in darknet's form. Arguments as `yolo_v1`."""
    accepts, cells = one_size("yolo_v1_darknet", in_channels, input_size, STRIDE)
    count = cells[0] * cells[1]
    head = nn.Sequential(
        Local(1024, 256, cells),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(256 * count, count * (5 * boxes + num_classes)),
    )
    layout = PlaneMajor(cells, boxes, num_classes)
    layers = convolutions(LAYERS, in_channels)
    net = YoloV1(accepts, layers, head, layout, num_classes, STRIDE, descended=0.5, shuffle=True)
    return load(initialize(net), weights, {})


@register("detect network")
@about(TINY_CARD)
def yolo_v1_tiny(
    num_classes: int = 20,
    in_channels: int = 3,
    *,
    input_size: int = 448,
    boxes: int = 2,
    weights: Source = None,
) -> YoloV1:
    """Tiny YOLO v1 in darknet's form. Arguments as `yolo_v1`."""
    accepts, cells = one_size("yolo_v1_tiny", in_channels, input_size, STRIDE)
    count = cells[0] * cells[1]
    head = nn.Sequential(nn.Flatten(), nn.Linear(256 * count, count * (5 * boxes + num_classes)))
    layout = PlaneMajor(cells, boxes, num_classes)
    layers = convolutions(TINY, in_channels)
    net = YoloV1(accepts, layers, head, layout, num_classes, STRIDE, descended=0.5, shuffle=True)
    return load(initialize(net), weights, {})
