"""What every network that reconstructs offers, and the small parts that several of them are made of.

    net.accepts        channels and sizes of the input
    net.encode(x)      the code: a vector (N, D) or a map (N, D, h, w); of a VAE the posterior's mean
    net.decode(code)   pictures again
    net(x)             decode(encode(x)) at the size of x; a VAE in training hands out its posterior as well

No activation touches the output: under a cross entropy it is logits, under a squared error it is intensities.
"""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from anmok.networks._interface import Accepts


@runtime_checkable
class Autoencoder(Protocol):
    """The agreement, for type checkers and for `isinstance`."""

    accepts: Accepts

    def encode(self, x: Tensor) -> Tensor:
        """Pictures (N, C, H, W) → codes, one a picture."""

    def decode(self, code: Tensor) -> Tensor:
        """Codes → pictures (N, C, H, W), untouched by an activation."""


class DownConv(nn.Conv2d):
    """A 3×3 convolution of stride 2 with TensorFlow's "same" padding. (N, C, H, W) → (N, out, ⌈H/2⌉, ⌈W/2⌉).

    Even sides are padded at the bottom and right only, odd sides all round; symmetric padding, torch's habit, would
    shift the windows by one pixel against Keras' own.
    """

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(channels, out, kernel_size=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        """The convolution."""
        height, width = x.shape[2:]
        return super().forward(nn.functional.pad(x, (width % 2, 1, height % 2, 1)))


class UpConv(nn.ConvTranspose2d):
    """The transpose of `DownConv` for even sides. (N, C, H, W) → (N, out, 2H, 2W)."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__(channels, out, kernel_size=3, stride=2)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """The transposed convolution: (N, out, 2H + 1, 2W + 1), cut where the padding was."""
        return super().forward(x)[:, :, :-1, :-1]


def glorot(module: nn.Module) -> None:
    """Keras' default: Glorot's uniform weights, biases zero."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.xavier_uniform_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
