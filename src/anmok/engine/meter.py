"""Running means of the losses, and the watch for NaN."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from anmok.core.errors import TrainingError
from anmok.core.types import Batch

_WINDOW = 16  # steps after which a graphics card is asked for its losses
_NAMED = 64  # files that an error names in full


class Meter:
    """Means of named losses over an epoch, weighted by batch size.

    On the CPU every loss is looked at before it is descended. Asking a graphics card at every step would make it wait,
    so there losses are looked at every few steps, and always before anything is saved.
    """

    def __init__(self, device: torch.device, folder: Path) -> None:
        self.sums: dict[str, list[float]] = {}
        self._window = 1 if device.type == "cpu" else _WINDOW
        self._folder = folder
        self._pending: list[tuple[list[str], Tensor, Batch, str]] = []

    def add(self, prefix: str, losses: Mapping[str, Tensor], batch: Batch, where: str) -> None:
        """Count a batch's losses. Raises `TrainingError` naming the batch's files if one is not finite."""
        names = [prefix + name for name in losses]
        values = torch.stack([value.detach().reshape(()).float() for value in losses.values()])
        self._pending.append((names, values, batch, where))
        if len(self._pending) >= self._window:
            self.flush()

    def flush(self) -> None:
        """Look at all losses not yet looked at."""
        pending, self._pending = self._pending, []
        for names, tensor, batch, where in pending:
            values = tensor.tolist()
            if not all(map(math.isfinite, values)):
                raise self._not_finite(dict(zip(names, values, strict=True)), batch, where)
            for name, value in zip(names, values, strict=True):
                sums = self.sums.setdefault(name, [0.0, 0.0])
                sums[0] += value * len(batch)
                sums[1] += len(batch)

    def means(self) -> dict[str, float]:
        """The means so far."""
        return {name: total / weight for name, (total, weight) in self.sums.items() if weight}

    def _not_finite(self, values: Mapping[str, float], batch: Batch, where: str) -> TrainingError:
        ids = _suspects_first(batch)
        more = f" and {len(ids) - _NAMED} more" if len(ids) > _NAMED else ""
        got = ", ".join(f"{name} = {value}" for name, value in values.items())
        return TrainingError(
            f"the loss is not a finite number ({where}); the last good state is kept",
            path=self._folder,
            got=f"{got} for the batch {', '.join(ids[:_NAMED])}{more}",
            fix="look at these files; else a smaller learning rate or gradient clipping; then resume",
        )


def _suspects_first(batch: Batch) -> list[str]:
    """The batch's ids, those with NaN or infinity in their own pixels before the others."""
    ids, pictures = list(batch.ids), batch.pictures
    if not pictures.is_floating_point() or len(pictures) != len(ids):
        return ids
    clean = torch.isfinite(pictures.flatten(1)).all(1).tolist()
    return sorted(ids, key=lambda name: clean[ids.index(name)])
