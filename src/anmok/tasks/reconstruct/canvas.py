"""A VAE as what draws pictures from seeds: codes from N(0, 1) decode to pictures of the data's kind."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from anmok.core.errors import UsageError
from anmok.tasks.adversarial import in_float32
from anmok.tasks.reconstruct.learning import Reconstruct, arrays


class VAECanvas:
    """See `anmok.core.codes.Canvas`. Raises `UsageError` where codes were never asked to be normal."""

    classes: Sequence[str] = ()

    def __init__(self, model: Reconstruct) -> None:
        if not model.variational:
            raise UsageError("only a VAE's codes can be drawn at random", got=model.recipe.network, fix="--net vae")
        self.model, self.latent = model, model.code_length()

    def draw(self, codes: np.ndarray, labels: np.ndarray | None, truncation: float = 1.0) -> np.ndarray:
        """Each picture is the decoder's mean, computed by itself in float32; `truncation` shortens the codes."""
        size, drawn = self.model.preparation.size, []
        device = next(self.model.network.parameters()).device
        with self.model.judging(), in_float32(device):
            for code in codes * np.float32(truncation):
                drawn.append(arrays(self.model.decoded(torch.from_numpy(code[None]).to(device))))
        found = np.concatenate(drawn) if drawn else np.zeros((0, size, size, self.model.preparation.channels))
        return np.rint(found * 255).astype(np.uint8)[:, :size, :size]
