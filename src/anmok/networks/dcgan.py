"""DCGAN (Radford, Metz, Chintala: Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks, ICLR 2016).

No dense layers, no poolings: transposed convolutions double the picture, strided ones halve it, batch normalisation
keeps both trainable. (N, 100) → (N, 3, 64, 64) → (N,).

Initialisation: as the paper, convolutions N(0, 0.02²), batch normalisation N(1, 0.02²) and 0.
"""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._generate import Adversaries, Takes, beside_code, beside_picture, log2_size
from anmok.networks._one_size import OneSize
from anmok.networks._pretrained import Source, load

CARD = Card(
    title="DCGAN",
    paper=Paper(
        "Unsupervised Representation Learning with Deep Convolutional Generative Adversarial Networks",
        "Radford, Metz, Chintala",
        2016,
        "ICLR",
        "1511.06434",
    ),
    idea="Let both players be convolutional all the way: strides instead of poolings, batch normalisation, ReLU in "
    "the generator, leaky ReLU in the discriminator. These few rules made GANs trainable.",
    fixed="GANs of dense layers stayed at small, noisy pictures, and deeper ones collapsed.",
    cost="3.6 million parameters in the generator and 2.8 million in the discriminator at 64 × 64. Doubling the side "
    "costs about three times the computation.",
    reach_for="New pictures of one kind at 32 to 64 pixels, by class where labels exist; the first GAN to train.",
    avoid="Larger or varied pictures, and few of them (below some thousands the discriminator learns them by heart): "
    "`stylegan2` holds out longer.",
    differences=(
        "half the paper's widths (64 at the finest map, not 128), as PyTorch's own example has it",
        "the discriminator gives a logit: the sigmoid stands in the loss, where it is exact",
        "sizes other than 64 add or drop a layer; classes enter as Mirza and Osindero's conditional GAN (2014) has it",
    ),
    natural=64,
    smallest=8,
)


class Generator(nn.Module):
    """A code grows from 1×1 to 4×4, then doubles: 8×8 … S×S, at half the channels each time."""

    def __init__(self, takes: Takes, width: int) -> None:
        super().__init__()
        self.takes = takes
        widths = [width * 2**i for i in reversed(range(log2_size("dcgan", takes.size, CARD.smallest) - 2))]
        layers: list[nn.Module] = []
        for before, after in pairwise((takes.latent + takes.num_classes, *widths)):
            stride, padding = (2, 1) if layers else (1, 0)
            layers += [nn.ConvTranspose2d(before, after, 4, stride, padding, bias=False)]
            layers += [nn.BatchNorm2d(after), nn.ReLU(inplace=True)]  #                 N, 512, 4, 4 … N, 64, 32, 32
        layers += [nn.ConvTranspose2d(widths[-1], takes.channels, 4, 2, 1, bias=False), nn.Tanh()]  # N, 3, 64, 64
        self.main = nn.Sequential(*layers)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, latent), class ids (N,) → pictures (N, C, S, S) in [-1, 1]."""
        self.takes.check(z, labels)
        return self.main(beside_code(z, labels, self.takes.num_classes)[:, :, None, None])


class Discriminator(nn.Module):
    """The generator backwards: S×S halves down to 4×4, and one convolution reads the verdict off."""

    def __init__(self, takes: Takes, width: int, dropout: float, critic: bool) -> None:
        super().__init__()
        self.takes = takes
        self.accepts = OneSize("dcgan", takes.channels, smallest=takes.size, natural=takes.size)
        widths = [width * 2**i for i in range(log2_size("dcgan", takes.size, CARD.smallest) - 2)]
        layers: list[nn.Module] = []
        for before, after in pairwise((takes.channels + takes.num_classes, *widths)):
            own = nn.GroupNorm(1, after) if critic else nn.BatchNorm2d(after)
            normalisation = [own] if layers else []  # not on the picture itself
            layers += [nn.Conv2d(before, after, 4, stride=2, padding=1, bias=False), *normalisation]
            layers += [nn.LeakyReLU(0.2, inplace=True)]  #                              N, 64, 32, 32 … N, 512, 4, 4
            layers += [nn.Dropout2d(dropout)] if dropout else []
        layers += [nn.Conv2d(widths[-1], 1, 4, stride=1, padding=0, bias=False), nn.Flatten(0)]  #             N
        self.main = nn.Sequential(*layers)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, C, S, S), class ids (N,) → logits (N,)."""
        self.accepts.check(x)
        self.takes.check_labels(labels)
        return self.main(beside_picture(x, labels, self.takes.num_classes))


def initialize(module: nn.Module) -> None:
    """See the head of this file."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)


@register("generate network")
@about(CARD)
def dcgan(
    num_classes: int = 0,
    in_channels: int = 3,
    *,
    input_size: int = 64,
    latent: int = 100,
    width: int = 64,
    dropout: float = 0.0,
    critic: bool = False,
    weights: Source = None,
) -> Adversaries:
    """DCGAN for pictures of `input_size` (8, 16, 32 …), with `width` channels at half that size.

    `num_classes`: classes to choose from; 0: none. `dropout`: share of the discriminator's maps dropped in training.
    `critic`: the discriminator judges every picture by itself, by layer normalisation, as WGAN-GP's penalty asks.
    """
    takes = Takes("dcgan", latent, num_classes, in_channels, input_size)
    net = Adversaries(takes, Generator(takes, width), Discriminator(takes, width, dropout, critic))
    return load(net.apply(initialize), weights, {})
