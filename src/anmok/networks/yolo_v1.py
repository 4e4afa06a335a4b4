"""YOLO v1 (Redmon, Divvala, Girshick, Farhadi: You Only Look Once, CVPR 2016).

24 convolutions and two dense layers see the whole picture once. The picture is divided into 7 × 7 cells; the cell that
holds an object's centre answers for it, with two boxes, a confidence each, and one set of class probabilities.
(N, 3, 448, 448) → 7 · 7 · (2 · 5 + 20) = 1470 numbers. `yolo_v1_darknet` is the form the authors' program has.

Initialisation: convolutions and dense layers He's normal, fan in, for the leaky slope of 0.1; the answers N(0, 0.01²).
(The paper trained its first twenty convolutions on ImageNet first.)
"""

from __future__ import annotations

from torch import nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._pretrained import Source, load
from anmok.networks._yolo import CellMajor, YoloV1, one_size

SLOPE = 0.1  # of the leaky ReLU below zero
STRIDE = 64
# Figure 3 of the paper. (kernel, channels) or (kernel, channels, stride); "pool" halves the map.
LAYERS: tuple = (
    (7, 64, 2), "pool",
    (3, 192), "pool",
    (1, 128), (3, 256), (1, 256), (3, 512), "pool",
    *[(1, 256), (3, 512)] * 4, (1, 512), (3, 1024), "pool",
    *[(1, 512), (3, 1024)] * 2, (3, 1024), (3, 1024, 2),
    (3, 1024), (3, 1024),
)  # fmt: skip

PAPER = Paper(
    "You Only Look Once: Unified, Real-Time Object Detection",
    "Redmon, Divvala, Girshick, Farhadi",
    2016,
    "CVPR",
    "1506.02640",
)
CARD = Card(
    title="YOLO v1",
    paper=PAPER,
    idea="Detection as one regression: a network looks at the whole picture once and writes down boxes and classes, a "
    "cell of a 7 × 7 grid answering for the object whose centre it holds.",
    fixed="R-CNN and its heirs looked at thousands of regions one after the other and were trained in pieces. One pass "
    "made detection fast enough for video, and seeing the whole picture it mistakes background for objects less often.",
    cost="272 million parameters, 212 million of them in two dense layers, and 20.3 billion multiply-adds.",
    reach_for="The lesson: everything one-stage detectors do since is here in its first form, one page long.",
    avoid="Small things in groups: a cell knows one class and two boxes. Work of today: anchor_free places boxes far "
    "better with a hundredth of the parameters.",
    differences=("pictures may be built for other sizes than 448, in steps of 64.",),
    natural=448,
    smallest=64,
)


def convolutions(layers: tuple, in_channels: int) -> nn.Sequential:
    """The paper's convolutions, each followed by a leaky ReLU."""
    made: list[nn.Module] = []
    for layer in layers:
        if layer == "pool":
            made.append(nn.MaxPool2d(kernel_size=2, stride=2))
            continue
        kernel, channels, stride = (*layer, 1)[:3]
        made.append(nn.Conv2d(in_channels, channels, kernel, stride, kernel // 2))
        made.append(nn.LeakyReLU(SLOPE, inplace=True))
        in_channels = channels
    return nn.Sequential(*made)


def initialize(net: YoloV1) -> YoloV1:
    """See the head of this file."""
    last = [module for module in net.modules() if isinstance(module, (nn.Conv2d, nn.Linear))][-1]
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            if module is last:
                nn.init.normal_(module.weight, std=0.01)
            else:
                nn.init.kaiming_normal_(module.weight, a=SLOPE, nonlinearity="leaky_relu")
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


@register("detect network")
@about(CARD)
def yolo_v1(
    num_classes: int = 20,
    in_channels: int = 3,
    *,
    input_size: int = 448,
    boxes: int = 2,
    weights: Source = None,
) -> YoloV1:
    """YOLO v1 as in the paper.

    Args:
        num_classes: without background.
        in_channels: channels of the pictures.
        input_size: height and width of the pictures, a multiple of 64; there are (input_size / 64)² cells.
        boxes: predictors a cell.
        weights: None, or the path of a file.
    """
    accepts, cells = one_size("yolo_v1", in_channels, input_size, STRIDE)
    count = cells[0] * cells[1]
    head = nn.Sequential(
        nn.Flatten(),  #                             N, 50176
        nn.Linear(1024 * count, 4096),
        nn.LeakyReLU(SLOPE, inplace=True),
        nn.Dropout(0.5),
        nn.Linear(4096, count * (5 * boxes + num_classes)),
    )
    net = YoloV1(accepts, convolutions(LAYERS, in_channels), head, CellMajor(cells, boxes), num_classes, STRIDE)
    return load(initialize(net), weights, {})
