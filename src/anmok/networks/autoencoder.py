"""The autoencoder (Hinton, Salakhutdinov: Reducing the Dimensionality of Data with Neural Networks, Science, 2006).

    picture – dense – code of 32 numbers – dense – picture

The paper's has four dense layers either way, pretrained one by one; one layer either way is how courses begin
(Chollet: Building Autoencoders in Keras, blog.keras.io, 2016). (N, 1, 28, 28) → 32 → (N, 1, 28, 28).

Initialisation: Keras' own (Glorot's uniform, biases zero).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._one_size import OneSize
from anmok.networks._pretrained import Source, load
from anmok.networks._reconstruct import glorot

CARD = Card(
    title="Autoencoder",
    paper=Paper(
        "Reducing the Dimensionality of Data with Neural Networks", "Hinton, Salakhutdinov", 2006, "Science 313(5786)"
    ),
    idea="Make a network repeat its input through a waist too narrow for it. What passes must be what pictures of this "
    "kind have in common, and the numbers in the waist describe one of them.",
    fixed="Principal components describe a picture by sums of fixed patterns. A network bends: with several layers the "
    "same few numbers describe more.",
    cost="50,992 parameters for 28 × 28 grey pictures and a code of 32. Dense layers grow with the picture's area.",
    reach_for="Learning what a code is; small aligned pictures; a first look at a data set without labels.",
    avoid="Anything larger than about 64 pixels, or not centred: convolutional autoencoders learn a pattern once for "
    "all places. Drawing new pictures: between codes lie holes, which a VAE fills.",
    differences=(
        "one dense layer either way by default (Keras' introduction), not four; `hidden` adds the others",
        "ReLU for the paper's sigmoids, and no layerwise pretraining",
    ),
    natural=28,
    smallest=28,
)


class DenseAutoencoder(nn.Module):
    """Dense layers down to a code and up again. See `autoencoder`."""

    heads = ()

    def __init__(self, input_size: int, in_channels: int, hidden: Sequence[int], latent: int) -> None:
        super().__init__()
        self.accepts = OneSize("autoencoder", in_channels, smallest=input_size, natural=input_size)
        self.picture = (in_channels, input_size, input_size)
        widths = [in_channels * input_size**2, *hidden, latent]
        self.encoder = nn.Sequential(*(dense(a, b) for a, b in pairwise(widths)))
        self.decoder = nn.Sequential(*(dense(a, b) for a, b in pairwise(widths[:0:-1])))
        self.output = nn.Linear(widths[1], widths[0])
        self.apply(glorot)

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, S, S) → codes (N, latent), none below zero."""
        self.accepts.check(x)
        return self.encoder(torch.flatten(x, 1))

    def decode(self, code: Tensor) -> Tensor:
        """Codes (N, latent) → pictures (N, C, S, S)."""
        return self.output(self.decoder(code)).unflatten(1, self.picture)

    def forward(self, x: Tensor) -> Tensor:
        """Picture, code, picture."""
        code = self.encode(x)  #    N, 32
        return self.decode(code)  # N, 1, 28, 28


def dense(before: int, after: int) -> nn.Sequential:
    """A dense layer and ReLU."""
    return nn.Sequential(nn.Linear(before, after), nn.ReLU())


@register("reconstruct network")
@about(CARD)
def autoencoder(
    in_channels: int = 1,
    *,
    input_size: int = 28,
    hidden: Sequence[int] = (),
    latent: int = 32,
    weights: Source = None,
) -> DenseAutoencoder:
    """The dense autoencoder: widths `hidden` on the way down to a code of `latent` numbers, mirrored on the way up."""
    return load(DenseAutoencoder(input_size, in_channels, hidden, latent), weights, {})
