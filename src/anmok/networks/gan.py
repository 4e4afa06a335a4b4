"""The generative adversarial network, dense, as it began (Goodfellow et al.: Generative Adversarial Nets, 2014).

    noise – dense … dense – picture        picture – dense … dense – real or not

(N, 100) → (N, 1, 28, 28) → (N,).

Initialisation: PyTorch's own (uniform, by fan in).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._generate import Adversaries, Takes, beside_code
from anmok.networks._one_size import OneSize
from anmok.networks._pretrained import Source, load

CARD = Card(
    title="GAN",
    paper=Paper("Generative Adversarial Nets", "Goodfellow et al.", 2014, "NeurIPS", "1406.2661"),
    idea="Two networks play: one draws pictures from noise, the other tells drawn from real. Each learns from the "
    "other's mistakes, and nobody has to write down what a good picture is.",
    fixed="Pixelwise losses ask for the average of all good answers, which is blurred. An opponent asks for one good "
    "answer.",
    cost="1.5 million parameters in the generator for 28 × 28 grey pictures, as many in the discriminator; the two "
    "losses say little about the pictures.",
    reach_for="Understanding the game in minutes, on small centred pictures.",
    avoid="Real use: `dcgan` draws better pictures with the same effort, `stylegan2` the best.",
    differences=(
        "leaky ReLU for the paper's maxout in the discriminator, ReLU throughout the generator",
        "noise is normal, not uniform",
    ),
    natural=28,
    smallest=28,
)


class Generator(nn.Module):
    """Dense layers from a code to a picture."""

    def __init__(self, takes: Takes, hidden: Sequence[int]) -> None:
        super().__init__()
        self.takes = takes
        widths = [takes.latent + takes.num_classes, *hidden]
        pairs = [(nn.Linear(a, b), nn.ReLU()) for a, b in pairwise(widths)]
        self.main = nn.Sequential(*(layer for pair in pairs for layer in pair))
        self.output = nn.Linear(widths[-1], takes.channels * takes.size**2)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, latent), class ids (N,) → pictures (N, C, S, S) in [-1, 1]."""
        self.takes.check(z, labels)
        x = self.main(beside_code(z, labels, self.takes.num_classes))
        picture = (self.takes.channels, self.takes.size, self.takes.size)
        return torch.tanh(self.output(x)).unflatten(1, picture)


class Discriminator(nn.Module):
    """Dense layers from a picture to one logit."""

    def __init__(self, takes: Takes, hidden: Sequence[int], dropout: float) -> None:
        super().__init__()
        self.takes, self.accepts = takes, OneSize("gan", takes.channels, smallest=takes.size, natural=takes.size)
        widths = [takes.channels * takes.size**2 + takes.num_classes, *hidden]
        groups = [(nn.Linear(a, b), nn.LeakyReLU(0.2), nn.Dropout(dropout)) for a, b in pairwise(widths)]
        self.main = nn.Sequential(*(layer for group in groups for layer in group))
        self.output = nn.Linear(widths[-1], 1)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> Tensor:
        """(N, C, S, S), class ids (N,) → logits (N,)."""
        self.accepts.check(x)
        self.takes.check_labels(labels)
        flat = beside_code(torch.flatten(x, 1), labels, self.takes.num_classes)
        return self.output(self.main(flat)).squeeze(1)


@register("generate network")
@about(CARD)
def gan(
    num_classes: int = 0,
    in_channels: int = 1,
    *,
    input_size: int = 28,
    latent: int = 100,
    hidden: Sequence[int] = (256, 512, 1024),
    dropout: float = 0.3,
    weights: Source = None,
) -> Adversaries:
    """The dense GAN: `hidden` widths in the generator, the same backwards in the discriminator."""
    takes = Takes("gan", latent, num_classes, in_channels, input_size)
    net = Adversaries(takes, Generator(takes, hidden), Discriminator(takes, hidden[::-1], dropout))
    return load(net, weights, {})
