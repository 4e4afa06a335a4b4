"""U-Net (Ronneberger, Fischer, Brox: U-Net: Convolutional Networks for Biomedical Image Segmentation, MICCAI 2015).

Four times two 3×3 convolutions and a pooling down, two convolutions at the bottom, four times a 2×2 deconvolution, the
left arm's map beside it, and two convolutions up. No convolution pads, so every one costs a pixel on each side: of
572 × 572 pixels that go in, the middle 388 × 388 get an answer (`net.valid`). Where the picture ends, it is mirrored;
`net(x)` does that, so that pictures of any size come out as they went in. (N, 1, H, W) → logits (N, 2, H, W).

Initialisation: He's normal, fan in; biases 0.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts, reset_heads
from anmok.networks._pretrained import Source, load

WIDTHS = (64, 128, 256, 512, 1024)
MARGIN = 92  # pixels that the convolutions eat at each side
STEP = 16  # four poolings: inputs of 12 + 16·k meet every pooling with an even number of rows
SMALLEST = 188  # of which 4 × 4 are answered

CARD = Card(
    title="U-Net, the paper's form of 2015",
    paper=Paper(
        "U-Net: Convolutional Networks for Biomedical Image Segmentation",
        "Ronneberger, Fischer, Brox",
        2015,
        "MICCAI",
        "1505.04597",
    ),
    idea="A left arm that goes down to see what it is, a right arm that goes up to say where, and at every resolution "
    "the left arm's map beside the right arm's. No padding: an answer is given only where all its context is seen.",
    fixed="Classifying each pixel by the patch around it was slow, since neighbouring patches are nearly the same, and "
    "had to choose between context (large patches) and precision (small ones).",
    cost="31.0 million parameters; 150 billion multiply-adds for 572 × 572 pixels, of which it answers 388 × 388. For "
    "small pictures most of the work goes into the mirrored border. Every answer sees 188 or 204 pixels, by its place.",
    reach_for="Reading the paper next to code that is it; large microscope pictures in tiles that must show no seam.",
    avoid="Small pictures, and few minutes: it has no normalisation and learns slowly. `unet` on a ready-made encoder "
    "answers sooner and mostly better.",
    differences=(
        "where the picture ends is mirrored inside the network, for training too; `net.valid` is the paper's figure.",
    ),
    natural=388,
    smallest=1,
)


class ValidUNet(nn.Module):
    """The paper's figure 1. (N, in_channels, n, m) → (N, num_classes, n − 184, m − 184), n and m of 12 + 16·k."""

    def __init__(self, num_classes: int, in_channels: int, dropout: float) -> None:
        super().__init__()
        down = (in_channels, *WIDTHS)
        self.down = nn.ModuleList(twice(down[i], down[i + 1]) for i in range(5))
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(dropout)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, stride=2) for w in reversed(WIDTHS[:-1]))
        self.up = nn.ModuleList(twice(2 * w, w) for w in reversed(WIDTHS[:-1]))
        self.head = nn.Conv2d(WIDTHS[0], num_classes, kernel_size=1)

    def forward(self, x: Tensor) -> Tensor:
        """Raises `UsageError` for sizes that a pooling would cut a row from."""
        check_size(x)
        x1 = self.down[0](x)  #                              N,   64, 568, 568
        x2 = self.down[1](self.pool(x1))  #                  N,  128, 280, 280
        x3 = self.down[2](self.pool(x2))  #                  N,  256, 136, 136
        x4 = self.dropout(self.down[3](self.pool(x3)))  #    N,  512,  64,  64
        x = self.dropout(self.down[4](self.pool(x4)))  #     N, 1024,  28,  28
        for left, enlarge, convolve in zip((x4, x3, x2, x1), self.enlarge, self.up, strict=True):
            x = enlarge(x)  #                                56,        104,       200,       392
            x = convolve(torch.cat([middle(left, x), x], 1))  # N, 512, 52; 256, 100; 128, 196; 64, 388
        return self.head(x)  #                               N, classes, 388, 388


