"""What networks that translate pictures from one domain into another are made of.

    net.accepts          channels and sizes of the pictures of the first domain
    net(x)               pictures of the first domain, about -1 to 1 → of the second, (N, C, H, W) → (N, C', H, W)

`PatchGAN` is the discriminator of pix2pix and CycleGAN alike: it judges each patch of 70 × 70 pixels by itself.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from anmok.networks._interface import Accepts

Norm = Callable[[int], nn.Module]


ROUNDING = 1e-10  # variance: what float32 makes of a map that is the same everywhere lies far below


class InstanceNorm(nn.InstanceNorm2d):
    """Torch's; but where a map is the same everywhere, evaluation makes nothing of what rounding left.

    A plain picture's maps differ by rounding alone. Divided by √(ε + variance) layer after layer, that would become a
    picture: another one on every machine.
    """

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, H, W) → the same shape."""
        if self.training:
            return super().forward(x)
        centred = x - x.mean((2, 3), keepdim=True)
        variance = centred.square().mean((2, 3), keepdim=True)
        return centred * ((variance + self.eps).rsqrt() * (variance / (variance + ROUNDING)))


def instance_norm(channels: int) -> nn.Module:
    """Each map of each picture to mean 0 and variance 1; nothing learned, nothing remembered."""
    return InstanceNorm(channels, affine=False, track_running_stats=False)


class PatchGAN(nn.Module):
    """Isola et al.'s discriminator: (N, C, H, W) → logits (N, 1, H/8 − 2, W/8 − 2), one a patch.

    Args:
        name: of the network it judges, for errors.
        channels: of the pictures; of both pictures together where it judges pairs.
        width: channels of the first convolution.
        layers: convolutions of stride 2; three see 70 × 70 pixels.
        norm: a layer for so many channels, after all convolutions but the first and last.
    """

    def __init__(self, name: str, channels: int, width: int, layers: int, norm: Norm) -> None:
        super().__init__()
        smallest = 3 * 2**layers
        self.accepts = Accepts(f"the discriminator of {name}", channels, smallest=smallest, natural=256)
        bias = not _learns_bias(norm)
        widths = [width * min(2**i, 8) for i in range(layers + 1)]
        model: list[nn.Module] = [nn.Conv2d(channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2, True)]
        for i in range(1, layers + 1):
            stride = 2 if i < layers else 1  #                                  256: 128, 64, 32, then 31
            model += [nn.Conv2d(widths[i - 1], widths[i], 4, stride, padding=1, bias=bias)]
            model += [norm(widths[i]), nn.LeakyReLU(0.2, True)]
        model += [nn.Conv2d(widths[-1], 1, 4, stride=1, padding=1)]  #          30
        self.model = nn.Sequential(*model)

    def forward(self, x: Tensor) -> Tensor:
        """One logit a patch."""
        self.accepts.check(x)
        return self.model(x)


def _learns_bias(norm: Norm) -> bool:
    """Whether the normalisation adds a bias of its own, which makes the convolution's before it idle."""
    return any(True for _ in norm(1).parameters())


def initialize(module: nn.Module) -> None:
    """Both papers' start: kernels N(0, 0.02²), biases 0, batch normalisation N(1, 0.02²)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(module.weight, 0.0, 0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
        nn.init.zeros_(module.bias)
