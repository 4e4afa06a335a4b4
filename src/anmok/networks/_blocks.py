"""What both Inception papers' files are built of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class BasicConv2d(nn.Module):
    """Convolution, batch normalisation (ε = 0.001), ReLU. (N, channels, H, W) → (N, out, H', W')."""

    def __init__(
        self,
        channels: int,
        out: int,
        kernel_size: int | tuple[int, int],
        stride: int = 1,
        padding: int | tuple[int, int] = 0,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out, kernel_size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(out, eps=0.001)

    def forward(self, x: Tensor) -> Tensor:
        """In that order."""
        return F.relu(self.bn(self.conv(x)), inplace=True)
