"""The convolutional autoencoder, symmetric: two blocks down, two up (Chollet: Convolutional autoencoder for image
denoising, keras.io, 2021; after Masci, Meier, Cireşan, Schmidhuber: Stacked Convolutional Auto-Encoders for
Hierarchical Feature Extraction, ICANN 2011).

    conv 32 – pool – conv 32 – pool – transposed conv 32 – transposed conv 32 – conv

It is the denoising autoencoder too (Vincent et al., ICML 2008): what differs is only what it is shown.
(N, 1, 28, 28) → (N, 32, 7, 7) → (N, 1, 28, 28).

Initialisation: Keras' own (Glorot's uniform, biases zero).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.errors import UsageError
from anmok.core.registry import register
from anmok.networks._card import Card, Paper, about
from anmok.networks._interface import Accepts
from anmok.networks._pretrained import Source, load
from anmok.networks._reconstruct import UpConv, glorot

CARD = Card(
    title="Convolutional autoencoder",
    paper=Paper(
        "Stacked Convolutional Auto-Encoders for Hierarchical Feature Extraction",
        "Masci, Meier, Cireşan, Schmidhuber",
        2011,
        "ICANN",
    ),
    idea="Squeeze the picture through convolutions and poolings, and open it again through transposed convolutions. "
    "Shown damaged pictures and asked for whole ones, it learns to repair.",
    fixed="Dense autoencoders need a weight for every pair of pixel and code, and learn every pattern anew at every "
    "place.",
    cost="28,353 parameters whatever the picture's size; the code of a 28 × 28 picture is 32 maps of 7 × 7, larger "
    "than the picture, so it repairs rather than compresses.",
    reach_for="Removing noise, blur, JPEG blocks or strokes from pictures of one kind; a first anomaly detector.",
    avoid="A short code (it keeps a map; use `vae` or `autoencoder`), fine photographs (pooling loses detail that "
    "U-Net's shortcuts keep), and drawing new pictures.",
    differences=("the last convolution has no sigmoid: it stands in the loss, where it is exact",),
    natural=28,
    smallest=1,
)


class ConvAutoencoder(nn.Module):
    """As many blocks up as down. See `conv_autoencoder`."""

    heads = ()

    def __init__(self, in_channels: int, widths: Sequence[int]) -> None:
        super().__init__()
        if not widths:
            raise UsageError(
                "an autoencoder needs blocks", got="no widths", allowed="one width a block", fix="(32, 32)"
            )
        self.accepts = Accepts("conv_autoencoder", in_channels, smallest=CARD.smallest, natural=CARD.natural)
        self.encoder = nn.ModuleList(nn.Conv2d(a, b, 3, padding=1) for a, b in pairwise((in_channels, *widths)))
        self.decoder = nn.ModuleList(UpConv(a, b) for a, b in pairwise((widths[-1], *reversed(widths))))
        self.output = nn.Conv2d(widths[0], in_channels, 3, padding=1)
        self.apply(glorot)

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) → codes (N, D, ⌈H/2ᵈ⌉, ⌈W/2ᵈ⌉) for d blocks."""
        self.accepts.check(x)
        for conv in self.encoder:
            x = F.max_pool2d(F.relu(conv(x)), 2, ceil_mode=True)
        return x

    def decode(self, code: Tensor) -> Tensor:
        """Codes (N, D, h, w) → pictures (N, C, 2ᵈh, 2ᵈw)."""
        for up in self.decoder:
            code = F.relu(up(code))
        return self.output(code)

    def forward(self, x: Tensor) -> Tensor:
        """Picture, code, picture; what rounding up added at the bottom and right is cut off."""
        code = self.encode(x)  #                                    N, 32,  7,  7
        return self.decode(code)[:, :, : x.shape[2], : x.shape[3]]  # N, 1, 28, 28


@register("reconstruct network")
@about(CARD)
def conv_autoencoder(
    in_channels: int = 1, *, widths: Sequence[int] = (32, 32), weights: Source = None
) -> ConvAutoencoder:
    """The convolutional autoencoder: one block of each of the `widths` down, and the same up again."""
    return load(ConvAutoencoder(in_channels, widths), weights, {})
