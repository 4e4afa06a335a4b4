"""A memory of patches, as a pretrained network sees them (Roth et al.: Towards Total Recall in Industrial Anomaly
Detection, CVPR 2022: PatchCore).

Two middle stages of a classifier describe every patch of every training picture. A greedy selection keeps those that
cover the rest best; a new patch is as strange as it is far from the nearest of them.

What differs: the backbone is EfficientNet-Lite0, whose ImageNet weights are installed with anmok, and a picture's
score is its strangest patch's distance, not weighed by how crowded the memory is there.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from anmok.core.weights import IMAGENET_MEAN, IMAGENET_STD
from anmok.networks import build

STAGES, WIDTH, STRIDE = (2, 3), 152, 8  # of the backbone: maps of strides 8 and 16, 40 + 112 channels
SMALLEST = 128  # pixels the backbone is shown; smaller pictures are enlarged
MOST = 1000  # patches kept
CANDIDATES = 20_000  # patches to choose from
PROJECTED = 64  # numbers in which candidates are compared


def remembered_patches(pictures: int, size: int) -> int:
    """How many patches are kept of so many training pictures of `size` pixels."""
    return min(MOST, pictures * (max(size, SMALLEST) // STRIDE) ** 2)


class PatchMemory(nn.Module):
    """Intensities (N, C, S, S) → distance of each patch from the nearest remembered one (N, h, w).

    Only what is remembered is part of its state; the backbone comes from its package.
    """

    bank: Tensor

    def __init__(self, patches: int, channels: int, size: int) -> None:
        super().__init__()
        self.channels, self.side = channels, max(size, SMALLEST)
        self.register_buffer("bank", torch.zeros(patches, WIDTH))

    @cached_property
    def _backbone(self) -> list[nn.Module]:
        # In a list: a checkpoint need not hold what every installation has.
        return [build("efficientnet_lite0", num_classes=None, weights="imagenet").eval().requires_grad_(False)]

    @torch.no_grad()
    def patches(self, x: Tensor) -> Tensor:
        """All patches described, (N, h, w, WIDTH): each averaged with its neighbours, the coarse stage enlarged."""
        backbone = self._backbone[0].to(x.device)
        shown = F.interpolate(x, (self.side, self.side), mode="bilinear")  # never smaller than it was
        mean, std = (x.new_tensor(values).view(-1, 1, 1) for values in (IMAGENET_MEAN, IMAGENET_STD))
        maps = backbone.features((shown.expand(-1, 3, -1, -1) - mean) / std)  # type: ignore[operator]
        fine, coarse = (F.avg_pool2d(maps[stage].float(), 3, stride=1, padding=1) for stage in STAGES)
        coarse = F.interpolate(coarse, fine.shape[2:], mode="bilinear")
        return torch.cat([fine, coarse], 1).movedim(1, 3)

    def fit(self, pictures: Iterable[Tensor]) -> None:
        """Choose what to remember of all training pictures' patches."""
        generator = torch.Generator().manual_seed(0)
        kept = torch.zeros(0, WIDTH)
        keys = torch.zeros(0)
        for x in pictures:  # a random sample of all patches, whatever their number: those with the smallest keys
            found = self.patches(x).reshape(-1, WIDTH).cpu()
            kept, keys = torch.cat([kept, found]), torch.cat([keys, torch.rand(len(found), generator=generator)])
            if len(kept) > CANDIDATES:
                keys, order = keys.topk(CANDIDATES, largest=False)
                kept = kept[order]
        self.bank.copy_(kept[covering(kept, len(self.bank), generator)])

    @torch.no_grad()
    def forward(self, x: Tensor) -> Tensor:
        """Distances (N, h, w)."""
        found = self.patches(x)
        flat = found.flatten(0, 2)
        nearest = (self.bank.square().sum(1) - 2 * flat @ self.bank.T).argmin(1)  # whose distance is then exact
        return torch.linalg.vector_norm(flat - self.bank[nearest], dim=1).reshape(found.shape[:3])


def covering(points: Tensor, count: int, generator: torch.Generator) -> Tensor:
    """Rows of `count` points that leave no point far from all of them: each next is the farthest from those chosen.

    Gonzalez' greedy k-centre, on a random projection (n, PROJECTED), which keeps distances roughly.
    """
    projection = torch.randn(points.shape[1], PROJECTED, generator=generator) / PROJECTED**0.5
    places = points @ projection
    chosen = [int(torch.randint(len(points), (), generator=generator))]
    places = places - places.mean(0)
    sizes = places.square().sum(1)
    apart = torch.full_like(sizes, torch.inf)
    while len(chosen) < count:
        new = chosen[-1]
        apart = torch.minimum(apart, sizes + sizes[new] - 2 * (places @ places[new]))
        apart[new] = -torch.inf  # whatever rounding says
        chosen.append(int(apart.argmax()))
    return torch.tensor(chosen)


def drawn_to_size(heat: Tensor, size: int) -> Tensor:
    """Maps (N, 1, h, w) → (N, 1, size, size), smoothed by a Gaussian of a fiftieth of the side, as the paper's."""
    size = int(size)  # a tensor, where a shape is traced
    heat = F.interpolate(heat, (size, size), mode="bilinear")
    radius = max(1, round(size / 25))
    line = torch.exp(-torch.arange(-radius, radius + 1, device=heat.device).float().square() / 2 / (size / 50) ** 2)
    line = line / line.sum()
    padded = F.pad(heat, (radius,) * 4, mode="replicate")
    return F.conv2d(F.conv2d(padded, line.view(1, 1, 1, -1)), line.view(1, 1, -1, 1))
