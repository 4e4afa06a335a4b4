"""A small YOLO v1 for small data: the paper's cells, loss and answers on a network that trains in minutes.

Sixteen pixels a cell, ten convolutions with batch normalisation, and convolutions where the paper has dense layers, so
that any picture size passes. (N, 3, H, W) → (H / 16) · (W / 16) · (2 · 5 + C) numbers.

Initialisation: convolutions He's normal, fan out; the answers N(0, 0.01²).
"""

from __future__ import annotations

from torch import nn

from anmok.core.registry import register
from anmok.networks._card import Card, about
from anmok.networks._interface import Accepts
from anmok.networks._pretrained import Source, initialize_convolutions, load
from anmok.networks._pyramid import conv_norm
from anmok.networks._yolo import CellMajor, YoloV1
from anmok.networks.yolo_v1 import PAPER

STRIDE = 16
CARD = Card(
    title="A small YOLO v1",
    paper=PAPER,
    idea="YOLO v1's cells and loss, on a hundredth of its weights: what the idea alone can do on a thousand pictures.",
    fixed="The paper's network has 272 million parameters and an ImageNet training before the first box; nobody learns "
    "the idea by waiting for that.",
    cost="0.7 million parameters; at 192 × 192 pixels 0.16 billion multiply-adds.",
    reach_for="Teaching, small scenes, and comparing 2016's loss with today's on equal terms.",
    avoid="Wherever boxes must fit closely: anchor_free places them far better at twice the cost.",
    differences=(
        "16 pixels a cell instead of 64, since small scenes hold small things.",
        "batch normalisation and ReLU, a tenth of the depth, no ImageNet training.",
        "a convolution answers for every cell instead of two dense layers: a cell sees its surroundings, not the whole "
        "picture.",
    ),
    natural=192,
    smallest=1,
)


@register("detect network")
@about(CARD)
def yolo_v1_small(
    num_classes: int = 20,
    in_channels: int = 3,
    *,
    boxes: int = 2,
    width: int = 16,
    weights: Source = None,
) -> YoloV1:
    """A small YOLO v1.

    Args:
        num_classes: without background.
        in_channels: channels of the pictures.
        boxes: predictors a cell.
        width: channels at half the picture's size; 8 · width where cells answer.
        weights: None, or the path of a file.
    """
    narrow, deep = 4 * width, 8 * width
    layers = nn.Sequential(
        conv_norm(in_channels, width, stride=2),
        conv_norm(width, 2 * width, stride=2),
        conv_norm(2 * width, 2 * width),
        conv_norm(2 * width, narrow, stride=2),
        conv_norm(narrow, narrow),
        conv_norm(narrow, deep, stride=2),
        *(conv_norm(deep, deep) for _ in range(4)),
    ).apply(initialize_convolutions)
    head = nn.Conv2d(deep, 5 * boxes + num_classes, kernel_size=1)
    nn.init.normal_(head.weight, std=0.01)
    nn.init.zeros_(head.bias)  # type: ignore[arg-type]
    accepts = Accepts("yolo_v1_small", in_channels, CARD.smallest, CARD.natural)
    return load(YoloV1(accepts, layers, head, CellMajor(None, boxes), num_classes, STRIDE), weights, {})
