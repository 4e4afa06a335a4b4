"""One split's answers compared with what they should be: figures with their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch

from anmok.core.errors import DataError
from anmok.data.prepare_pictures import PreparedPictures
from anmok.metrics.bootstrap import mean_interval
from anmok.metrics.evidence import bits_per_value, evidence
from anmok.metrics.proportion import Interval
from anmok.metrics.ssim import ssim
from anmok.tasks.reconstruct.choosing import batches
from anmok.tasks.reconstruct.learning import Reconstruct, arrays, decibels


@dataclass(frozen=True)
class Measured:
    """What was found on one split: of each picture (N,) its figures by name.

    `psnr` (dB) and `ssim` of the answers; `psnr_damaged`, `ssim_damaged` of what went in, where that was damaged;
    of a VAE `evidence`, a lower bound of the log likelihood in nats, and the same as `bits_per_value`. `anmok eval`
    adds `perceptual`, see the file of that name.
    """

    split: str
    ids: Sequence[str]
    values: Mapping[str, np.ndarray]

    @cached_property
    def figures(self) -> Mapping[str, Interval]:
        """The mean of each figure over pictures, with its interval."""
        return {name: mean_interval(values) for name, values in self.values.items()}


def measure(model: Reconstruct, decoded: PreparedPictures, split: str | None) -> Measured:
    """Ask the network about every picture of a split (None: of all), damaged always alike.

    Raises:
        DataError: there is none.
    """
    loader = batches(decoded, split, model.recipe)
    found: dict[str, list[np.ndarray]] = {}
    for batch, x, target in model.asked(loader.epoch(0)):
        out = model.reconstruct(x)
        values = {"psnr": decibels(out, target), "ssim": _ssim(out, target)}
        if batch.targets is not None:
            values |= {"psnr_damaged": decibels(x, target), "ssim_damaged": _ssim(x, target)}
        if model.variational:
            logits, mean, logvar = (part.float().cpu().numpy() for part in model.evidence(x, target))
            bound = evidence(logits, target.float().cpu().numpy(), mean, logvar)
            values |= {"evidence": bound, "bits_per_value": bits_per_value(bound, logits[0].size)}
        for name, part in values.items():
            found.setdefault(name, []).append(part)
    if not found:
        raise DataError("there is no picture to judge", path=decoded.dataset.root, got=f"split {split}")
    return Measured(split or "all", loader.ids, {name: np.concatenate(parts) for name, parts in found.items()})


def _ssim(pictures: torch.Tensor, targets: torch.Tensor) -> np.ndarray:
    return ssim(arrays(pictures), arrays(targets))


def class_rows(found: Measured, decoded: PreparedPictures) -> list[dict[str, Any]]:
    """Every figure by class, the worst first; none where pictures have no class."""
    classes = decoded.dataset.classes
    return sorted(_class_rows(found, decoded), key=lambda row: row["psnr"]) if classes else []


def _class_rows(found: Measured, decoded: PreparedPictures) -> Iterator[dict[str, Any]]:
    of = {entry.id: entry.target for entry in decoded.dataset.entries}
    targets = np.array([-1 if of[name] is None else of[name] for name in found.ids])
    for number, name in enumerate(decoded.dataset.classes):
        own = targets == number
        if own.any():
            row: dict[str, Any] = {"class": name, "pictures": int(own.sum())}
            for figure, values in found.values.items():
                row |= spread_out(figure, mean_interval(values[own]))
            yield row


def spread_out(name: str, figure: Interval) -> dict[str, float]:
    """A figure and its interval as three plain values: `psnr`, `psnr_low`, `psnr_high`."""
    return {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
