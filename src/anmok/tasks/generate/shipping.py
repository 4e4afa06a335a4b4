"""The generator as it is shipped: one row of numbers in, one picture of bytes out."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from anmok.networks._stylegan import StyleGenerator
from anmok.tasks.generate.learning import Generate

CUTOFF = 8  # layers whose styles truncation draws to the mean, as `StyleGenerator.styles` has it


class ShippedGenerator(nn.Module):
    """float32 (N, latent + classes + 1), see `anmok.ship.painter` → uint8 (N, S, S, C)."""

    def __init__(self, model: Generate) -> None:
        super().__init__()
        self.generator, self.latent, self.classes = model.network, model.latent, len(model.classes)

    def forward(self, rows: Tensor) -> Tensor:
        """Code, class and truncation, side by side → pictures."""
        z, cut = rows[:, : self.latent], rows[:, -1:]
        labels = rows[:, self.latent : -1].argmax(1) if self.classes else None
        if isinstance(self.generator, StyleGenerator):
            x = self.generator.synthesis(self._styles(self.generator, z, labels, cut))
        else:
            x = self.generator(z * cut, labels)
        return (x * 127.5 + 127.5).clamp(0, 255).round().to(torch.uint8).permute(0, 2, 3, 1)

    @staticmethod
    def _styles(generator: StyleGenerator, z: Tensor, labels: Tensor | None, cut: Tensor) -> Tensor:
        styles, mean = generator.styles(z, labels), generator.mapping.w_mean
        early = (torch.arange(generator.layers) < CUTOFF).to(cut)[None, :, None]
        strength = early * cut[:, :, None] + (1 - early)
        return mean + (styles - mean) * strength
