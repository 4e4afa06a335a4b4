"""Necks: the maps of a backbone mixed so that every level knows fine places and coarse meaning."""

from __future__ import annotations

from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


def conv_norm(before: int, after: int, kernel: int = 3, stride: int = 1) -> nn.Sequential:
    """Convolution, batch normalisation, ReLU. (N, before, H, W) → (N, after, H/stride, W/stride)."""
    return nn.Sequential(
        nn.Conv2d(before, after, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(after),
        nn.ReLU(inplace=True),
    )


def enlarged(x: Tensor, like: Tensor) -> Tensor:
    """A coarse map at the size of a finer one, each cell repeated."""
    return F.interpolate(x, size=like.shape[-2:], mode="nearest")


class PathAggregation(nn.Module):
    """Meaning flows down to the fine maps, places flow back up to the coarse ones.

    Liu, Qi, Qin, Shi, Jia: Path Aggregation Network for Instance Segmentation, CVPR 2018 (arXiv:1803.01534).
    Maps (N, C_i, H_i, W_i), finest first, each half the size of the one before → the same sizes, `width` channels.
    Where halving left a rest, encoders round down and up; what the coarser map does not have is cut off.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.lateral = nn.ModuleList(conv_norm(before, width, kernel=1) for before in channels)
        self.down = nn.ModuleList(conv_norm(width, width) for _ in channels[1:])
        self.shrink = nn.ModuleList(conv_norm(width, width, stride=2) for _ in channels[1:])
        self.up = nn.ModuleList(conv_norm(width, width) for _ in channels[1:])

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """See above."""
        levels = [lateral(x) for lateral, x in zip(self.lateral, maps, strict=True)]
        for i in reversed(range(len(levels) - 1)):  # coarse to fine
            levels[i] = self.down[i](levels[i] + enlarged(levels[i + 1], levels[i]))
        for i in range(1, len(levels)):  # fine to coarse
            shrunk = self.shrink[i - 1](levels[i - 1])
            levels[i] = self.up[i - 1](levels[i] + shrunk[..., : levels[i].shape[2], : levels[i].shape[3]])
        return levels


class FeaturePyramid(nn.Module):
    """Meaning flows down from the coarsest map to the finest, added up at `width` channels.

    Lin, Dollár, Girshick, He, Hariharan, Belongie: Feature Pyramid Networks, CVPR 2017 (arXiv:1612.03144). Names as in
    torchvision's weights. Maps (N, C_i, H_i, W_i), finest first → the same sizes, `width` channels, and one map more of
    half the coarsest size.
    """

    def __init__(self, channels: Sequence[int], width: int) -> None:
        super().__init__()
        self.inner_blocks = nn.ModuleList(nn.Sequential(nn.Conv2d(before, width, kernel_size=1)) for before in channels)
        self.layer_blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(width, width, kernel_size=3, padding=1)) for _ in channels
        )
        self.apply(self.initialize)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """See above."""
        inner = [block(x) for block, x in zip(self.inner_blocks, maps, strict=True)]
        for i in reversed(range(len(inner) - 1)):  # coarse to fine
            inner[i] = inner[i] + enlarged(inner[i + 1], inner[i])
        levels = [block(x) for block, x in zip(self.layer_blocks, inner, strict=True)]
        return [*levels, F.max_pool2d(levels[-1], kernel_size=1, stride=2)]

    def initialize(self, module: nn.Module) -> None:
        """He's uniform initialisation for a linear answer, biases 0, as torchvision has it."""
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_uniform_(module.weight, a=1)
            nn.init.zeros_(module.bias)  # type: ignore[arg-type]
