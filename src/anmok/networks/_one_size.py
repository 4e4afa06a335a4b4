"""Input of networks that know one picture size only: dense layers, or halvings down to a single cell."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from anmok.core.errors import UsageError
from anmok.networks._interface import Accepts


@dataclass(frozen=True)
class OneSize(Accepts):
    """Like `Accepts`, and H and W must be exactly `natural`."""

    def check(self, x: Tensor) -> None:
        """Raise `UsageError` for any other size, and for whatever else could not pass."""
        traced = isinstance(x, torch.fx.Proxy) or torch.compiler.is_compiling() or torch.jit.is_tracing()
        fits = not traced and x.ndim == 4 and x.shape[1] == self.channels
        if fits and tuple(x.shape[2:]) != (self.natural, self.natural):
            raise UsageError(
                f"{self.network} was built for pictures of one size",
                got=f"{x.shape[2]} × {x.shape[3]}",
                allowed=f"{self.natural} × {self.natural}",
                fix="build it with another input_size, or resize the pictures",
            )
        super().check(x)
