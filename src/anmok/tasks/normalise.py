"""Pixels as networks want them: of about zero mean and unit variance."""

from __future__ import annotations

import torch
from torch import Tensor

from anmok.core.preparation import Preparation


class Normalise:
    """uint8 (N, C, H, W) → float32 (pixel / 255 − mean) / std, channels last in memory, in one pass on the device."""

    def __init__(self, preparation: Preparation) -> None:
        mean, std = torch.tensor(preparation.mean), torch.tensor(preparation.std)
        self._shift, self._scale = (-mean / std).view(-1, 1, 1), (1 / (255 * std)).view(-1, 1, 1)

    def __call__(self, pictures: Tensor) -> Tensor:
        """The batch on its own device."""
        shift, scale = self._shift.to(pictures.device), self._scale.to(pictures.device)
        return torch.addcmul(shift, pictures.float(), scale).contiguous(memory_format=torch.channels_last)
