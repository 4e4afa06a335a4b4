"""The textbook network: two convolutions, two poolings, two dense layers, as courses draw it for Fashion-MNIST.

    conv 32 3×3 – pool – conv 64 3×3 – pool – dense 100 – dropout – dense

It descends from LeNet-5 (LeCun, Bottou, Bengio, Haffner: Gradient-Based Learning Applied to Document Recognition,
Proceedings of the IEEE, 1998); what is not LeNet's: ReLU for sigmoids, max pooling without weights, "same" padding,
dropout, and two dense layers instead of three. (N, 1, 28, 28) → (N, 10).

Initialisation: PyTorch's own (uniform, by fan in).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts, StageInfo, reset_heads
from anmok.networks._pretrained import Source, load

CARD = Card(
    title="Textbook CNN",
    paper=Paper(
        "Gradient-Based Learning Applied to Document Recognition",
        "LeCun, Bottou, Bengio, Haffner",
        1998,
        "Proceedings of the IEEE 86(11)",
    ),
    idea="Look for small patterns everywhere with the same few weights, keep the strongest answers of each "
    "neighbourhood, look for patterns of those, and let a dense layer decide.",
    fixed="A dense layer on raw pixels must learn every pattern anew at every place, and forgets it when the picture "
    "moves by two pixels. A convolution learns it once.",
    cost="333,526 parameters for 28 × 28 grey pictures, and 94 % of them in the first dense layer, which grows with "
    "the picture's area. One epoch of Fashion-MNIST takes seconds on a laptop.",
    reach_for="Small, centred, simple pictures (digits, icons, garments), a first baseline, and learning: it is small "
    "enough to look at every filter.",
    avoid="Photographs. Two poolings leave it blind to anything larger than 10 pixels until the dense layer, and it "
    "has no normalisation to make depth trainable. A small residual network is better for the same time.",
    differences=(
        "an adaptive pooling stands before the dense layer: it does nothing at the size the network was built for, "
        "and lets other sizes pass.",
    ),
    natural=28,
    smallest=4,
)


class TextbookCNN(nn.Module):
    """Two convolutions and two dense layers. See `textbook_cnn`."""

    heads = ("fc2",)

    def __init__(self, num_classes: int, in_channels: int, input_size: int, dropout: float) -> None:
        super().__init__()
        self.accepts = Accepts("textbook_cnn", in_channels, smallest=4, natural=input_size)
        self.stages = (StageInfo("pool1", 32, 2), StageInfo("pool2", 64, 4))
        grid = input_size // 4
        self.conv1 = nn.Conv2d(in_channels, 32, kernel_size=3, padding=1)
        self.pool1 = nn.MaxPool2d(2)
        self.conv2 = nn.Conv2d(32, 64, kernel_size=3, padding=1)
        self.pool2 = nn.MaxPool2d(2)
        self.avgpool = nn.AdaptiveAvgPool2d(grid)
        self.fc1 = nn.Linear(64 * grid * grid, 100)
        self.dropout = nn.Dropout(dropout)
        self.fc2 = nn.Linear(100, num_classes)

    def features(self, x: Tensor) -> list[Tensor]:
        """(N, C, H, W) → the maps after each pooling."""
        self.accepts.check(x)  #                    N,  1, 28, 28
        c1 = self.pool1(F.relu(self.conv1(x)))  #    N, 32, 14, 14
        c2 = self.pool2(F.relu(self.conv2(c1)))  #   N, 64,  7,  7
        return [c1, c2]

    def forward_features(self, x: Tensor) -> Tensor:
        """The map after the second pooling."""
        return self.features(x)[-1]

    def forward_head(self, x: Tensor, pre_logits: bool = False) -> Tensor:
        """The second pooling's map → logits, or the hundred numbers before them."""
        x = torch.flatten(self.avgpool(x), 1)  # N, 3136
        x = self.dropout(F.relu(self.fc1(x)))  # N, 100
        return x if pre_logits else self.fc2(x)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes)."""
        return self.forward_head(self.forward_features(x))

    def initialize(self, module: nn.Module) -> None:
        """Nothing: layers come as PyTorch initialises them."""

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer for `num_classes`."""
        reset_heads(self, num_classes)


@register("network")
@about(CARD)
def textbook_cnn(
    num_classes: int = 10,
    in_channels: int = 1,
    *,
    input_size: int = 28,
    dropout: float = 0.4,
    weights: Source = None,
) -> TextbookCNN:
    """The textbook network. Its dense layer is sized for `input_size` pixels; other sizes are pooled to that grid."""
    return load(TextbookCNN(num_classes, in_channels, input_size, dropout), weights, {})
