"""How well drawn pictures are: what the losses of a GAN do not say.

Every look draws the same seeds and compares them with real pictures in the yardstick's features:

    kernel_distance    KID's formula: 0 where drawn and real pictures are distributed alike; decides what is best
    frechet_distance   FID's formula
    precision, recall  do drawn pictures look real; could the real ones have been drawn (density, coverage: sturdier)
    variety, elbow_room   about 1 for a set as varied as the training pictures; near 0: collapse
    copies             share of drawn pictures that lie on top of a training picture
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from anmok.data.prepare_pictures import PreparedPictures
from anmok.metrics.bootstrap import mean_interval
from anmok.metrics.collapse import elbow_room, variety
from anmok.metrics.copies import Copies, copies
from anmok.metrics.frechet_distance import frechet_distance
from anmok.metrics.kernel_distance import kernel_distance_interval
from anmok.metrics.manifolds import NEIGHBOURS, Manifolds, manifolds
from anmok.metrics.proportion import Interval, share

if TYPE_CHECKING:
    from anmok.tasks.generate.learning import Generate

KNOWN, JUDGED = 1500, 500  # training pictures compared with, and real pictures judged by, while training
FEWEST_DRAWN, DRAWN = 64, 400  # pictures drawn at a look: as many as there are to learn from, between these
FEWEST = 3  # training pictures without which nothing can be said of copies
COLLAPSED = 0.2  # below this share of the training pictures' variety, drawn pictures are alike
HEALTHY = 0.5  # above it, a later fall is a fall
EARLY = 0.25  # share of the epochs in which pictures may be alike, because nothing is learned yet
COPIED = 0.05  # share of copies that data with chance likenesses may show


@dataclass(frozen=True)
class Known:
    """Training pictures to compare with: rows in the decoded source, their features, how alike held-out ones are."""

    rows: np.ndarray
    features: np.ndarray
    held_out: Interval | None = None


@dataclass(frozen=True)
class Judged:
    """Real pictures that drawn ones are judged by: ids and features."""

    ids: tuple[str, ...]
    features: np.ndarray


@dataclass(frozen=True)
class Look:
    """What one look found. `figures` by name; `recalled` says of each real picture whether it could be drawn."""

    figures: Mapping[str, Interval]
    recalled: np.ndarray
    copied: Copies | None = None


@dataclass
class Alarms:
    """What was noticed while training, in order; and what it takes to notice: how the last looks went."""

    raised: list[dict[str, Any]] = field(default_factory=list)
    alike: int = 0  # looks in a row with too little variety
    was_healthy: bool = False

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {"raised": list(self.raised), "alike": self.alike, "was_healthy": self.was_healthy}

    def watch(self, look: Look, known: Known | None, epoch: int, progress: float) -> list[str]:
        """Sentences about what this look shows for the first time."""
        found = [*self._collapse(look, epoch, progress), *self._memorised(look, known, epoch)]
        new = [alarm for alarm in found if alarm["kind"] not in {old["kind"] for old in self.raised}]
        self.raised += new
        return [str(alarm["sentence"]) for alarm in new]

    def _collapse(self, look: Look, epoch: int, progress: float) -> list[dict[str, Any]]:
        shares = {name: look.figures[name].value for name in ("variety", "elbow_room") if name in look.figures}
        if not shares:
            return []
        name = min(shares, key=shares.__getitem__)
        self.alike = self.alike + 1 if shares[name] < COLLAPSED else 0
        self.was_healthy |= shares[name] > HEALTHY
        if self.alike < 2 or not (self.was_healthy or progress >= EARLY):
            return []
        what = "spread" if name == "variety" else "distance to the next of their own"
        sentence = (
            f"epoch {epoch}: drawn pictures are alike, which is collapse: their {what} is {shares[name]:.0%} of the "
            "training pictures'. Try: more pictures, --r1 1, another --loss, or a smaller --lr"
        )
        return [{"kind": "collapse", "epoch": epoch, "value": shares[name], "sentence": sentence}]

    def _memorised(self, look: Look, known: Known | None, epoch: int) -> list[dict[str, Any]]:
        if look.copied is None or known is None or "copies" not in look.figures:
            return []
        found = look.figures["copies"]
        usual = 0.0 if known.held_out is None else known.held_out.high
        if found.low <= max(COPIED, usual):
            return []
        held = "" if known.held_out is None else f", of held-out pictures {known.held_out.value:.0%}"
        sentence = (
            f"epoch {epoch}: {found.value:.0%} of drawn pictures lie on top of a training picture{held}: they are "
            "learned by heart. Try: more pictures, an earlier epoch, or --flip"
        )
        return [{"kind": "memorisation", "epoch": epoch, "value": found.value, "sentence": sentence}]


def known_of(model: Generate, decoded: PreparedPictures, most: int = KNOWN, set_scale: bool = False) -> Known | None:
    """Some training pictures, evenly spread; None where the data holds too few. `set_scale`: measure by them."""
    rows = _thinned(_rows(decoded, "train")[0], most)
    if len(rows) < FEWEST:
        return None
    raw = model.yardstick.raw(decoded.source.gather(rows), model.devices)
    if set_scale:
        model.yardstick.measure_by(raw)
    return Known(rows, model.yardstick.scaled(raw))


def judged_by(model: Generate, decoded: PreparedPictures, split: str | None, most: int | None = None) -> Judged:
    """Real pictures of a split (None: of all), `most` of them at most, with their features."""
    rows, ids = _rows(decoded, split)
    chosen = _thinned(np.arange(len(rows)), len(rows) if most is None else most)
    features = model.yardstick(decoded.source.gather(rows[chosen]), model.devices)
    return Judged(tuple(ids[place] for place in chosen), features)


def compared_with_held_out(known: Known, held_out: Judged) -> Known:
    """The same, knowing how many held-out pictures lie on top of a training picture: doubles in the data."""
    found = copies(held_out.features, known.features)
    return Known(known.rows, known.features, _counted(found.share, len(held_out.ids)))


def look(drawn: np.ndarray, judged: Judged, known: Known | None) -> Look:
    """Everything about drawn pictures' features (N, D).

    Raises:
        UsageError: fewer than two pictures on one side.
    """
    real = judged.features
    near = manifolds(drawn, real, max(1, min(NEIGHBOURS, len(drawn) - 1, len(real) - 1)))
    figures = {
        "kernel_distance": kernel_distance_interval(drawn, real),
        "frechet_distance": _bare(frechet_distance(drawn, real), len(drawn)),
        **_shares(near, len(drawn), len(real)),
    }
    copied = None
    if known is not None:
        copied = copies(drawn, known.features)
        figures |= {
            "variety": _bare(variety(drawn, known.features), len(drawn)),
            "elbow_room": _bare(elbow_room(drawn, known.features), len(drawn)),
            "copies": _counted(copied.share, len(drawn)),
        }
    return Look(figures, near.recalled, copied)


def _shares(near: Manifolds, drawn: int, real: int) -> dict[str, Interval]:
    return {
        "precision": _counted(near.precision, drawn),
        "recall": _counted(near.recall, real),
        "density": mean_interval(near.balls),
        "coverage": _counted(near.coverage, real),
    }


def _counted(value: float, n: int) -> Interval:
    return share(round(value * n), n)


def _bare(value: float, n: int) -> Interval:
    return Interval(value, float("nan"), float("nan"), n, "none")


def _rows(decoded: PreparedPictures, split: str | None) -> tuple[np.ndarray, list[str]]:
    entries = decoded.dataset.entries
    places = [k for k, entry in enumerate(entries) if split is None or entry.split == split]
    return decoded.rows[np.array(places, int)], [entries[k].id for k in places]


def _thinned(values: np.ndarray, most: int) -> np.ndarray:
    """At most so many, evenly spread."""
    if len(values) <= most:
        return values
    return values[np.linspace(0, len(values) - 1, most).round().astype(int)]
