"""The variational autoencoder (Kingma, Welling: Auto-Encoding Variational Bayes, ICLR 2014).

    picture – encoder – mean, log variance – a draw – decoder – picture

`vae`: dense, 784-400-20, as in PyTorch's own example. `conv_vae`: two convolutions of stride 2 each way and a code of
two numbers, as in Keras' (Chollet: Variational AutoEncoder, keras.io, 2020). The loss, and β-VAE's weight in it
(Higgins et al., ICLR 2017), stand in `anmok.losses.evidence`. (N, 1, 28, 28) → 20 → (N, 1, 28, 28).

Initialisation: `vae` PyTorch's own (uniform, by fan in), `conv_vae` Keras' (Glorot's uniform, biases zero).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn

from anmok.core.errors import UsageError
from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._one_size import OneSize
from anmok.networks._pretrained import Source, load
from anmok.networks._reconstruct import DownConv, UpConv, glorot

CARD = Card(
    title="VAE",
    paper=Paper("Auto-Encoding Variational Bayes", "Kingma, Welling", 2014, "ICLR", "1312.6114"),
    idea="Encode a picture not as a point but as a small cloud, and charge for every cloud that strays from the one "
    "standard cloud. Codes then fill the space without holes, and any draw from it decodes to a picture.",
    fixed="A plain autoencoder's codes lie anywhere, and most points between them decode to nothing. Maximum "
    "likelihood over hidden causes had no gradient; drawing as mean + deviation × noise gives it one.",
    cost="652,824 parameters for 28 × 28 grey pictures; an epoch of Fashion-MNIST takes seconds.",
    reach_for="A map of a data set, walks between pictures, new pictures of a simple kind, and a likelihood bound to "
    "judge them by.",
    avoid="Sharp pictures: the pixelwise likelihood prefers a blurred average to a wrong detail. A GAN is sharper, and "
    "knows no likelihood.",
    differences=("the decoder gives logits: the sigmoid stands in the loss, where it is exact",),
    natural=28,
    smallest=28,
)
CONV_CARD = replace(
    CARD,
    title="Convolutional VAE",
    cost="69,076 parameters in the encoder and 65,089 in the decoder at 28 × 28, a fifth of the dense form's.",
    reach_for="Pictures of 28 to 128 pixels, and seeing a whole data set on one page: two numbers a picture by "
    "default, more by `latent`.",
)


class VAE(nn.Module):
    """An encoder of vectors, two dense layers for the posterior, a decoder of vectors. See `vae`, `conv_vae`."""

    heads = ()

    def __init__(self, accepts: OneSize, encoder: nn.Module, width: int, latent: int, decoder: nn.Module) -> None:
        super().__init__()
        self.accepts, self.latent = accepts, latent
        self.encoder = encoder
        self.mean = nn.Linear(width, latent)
        self.logvar = nn.Linear(width, latent)
        self.decoder = decoder

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Pictures (N, C, S, S) → mean and log variance of q(z | x), each (N, latent)."""
        self.accepts.check(x)
        hidden = self.encoder(x)
        return self.mean(hidden), self.logvar(hidden)

    def draw(self, mean: Tensor, logvar: Tensor) -> Tensor:
        """One z of each posterior, (N, latent): mean + deviation × noise, so that gradients pass."""
        return mean + (0.5 * logvar).exp() * torch.randn_like(mean)

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, S, S) → the posterior's mean (N, latent)."""
        return self.posterior(x)[0]

    def decode(self, code: Tensor) -> Tensor:
        """Codes (N, latent) → logits of pictures (N, C, S, S). Codes drawn from N(0, 1) give new pictures."""
        return self.decoder(code)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor, Tensor]:
        """In training: logits from a draw, mean, log variance. In evaluation: the logits of the mean."""
        mean, logvar = self.posterior(x)  # N, 20
        if not self.training:
            return self.decode(mean)  #     N, 1, 28, 28
        z = self.draw(mean, logvar)
        return self.decode(z), mean, logvar


@register("reconstruct network")
@about(CARD)
def vae(
    in_channels: int = 1, *, input_size: int = 28, hidden: int = 400, latent: int = 20, weights: Source = None
) -> VAE:
    """The dense VAE: one hidden layer of `hidden` units either way, a code of `latent` numbers."""
    picture = (in_channels, input_size, input_size)
    pixels = in_channels * input_size**2
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(pixels, hidden), nn.ReLU())
    decoder = nn.Sequential(
        nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, pixels), nn.Unflatten(1, picture)
    )  # fmt: skip
    accepts = OneSize("vae", in_channels, smallest=input_size, natural=input_size)
    return load(VAE(accepts, encoder, hidden, latent, decoder), weights, {})


@register("reconstruct network")
@about(CONV_CARD)
def conv_vae(
    in_channels: int = 1,
    *,
    input_size: int = 28,
    widths: Sequence[int] = (32, 64),
    hidden: int = 16,
    latent: int = 2,
    weights: Source = None,
) -> VAE:
    """The convolutional VAE: one stride-2 convolution a width, a dense layer of `hidden` units before the posterior."""
    grid, rest = divmod(input_size, 2 ** len(widths))
    if rest or not widths:
        raise UsageError(
            "conv_vae halves the picture once a width",
            got=f"input_size={input_size} and {len(widths)} widths",
            allowed="one width or more, and a size that they divide evenly",
            fix=f"input_size={max(1, round(input_size / 2 ** len(widths))) * 2 ** len(widths)}",
        )
    cells = (widths[-1], grid, grid)
    down: list[nn.Module] = []
    for before, after in pairwise((in_channels, *widths)):
        down += [DownConv(before, after), nn.ReLU()]  #                          N, 64, 7, 7
    encoder = nn.Sequential(*down, nn.Flatten(), nn.Linear(widths[-1] * grid**2, hidden), nn.ReLU())
    up: list[nn.Module] = [nn.Linear(latent, widths[-1] * grid**2), nn.ReLU(), nn.Unflatten(1, cells)]
    for before, after in pairwise((widths[-1], *reversed(widths))):
        up += [UpConv(before, after), nn.ReLU()]  #                              N, 32, 28, 28
    decoder = nn.Sequential(*up, nn.Conv2d(widths[0], in_channels, 3, padding=1))
    accepts = OneSize("conv_vae", in_channels, smallest=input_size, natural=input_size)
    net = VAE(accepts, encoder, hidden, latent, decoder)
    return load(net.apply(glorot), weights, {})
