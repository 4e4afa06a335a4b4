"""One split translated and compared: with partners where they are known, and with itself after there and back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from anmok.core.errors import DataError
from anmok.data.prepare_pictures import PreparedPictures
from anmok.metrics.bootstrap import bootstrap, mean_interval
from anmok.metrics.proportion import Interval
from anmok.metrics.psnr import psnr
from anmok.metrics.ssim import ssim
from anmok.tasks.translate.learning import Translate, difference
from anmok.tasks.translate.playing import OTHER
from anmok.tasks.translate.sides import Side, sides

BEST = 100.0  # dB; pictures equal to the last bit would be infinitely good
NEARER = "nearer"


@dataclass(frozen=True)
class Way:
    """What was found one way: of each picture (N,) its figures by name.

    Where partners are known: `error`, the mean absolute difference of intensities from the partner; `untouched`, the
    same of the picture itself; `psnr` (dB) and `ssim` against the partner. Where the network knows the way back:
    `cycle`, the mean absolute difference between a picture and what comes back.
    """

    way: str
    ids: Sequence[str]
    values: Mapping[str, np.ndarray]

    @property
    def figures(self) -> Iterator[tuple[str, Interval]]:
        """Means over pictures with their intervals; `nearer`: how many times nearer to partners translating brings."""
        for name, values in self.values.items():
            yield name, mean_interval(values)
        if "error" in self.values:
            yield NEARER, bootstrap(_times_nearer, self.values["error"], self.values["untouched"])


def _times_nearer(error: np.ndarray, untouched: np.ndarray) -> float:
    return float(untouched.mean() / max(float(error.mean()), 1e-9))


@dataclass(frozen=True)
class Measured:
    """What was found on one split. `ids`: the entries asked about, once each."""

    split: str
    ids: Sequence[str]
    ways: Sequence[Way]

    @cached_property
    def figures(self) -> Mapping[str, Interval]:
        """Every figure; of networks that know both ways `error_ab`, `error_ba` and so on."""
        several = len(self.ways) > 1
        return {f"{name}_{way.way}" if several else name: figure for way in self.ways for name, figure in way.figures}


def measure(model: Translate, decoded: PreparedPictures, split: str | None) -> Measured:
    """Translate every picture of a split (None: of all) each way it can go.

    Raises:
        DataError: there is none.
    """
    found = [way for side in sides(decoded, split, model.ways) if (way := _measured(model, side)).values]
    if not found:
        raise DataError("there is nothing to compare translations with", path=decoded.dataset.root,
                        got=f"{len(decoded.dataset.split(split)) if split else len(decoded.dataset)} pictures",
                        allowed="pairs, or a network that knows the way back")  # fmt: skip
    ids = dict.fromkeys(name for way in found for name in way.ids)
    return Measured(split or "all", list(ids), found)


def _measured(model: Translate, side: Side) -> Way:
    columns: dict[str, list[np.ndarray]] = {}
    for part in side.parts():
        pictures, partners = side.pictures(part), side.partners(part)
        there = model.translated(pictures, side.way)
        if partners is not None:
            columns.setdefault("error", []).append(difference(there, partners))
            columns.setdefault("untouched", []).append(difference(pictures, partners))
            columns.setdefault("psnr", []).append(np.minimum(psnr(there, partners), BEST))
            columns.setdefault("ssim", []).append(ssim(there, partners))
        if OTHER[side.way] in model.game.generators:
            columns.setdefault("cycle", []).append(difference(model.translated(there, OTHER[side.way]), pictures))
    return Way(side.way, side.ids, {name: np.concatenate(parts) for name, parts in columns.items()})