class UNet2015(nn.Module):
    """The paper's network over a mirrored picture. See `unet_2015`."""

    heads = ("valid.head",)

    def __init__(self, num_classes: int, in_channels: int, dropout: float) -> None:
        super().__init__()
        self.accepts = Accepts("unet_2015", in_channels, CARD.smallest, CARD.natural)
        self.valid = ValidUNet(num_classes, in_channels, dropout)
        self.apply(self.initialize)

    def forward(self, x: Tensor) -> Tensor:
        """(N, in_channels, H, W) → logits (N, num_classes, H, W)."""
        self.accepts.check(x)
        height, width = x.shape[2], x.shape[3]
        answers = self.valid(mirrored(x, MARGIN, spare(height), spare(width)))
        return upper_left(answers, height, width)

    def in_tiles(self, x: Tensor, side: int = 388) -> Tensor:
        """The same answer as `forward`, computed tile by tile (the paper's overlap-tile strategy).

        Tiles step by a multiple of 16 pixels, on which the poolings fall alike, so there is no seam to blend.

        Args:
            x: (N, in_channels, H, W).
            side: pixels a tile answers along each side, 20 + 16·k; it reads 184 more.

        Returns:
            Logits (N, num_classes, H, W).
        """
        self.accepts.check(x)
        if side < 20 or side % STEP != 4:
            raise UsageError("a tile of this size does not fit the poolings", got=side, allowed="20, 36, 52, … 388, …",
                             fix=str(max(20, side - (side - 4) % STEP)))  # fmt: skip
        height, width = x.shape[2:]
        step = side - 4
        padded = mirrored(x, MARGIN, -height % step + 4, -width % step + 4)
        out = x.new_empty(x.shape[0], self.valid.head.out_channels, height, width)
        for top in range(0, height, step):
            for left in range(0, width, step):
                tile = self.valid(padded[:, :, top : top + side + 2 * MARGIN, left : left + side + 2 * MARGIN])
                rows, columns = min(step, height - top), min(step, width - left)
                out[:, :, top : top + rows, left : left + columns] = tile[:, :, :rows, :columns]
        return out

    def initialize(self, module: nn.Module) -> None:
        """See the head of this file."""
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]

    def reset_classifier(self, num_classes: int) -> None:
        """A fresh last layer for `num_classes`."""
        reset_heads(self, num_classes)


def twice(channels: int, out: int) -> nn.Sequential:
    """3×3 convolution and ReLU, and again; the map loses two rows and columns at each side."""
    return nn.Sequential(
        nn.Conv2d(channels, out, kernel_size=3),
        nn.ReLU(inplace=True),
        nn.Conv2d(out, out, kernel_size=3),
        nn.ReLU(inplace=True),
    )


def middle(x: Tensor, like: Tensor) -> Tensor:
    """The middle of `x` that has the height and width of `like`."""
    top, left = (x.shape[2] - like.shape[2]) // 2, (x.shape[3] - like.shape[3]) // 2  # 4, 16, 40, 88
    return x[:, :, top : top + like.shape[2], left : left + like.shape[3]]


def upper_left(x: Tensor, height: int, width: int) -> Tensor:
    """So many rows and columns of a map. By index: a slice would tie an exported graph to where nothing is cut."""
    rows, columns = (torch.arange(size, device=x.device) for size in (height, width))
    return x.index_select(2, rows).index_select(3, columns)


def spare(size: int) -> int:
    """Pixels to add to `size` so that the network answers at least that many: it answers 4 + 16·k of them.

    >>> spare(388), spare(389), spare(1)
    (0, 15, 3)
    """
    return (4 - size) % STEP


def mirrored(x: Tensor, margin: int, below: int = 0, right: int = 0) -> Tensor:
    """The picture with `margin` mirrored pixels on every side, and `below` and `right` more at the end.

    (N, C, H, W) → (N, C, H + 2·margin + below, W + 2·margin + right). The mirror stands on the border, so the outermost
    pixels are doubled; a picture smaller than the margin is mirrored again and again.
    """
    rows = _reflected(x.shape[2], margin, margin + below, x.device)
    columns = _reflected(x.shape[3], margin, margin + right, x.device)
    return x.index_select(2, rows).index_select(3, columns)


def _reflected(size: int, before: int, after: int, device: torch.device) -> Tensor:
    """Which of `size` pixels stands at −before, …, size + after − 1."""
    there = torch.arange(-before, size + after, device=device) % (2 * size)
    return torch.minimum(there, 2 * size - 1 - there)


def check_size(x: Tensor) -> None:
    """Raise `UsageError` where a pooling would meet an odd number of rows or columns."""
    if isinstance(x, torch.fx.Proxy) or torch.compiler.is_compiling() or torch.jit.is_tracing():
        return
    for size in x.shape[2:]:
        if size < SMALLEST or size % STEP != SMALLEST % STEP:
            larger = max(SMALLEST, size + (SMALLEST - size) % STEP)
            raise UsageError("a pooling would cut a row or column from the map", got=f"{x.shape[2]} × {x.shape[3]}",
                             allowed="sizes of 12 + 16·k, 188 or more: 188, 204, … 572", fix=f"{larger} for {size}, or "
                             "net(x) in place of net.valid(x), which takes any size")  # fmt: skip


@register("segment network")
@about(CARD)
def unet_2015(num_classes: int = 2, in_channels: int = 1, *, dropout: float = 0.5, weights: Source = None) -> UNet2015:
    """The paper's U-Net. `dropout`: at the end of the left arm, on its two coarsest maps."""
    return load(UNet2015(num_classes, in_channels, dropout), weights, {})
