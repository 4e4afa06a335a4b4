"""Networks that several tests take apart."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn


class Branches(nn.Module):
    """A wide and a tall convolution, a strided pooling, an addition, a concatenation and a functional tail."""

    def __init__(self) -> None:
        super().__init__()
        self.wide, self.tall = nn.Conv2d(1, 4, (1, 7), padding=(0, 3)), nn.Conv2d(1, 4, (7, 1), padding=(3, 0))
        self.mix = nn.Conv2d(12, 8, 3, padding=2, dilation=2, groups=2)
        self.down = nn.Conv2d(8, 8, 3, stride=2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        a, b = self.wide(x), self.tall(x)
        joined = torch.cat([a, b, a + b], dim=1)
        return F.avg_pool2d(F.relu(self.down(self.mix(joined)) + 1), (3, 2), stride=1)


class SmallUNet(nn.Module):
    """Two scales, a transposed convolution and a skip."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.deep = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 3, padding=1)
        self.up, self.last = nn.ConvTranspose2d(4, 4, 2, stride=2), nn.Conv2d(8, 1, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skip = torch.relu(self.first(x))
        return self.last(torch.cat([self.up(torch.relu(self.deep(F.avg_pool2d(skip, 2)))), skip], 1))


class OriginalUNet(nn.Module):
    """The valid-convolution U-Net of 2015: 572 → 388."""

    def __init__(self) -> None:
        super().__init__()
        widths = [64, 128, 256, 512, 1024]
        self.down = nn.ModuleList(self.pair(i, o) for i, o in zip([1, *widths], widths, strict=False))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * w, w, 2, 2) for w in widths[-2::-1])
        self.join = nn.ModuleList(self.pair(2 * w, w) for w in widths[-2::-1])
        self.out = nn.Conv2d(64, 2, 1)

    @staticmethod
    def pair(i: int, o: int) -> nn.Sequential:
        return nn.Sequential(nn.Conv2d(i, o, 3), nn.ReLU(), nn.Conv2d(o, o, 3), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for i, down in enumerate(self.down):
            x = down(F.max_pool2d(x, 2) if i else x)
            skips.append(x)
        for up, join, skip in zip(self.up, self.join, skips[-2::-1], strict=True):
            x = up(x)
            cut = (skip.shape[-1] - x.shape[-1]) // 2
            x = join(torch.cat([skip[..., cut : cut + x.shape[-2], cut : cut + x.shape[-1]], x], 1))
        return self.out(x)
